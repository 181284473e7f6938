// HubTest: a hub on invented time. Every test is a leak test.
//
// Its poller (fake_poller.h) moves the clock to the next deadline instead of waiting, and polls
// real descriptors without waiting, so tests with timers take no time and tests with sockets need
// no luck.
#ifndef GROVE_RUNTIME_HUB_HUB_FIXTURE_H_
#define GROVE_RUNTIME_HUB_HUB_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <type_traits>
#include <utility>

#include "runtime/hub/fake_clock.h"
#include "runtime/hub/fake_poller.h"
#include "runtime/hub/hub.h"

namespace grove {

// What `hub` says of running `body`, which returns nothing or a Status, as its main fiber. Expects
// that the body began: a hub that refuses to run it has checked nothing.
template <typename F>
[[nodiscard]] absl::Status RunForStatus(Hub& hub, F&& body) {
  bool began = false;
  absl::Status status = hub.Run([&] {
    began = true;
    return body();
  });
  EXPECT_TRUE(began) << "the body did not run: " << status;
  return status;
}

// Runs `body` as the main fiber of `hub` and expects that it comes to its end, and all is well.
template <typename F>
void RunOn(Hub& hub, F&& body) {
  bool ended = false;
  const absl::Status status = RunForStatus(hub, [&]() -> absl::Status {
    absl::Status returned;
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
      body();
    } else {
      returned = body();
    }
    ended = true;
    return returned;
  });
  EXPECT_TRUE(ended) << "the body did not come to its end";
  EXPECT_TRUE(status.ok()) << status;
}

class HubTest : public ::testing::Test {
 protected:
  explicit HubTest(HubOptions options = {}) {
    // A child forked from a fiber has no hub: it must begin anew.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    options.clock = &clock_;
    options.poller = std::make_unique<FakePoller>(clock_);
    hub_ = *Hub::Create(std::move(options));
  }

  void TearDown() override {
    const HubStats stats = hub_->Stats();
    EXPECT_EQ(stats.fibers_live, 0u);
    EXPECT_EQ(stats.spawned, stats.ended);
    EXPECT_EQ(stats.timers_armed, 0u);
    EXPECT_EQ(stats.descriptors, 0u);
    EXPECT_EQ(stats.run_queue_length, 0u);
  }

  template <typename F>
  void Run(F&& body) {
    RunOn(*hub_, std::forward<F>(body));
  }
  template <typename F>
  [[nodiscard]] absl::Status RunForStatus(F&& body) {
    return grove::RunForStatus(*hub_, std::forward<F>(body));
  }

  FakeClock clock_;
  std::unique_ptr<Hub> hub_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_HUB_FIXTURE_H_

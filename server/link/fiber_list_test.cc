#include "server/link/fiber_list.h"

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"

namespace grove::link {
namespace {

constexpr int kFibers = 5000;

// Of "workers/0/fibers/17".
FiberId IdOf(const v1::Fiber& fiber) {
  return std::stoull(fiber.name().substr(std::string("workers/0/fibers/").size()));
}

class FiberListTest : public ::testing::Test {
 protected:
  // Runs `body` while kFibers fibers are parked.
  template <typename Body>
  void WithParkedFibers(Body body) {
    auto hub = Hub::Create({.stack_bytes = 16 * 1024});
    ASSERT_TRUE(hub.ok());
    RunOn(**hub, [&] {
      Event gate;
      std::vector<FiberHandle> fibers(kFibers);
      for (FiberHandle& fiber : fibers) {
        fiber = *Spawn("parked", [&] { gate.Wait().IgnoreError(); });
      }
      while ((*hub)->Stats().run_queue_length > 0) Yield();
      body();
      gate.Set();
      for (FiberHandle& fiber : fibers) fiber.Join().IgnoreError();
    });
  }

  OffloadPool offload_{{.threads = 1}};
};

TEST_F(FiberListTest, LetsOthersRunBetweenSlices) {
  WithParkedFibers([this] {
    bool listed = false;
    int turns = 0;
    auto other = *Spawn("other", [&] {
      for (; !listed; ++turns) Yield();
    });
    const uint64_t before = Hub::Current()->Stats().switches;
    internal::v1::ListFibers request;
    request.set_limit(10);
    EXPECT_EQ(ListFibers(request, "workers/0", offload_).fibers_size(), 10);
    listed = true;
    EXPECT_GE(turns, kFibers / static_cast<int>(kFibersPerSlice) - 1);
    EXPECT_GT(Hub::Current()->Stats().switches, before);
    other.Join().IgnoreError();
  });
}

TEST_F(FiberListTest, PagesThroughAllOfThemOnceInOrder) {
  WithParkedFibers([this] {
    internal::v1::ListFibers request;
    request.set_limit(700);
    int seen = 0;
    for (bool more = true; more;) {
      const internal::v1::ListFibersReply reply = ListFibers(request, "workers/0", offload_);
      for (const auto& fiber : reply.fibers()) {
        EXPECT_GT(IdOf(fiber), request.after());
        request.set_after(IdOf(fiber));
        ++seen;
      }
      more = reply.more();
    }
    EXPECT_EQ(seen, kFibers + 1);  // and the main fiber
  });
}

TEST_F(FiberListTest, TellsWhereFibersStandIfAskedAndOfFewerThen) {
  WithParkedFibers([this] {
    internal::v1::ListFibers request;
    request.set_limit(700);
    EXPECT_TRUE(ListFibers(request, "workers/0", offload_).fibers(0).stack().empty());
    request.set_stacks(true);
    const internal::v1::ListFibersReply reply = ListFibers(request, "workers/0", offload_);
    ASSERT_EQ(reply.fibers_size(), kStacksPerReplyMax);
    EXPECT_TRUE(reply.more());
    EXPECT_EQ(reply.fibers(0).display_name(), "main");
    EXPECT_TRUE(reply.fibers(0).stack().empty());  // it runs: it is the one that asks
    for (int i = 1; i < reply.fibers_size(); ++i) {
      const auto& stack = reply.fibers(i).stack();
      ASSERT_GE(stack.size(), 3) << i;
      EXPECT_NE(absl::StrJoin(stack, "\n").find("grove::Event::Wait()+0x"), std::string::npos);
      EXPECT_GT(reply.fibers(i).stack_used_bytes(), 0);
      EXPECT_GE(reply.fibers(i).stack_bytes(), reply.fibers(i).stack_used_bytes());
    }
  });
}

TEST_F(FiberListTest, WithoutAThreadForTheNamesItTellsAllButStacks) {
  WithParkedFibers([this] {
    offload_.Stop();
    internal::v1::ListFibers request;
    request.set_limit(2);
    request.set_stacks(true);
    const internal::v1::ListFibersReply reply = ListFibers(request, "workers/0", offload_);
    ASSERT_EQ(reply.fibers_size(), 2);
    EXPECT_TRUE(reply.fibers(1).stack().empty());
    EXPECT_GT(reply.fibers(1).stack_used_bytes(), 0);
  });
}

}  // namespace
}  // namespace grove::link

#include "server/worker/fiber_list.h"

#include <vector>

#include "gtest/gtest.h"
#include "runtime/event.h"

namespace grove {
namespace {

constexpr int kFibers = 5000;

class FiberListTest : public ::testing::Test {
 protected:
  // Runs `body` while kFibers fibers are parked.
  template <typename Body>
  void WithParkedFibers(Body body) {
    auto hub = Hub::Create({.stack_bytes = 16 * 1024});
    ASSERT_TRUE(hub.ok());
    (*hub)
        ->Run([&] {
          Event gate;
          std::vector<FiberHandle> fibers;
          for (int i = 0; i < kFibers; ++i) {
            fibers.push_back(*Spawn("parked", [&] { gate.Wait().IgnoreError(); }));
          }
          while ((*hub)->Stats().run_queue_length > 0) Yield();
          body();
          gate.Set();
          for (FiberHandle& fiber : fibers) fiber.Join().IgnoreError();
        })
        .IgnoreError();
  }
};

TEST_F(FiberListTest, LetsOthersRunBetweenSlices) {
  WithParkedFibers([] {
    bool listed = false;
    int turns = 0;
    auto other = *Spawn("other", [&] {
      for (; !listed; ++turns) Yield();
    });
    const uint64_t before = Hub::Current()->Stats().switches;
    internal::v1::ListFibers request;
    request.set_limit(10);
    EXPECT_EQ(ListFibers(request).fibers_size(), 10);
    listed = true;
    EXPECT_GE(turns, kFibers / static_cast<int>(kFibersPerSlice) - 1);
    EXPECT_GT(Hub::Current()->Stats().switches, before);
    other.Join().IgnoreError();
  });
}

TEST_F(FiberListTest, PagesThroughAllOfThemOnceInOrder) {
  WithParkedFibers([] {
    internal::v1::ListFibers request;
    request.set_limit(700);
    int seen = 0;
    for (bool more = true; more;) {
      const internal::v1::ListFibersReply reply = ListFibers(request);
      for (const auto& fiber : reply.fibers()) {
        EXPECT_GT(fiber.id(), request.after());
        request.set_after(fiber.id());
        ++seen;
      }
      more = reply.more();
    }
    EXPECT_EQ(seen, kFibers + 1);  // and the main fiber
  });
}

}  // namespace
}  // namespace grove

#include "runtime/hub/park_watch.h"

#include <memory>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

class Recorder final : public ParkWatch {
 public:
  explicit Recorder(std::vector<WaitFor::Kind>& seen) : seen_(seen) {}

 private:
  void OnPark(const Fiber& fiber) override { seen_.push_back(fiber.waiting_for().kind); }
  std::vector<WaitFor::Kind>& seen_;
};

class ParkWatchTest : public HubTest {
 protected:
  std::vector<WaitFor::Kind> seen_;
};

TEST_F(ParkWatchTest, IsToldWhatItsFiberWaitsForUntilItDies) {
  Run([&] {
    {
      Recorder watch(seen_);
      (void)Sleep(absl::Seconds(1));
      Event event;
      (void)Spawn("setter", [&] { event.Set(); });
      EXPECT_TRUE(event.Wait().ok());
      EXPECT_TRUE(event.Wait().ok());  // set already: no park
      Yield();
    }
    (void)Sleep(absl::Seconds(1));
  });
  EXPECT_EQ(seen_, (std::vector{WaitFor::Kind::kTimer, WaitFor::Kind::kEvent}));
}

TEST_F(ParkWatchTest, IsNotToldOfOtherFibers) {
  Run([&] {
    Recorder watch(seen_);
    auto other = *Spawn("other", [] { return Sleep(absl::Seconds(1)); });
    Yield();
    EXPECT_TRUE(seen_.empty());
    EXPECT_TRUE(other.Join().ok());
  });
  EXPECT_EQ(seen_, std::vector{WaitFor::Kind::kJoin});
}

TEST_F(ParkWatchTest, IsToldOfWaitsThatNothingInterrupts) {
  Run([&] {
    auto other = *Spawn("other", [] { return Sleep(absl::Seconds(1)); });
    Recorder watch(seen_);
    other.AwaitEnd();
  });
  EXPECT_EQ(seen_, std::vector{WaitFor::Kind::kJoin});
}

TEST_F(ParkWatchTest, SeveralAreToldAndLeaveInAnyOrder) {
  Run([&] {
    auto first = std::make_unique<Recorder>(seen_);
    auto second = std::make_unique<Recorder>(seen_);
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(seen_.size(), 2u);
    first.reset();
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(seen_.size(), 3u);
    second.reset();
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(seen_.size(), 3u);
  });
}

TEST_F(ParkWatchTest, MayDieAfterItsFiber) {
  Run([&] {
    std::unique_ptr<Recorder> watch;
    auto fiber = *Spawn("short", [&] { watch = std::make_unique<Recorder>(seen_); });
    EXPECT_TRUE(fiber.Join().ok());
    watch.reset();
  });
}

}  // namespace
}  // namespace grove

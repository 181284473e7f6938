#include "database/guard/transaction_guard.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/group/resource_pool.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/pipe.h"
#include "runtime/sync/event.h"

namespace grove::guard {
namespace {

class TransactionGuardTest : public HubTest {
 protected:
  TransactionGuardOptions Recording() {
    return {.report = [this](const HeldWaitReport& report) { reports_.push_back(report); }};
  }
  std::vector<HeldWaitReport> reports_;
};

TEST_F(TransactionGuardTest, ASleepIsCountedAndReportedWithBothPlaces) {
  Run([&] {
    TransactionGuard guard(Recording());
    const SourceLocation site = SourceLocation::Current();
    auto mark = guard.Hold("transaction", site);
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(guard.stats().sleeps, 1u);
    ASSERT_EQ(reports_.size(), 1u);
    EXPECT_EQ(reports_[0].kind, HeldWait::kSleep);
    EXPECT_EQ(reports_[0].waits_for, "timer");
    EXPECT_EQ(reports_[0].held_at.line(), site.line());
    EXPECT_NE(reports_[0].ToString().find("sleeps (timer) while it holds a transaction that was "
                                          "begun at database/guard/transaction_guard_test.cc:"),
              std::string::npos)
        << reports_[0].ToString();
#if defined(__x86_64__)
    std::string stack;
    for (const std::string& frame : reports_[0].stack) stack += frame + "\n";
    EXPECT_NE(stack.find("grove::Sleep()"), std::string::npos) << stack;
#endif
  });
}

TEST_F(TransactionGuardTest, AWaitForAPoolIsCounted) {
  Run([&] {
    TransactionGuard guard(Recording());
    ResourcePool<int> pool({.max = 1, .create = []() -> absl::StatusOr<int> { return 1; }});
    auto first = std::make_unique<ResourcePool<int>::Lease>(*pool.Take());
    (void)Spawn("releases", [&] { first.reset(); });
    auto mark = guard.Hold("transaction", SourceLocation::Current());
    auto second = pool.Take();
    EXPECT_TRUE(second.ok());
    EXPECT_EQ(guard.stats().pools, 1u);
    EXPECT_EQ(reports_.at(0).kind, HeldWait::kPool);
  });
}

TEST_F(TransactionGuardTest, AReadIsCounted) {
  Run([&] {
    TransactionGuard guard(Recording());
    Pipe pipe = *Pipe::Create();
    (void)Spawn("writes", [&] { (void)pipe.writer.Write("x"); });
    auto mark = guard.Hold("transaction", SourceLocation::Current());
    char byte = 0;
    EXPECT_TRUE(pipe.reader.ReadFull({&byte, 1}).ok());
    EXPECT_EQ(guard.stats().network, 1u);
  });
}

TEST_F(TransactionGuardTest, OwnWaitsOtherFibersAndWaitsForFibersAreNone) {
  Run([&] {
    TransactionGuard guard(Recording());
    auto mark = guard.Hold("transaction", SourceLocation::Current());
    {
      TransactionGuard::Mark::OwnWait own(mark.get());
      (void)Sleep(absl::Seconds(1));
    }
    Event event;
    (void)Spawn("sets", [&] {
      (void)Sleep(absl::Seconds(1));
      event.Set();
    });
    EXPECT_TRUE(event.Wait().ok());
    mark.reset();
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(guard.stats().marks, 1u);
    EXPECT_EQ(guard.stats().held, 0);
    EXPECT_EQ(guard.stats().sleeps + guard.stats().network + guard.stats().pools, 0u);
  });
  EXPECT_TRUE(reports_.empty());
}

TEST_F(TransactionGuardTest, APlaceIsReportedOnceInAnInterval) {
  Run([&] {
    TransactionGuard guard(Recording());
    auto mark = guard.Hold("transaction", SourceLocation::Current());
    auto elsewhere = guard.Hold("transaction", SourceLocation::Current());
    elsewhere.reset();
    for (int i = 0; i < 4; ++i) (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(reports_.size(), 1u);
    auto other = guard.Hold("transaction", SourceLocation::Current());
    (void)Sleep(absl::Seconds(7));
    EXPECT_EQ(reports_.size(), 2u);  // the other place's first
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(guard.stats().sleeps, 8u);  // both hold in the last two
    ASSERT_EQ(reports_.size(), 3u);
    EXPECT_EQ(reports_[2].unreported, 4u);
  });
}

TEST_F(TransactionGuardTest, AMarkMayDieInsideOfItsOwnWaits) {
  Run([&] {
    TransactionGuard guard(Recording());
    auto mark = guard.Hold("transaction", SourceLocation::Current());
    {
      TransactionGuard::Mark::OwnWait outer(mark.get());
      TransactionGuard::Mark::OwnWait inner(mark.get());
      mark.reset();
    }
    mark = guard.Hold("transaction", SourceLocation::Current());
    {
      TransactionGuard::Mark::OwnWait outer(mark.get());
      { TransactionGuard::Mark::OwnWait inner(mark.get()); }
      (void)Sleep(absl::Seconds(1));
      EXPECT_EQ(guard.stats().sleeps, 0u);
    }
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(guard.stats().sleeps, 1u);
  });
}

TEST_F(TransactionGuardTest, SwitchedOffItMarksNothing) {
  Run([&] {
    TransactionGuardOptions options = Recording();
    options.enabled = false;
    TransactionGuard guard(options);
    auto mark = guard.Hold("transaction", SourceLocation::Current());
    EXPECT_EQ(mark, nullptr);
    TransactionGuard::Mark::OwnWait own(mark.get());
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(guard.stats().marks, 0u);
  });
  EXPECT_TRUE(reports_.empty());
}

}  // namespace
}  // namespace grove::guard

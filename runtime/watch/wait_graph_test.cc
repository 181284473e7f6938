#include "runtime/watch/wait_graph.h"

#include <gmock/gmock.h>

#include <memory>

#include "absl/strings/str_format.h"
#include "runtime/group/fiber_group.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/condition.h"
#include "runtime/sync/event.h"
#include "runtime/sync/mutex.h"
#include "runtime/sync/semaphore.h"

namespace grove {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class WaitGraphTest : public HubTest {
 protected:
  // Fibers that get stuck; they are cancelled when it ends.
  struct Stuck {
    template <typename F>
    FiberHandle Spawn(std::string_view name, F&& body) {
      fibers.push_back(*grove::Spawn(name, std::forward<F>(body)));
      return fibers.back();
    }
    void End() {
      for (FiberHandle& fiber : fibers) fiber.Cancel();
      for (FiberHandle& fiber : fibers) (void)fiber.Join();
    }
    std::vector<FiberHandle> fibers;
  };

  // Takes `first`, lets the others run, takes `second`.
  static auto Both(Mutex& first, Mutex& second) {
    return [&first, &second] {
      MutexLock one(first);
      Yield();
      MutexLock two(second);
    };
  }
  // The names of the fibers of the one cycle there is, which is a deadlock.
  std::vector<std::string> Deadlocked() {
    Settle();
    const std::vector<WaitCycle> cycles = FindCycles(*hub_);
    std::vector<std::string> names;
    EXPECT_EQ(cycles.size(), 1u) << ToString(cycles);
    for (const WaitCycle& cycle : cycles) {
      EXPECT_TRUE(cycle.deadlock());
      for (const WaitingFiber& fiber : cycle.fibers) names.push_back(fiber.name);
    }
    return names;
  }
  std::vector<WaitCycle> Cycles() {
    Settle();
    return FindCycles(*hub_);
  }
  static void Settle() {
    for (int i = 0; i < 5; ++i) Yield();
  }
};

TEST_F(WaitGraphTest, FindsTwoFibersThatTakeTwoMutexesTheOtherWayRound) {
  Run([&] {
    Mutex left, right;
    Stuck stuck;
    stuck.Spawn("a", Both(left, right));
    stuck.Spawn("b", Both(right, left));
    EXPECT_THAT(Deadlocked(), UnorderedElementsAre("a", "b"));
    stuck.End();
    EXPECT_THAT(Cycles(), IsEmpty());
  });
}

TEST_F(WaitGraphTest, FindsThreeMutexesAndNotThoseThatMerelyWaitForThem) {
  Run([&] {
    Mutex one, two, three;
    Stuck stuck;
    stuck.Spawn("a", Both(one, two));
    stuck.Spawn("b", Both(two, three));
    stuck.Spawn("c", Both(three, one));
    auto outsider = stuck.Spawn("outsider", [&] { MutexLock lock(one); });
    stuck.Spawn("its joiner", [outsider]() mutable { (void)outsider.Join(); });
    EXPECT_THAT(Deadlocked(), UnorderedElementsAre("a", "b", "c"));
    stuck.End();
  });
}

TEST_F(WaitGraphTest, FindsFibersThatJoinEachOtherAndOneThatJoinsItself) {
  Run([&] {
    Stuck stuck;
    FiberHandle a, b, narcissus;
    a = stuck.Spawn("a", [&b] { (void)b.Join(); });
    b = stuck.Spawn("b", [&a] { (void)a.Join(); });
    narcissus = stuck.Spawn("narcissus", [&narcissus] { (void)narcissus.Join(); });
    Settle();
    const std::string text = ToString(FindCycles(*hub_));
    EXPECT_THAT(text, HasSubstr("\"a\" (runtime/watch/wait_graph_test.cc:"));
    EXPECT_THAT(text, HasSubstr(absl::StrFormat("waits for the end of fiber %d \"b\"", b->id())));
    EXPECT_THAT(text, HasSubstr("\"narcissus\""));
    EXPECT_EQ(FindCycles(*hub_).size(), 2u);
    stuck.End();
  });
}

TEST_F(WaitGraphTest, FindsAMixOfJoinAndMutexAndSaysWhatIsHeldByWhom) {
  Run([&] {
    Mutex mutex;
    Stuck stuck;
    auto child = stuck.Spawn("child", [&] {
      Yield();
      MutexLock lock(mutex);
    });
    stuck.Spawn("parent", [&, child]() mutable {
      MutexLock lock(mutex);
      (void)child.Join();
    });
    Settle();
    EXPECT_THAT(ToString(FindCycles(*hub_)),
                ::testing::MatchesRegex(
                    "deadlock: fiber [0-9]+ \"child\" \\(.*:[0-9]+\\) waits for mutex 0x[0-9a-f]+ "
                    "held by fiber [0-9]+ \"parent\"; fiber [0-9]+ \"parent\" \\(.*\\) waits for "
                    "the end of fiber [0-9]+ \"child\"\n"));
    stuck.End();
  });
}

TEST_F(WaitGraphTest, FindsChildrenThatWaitForTheScopeThatJoinsTheirGroupOrPool) {
  Run([&] {
    Stuck stuck;
    FiberPool pool(3);
    FiberHandle grouped, pooled;
    grouped = stuck.Spawn("grouped", [&] {
      FiberGroup group;
      (void)group.Spawn("idle child", [] { (void)Sleep(absl::Hours(1)); });
      (void)group.Spawn("child", [&] { (void)grouped.Join(); });
      (void)group.Join();
    });
    pooled = stuck.Spawn("pooled", [&] {
      (void)pool.Spawn({.name = "member"}, [&] { (void)pooled.Join(); });
      (void)pool.WaitAll();
    });
    const std::string text = ToString(Cycles());
    EXPECT_THAT(text, HasSubstr("\"grouped\""));
    EXPECT_THAT(text, HasSubstr("\"child\""));
    EXPECT_THAT(text, HasSubstr("to which belongs"));
    EXPECT_THAT(text, HasSubstr("\"member\""));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("idle")));
    pool.CancelAll();
    stuck.End();
  });
}

TEST_F(WaitGraphTest, FindsAnExhaustedSemaphoreAllOfWhoseHoldersAreStuck) {
  Run([&] {
    Semaphore permits(2);
    Mutex mutex;
    Stuck stuck;
    const auto holder = [&] {
      EXPECT_TRUE(permits.Acquire().ok());
      Yield();
      MutexLock lock(mutex);
      permits.Release();
    };
    stuck.Spawn("one", holder);
    stuck.Spawn("two", holder);
    stuck.Spawn("owner", [&] {
      MutexLock lock(mutex);
      Yield();
      (void)permits.Acquire();
    });
    EXPECT_THAT(Deadlocked(), ::testing::Contains("owner"));
    stuck.End();
  });
}

TEST_F(WaitGraphTest, IsNotAlarmedWhereOneHolderOfASemaphoreCanGoOn) {
  Run([&] {
    Semaphore permits(2);
    Mutex mutex;
    Stuck stuck;
    stuck.Spawn("stuck holder", [&] {
      (void)permits.Acquire();
      Yield();
      MutexLock lock(mutex);
    });
    stuck.Spawn("free holder", [&] {
      (void)permits.Acquire();
      (void)Sleep(absl::Hours(1));
    });
    stuck.Spawn("owner", [&] {
      MutexLock lock(mutex);
      Yield();
      (void)permits.Acquire();
    });
    EXPECT_THAT(Cycles(), IsEmpty());
    stuck.End();
  });
}

TEST_F(WaitGraphTest, SaysNothingOfASemaphoreThatIsUsedToSignal) {
  Run([&] {
    Semaphore permits(1);
    Mutex mutex;
    Stuck stuck;
    EXPECT_TRUE(permits.Acquire().ok());
    // Released by one that took none: from now on anybody may.
    stuck.Spawn("signaller", [&] { permits.Release(); });
    Yield();
    stuck.Spawn("holder", [&] {
      (void)permits.Acquire();
      Yield();
      MutexLock lock(mutex);
    });
    stuck.Spawn("owner", [&] {
      MutexLock lock(mutex);
      Yield();
      (void)permits.Acquire();
    });
    EXPECT_THAT(Cycles(), IsEmpty());
    stuck.End();
  });
}

TEST_F(WaitGraphTest, IsNotAlarmedByAFiberThatWaitsForAPlaceInAPool) {
  Run([&] {
    FiberPool pool(1);
    Stuck stuck;
    FiberHandle late;
    auto first = stuck.Spawn("first", [&] {
      (void)pool.Spawn({}, [] { (void)Sleep(absl::Seconds(1)); });
      Yield();
      (void)late.Join();
    });
    late = stuck.Spawn("late", [&] { (void)pool.Spawn({}, [] {}); });
    EXPECT_THAT(Cycles(), IsEmpty());
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(WaitGraphTest, CallsACycleBoundedThatATimeoutWillEnd) {
  Run([&] {
    Mutex left, right;
    Stuck stuck;
    stuck.Spawn("patient", Both(left, right));
    stuck.Spawn("impatient", [&] {
      Timeout timeout(absl::Seconds(5));
      Both(right, left)();
    });
    const std::vector<WaitCycle> cycles = Cycles();
    ASSERT_EQ(cycles.size(), 1u);
    EXPECT_FALSE(cycles[0].deadlock());
    EXPECT_THAT(ToString(cycles[0]), ::testing::StartsWith("bounded wait: "));
    for (FiberHandle& fiber : stuck.fibers) EXPECT_TRUE(fiber.Join().ok());
  });
}

TEST_F(WaitGraphTest, ATimeoutThatWasCancelledBoundsNothing) {
  Run([&] {
    Mutex left, right;
    Stuck stuck;
    stuck.Spawn("a", Both(left, right));
    stuck.Spawn("b", [&] {
      Timeout timeout(absl::Seconds(5));
      timeout.Cancel();
      Both(right, left)();
    });
    EXPECT_THAT(Deadlocked(), UnorderedElementsAre("a", "b"));
    stuck.End();
  });
}

TEST_F(WaitGraphTest, FindsADeadlockBesideABoundedCycleThatNeedsTheSameMutex) {
  Run([&] {
    Mutex left, right;
    Stuck stuck;
    stuck.Spawn("a", Both(left, right));
    stuck.Spawn("b", Both(right, left));
    stuck.Spawn("impatient", [&] {
      Timeout timeout(absl::Seconds(5));
      MutexLock lock(left);
    });
    EXPECT_THAT(Deadlocked(), UnorderedElementsAre("a", "b"));
    stuck.End();
  });
}

TEST_F(WaitGraphTest, IsNotAlarmedByEventsConditionsAndLongChains) {
  Run([&] {
    constexpr int kLinks = 5000;
    Event gate;
    Mutex mutex;
    Condition changed(mutex);
    Stuck stuck;
    FiberHandle last = stuck.Spawn("gate", [&] { (void)gate.Wait(); });
    for (int i = 0; i < kLinks; ++i) {
      last = stuck.Spawn("link", [last]() mutable { (void)last.Join(); });
    }
    for (int i = 0; i < 2; ++i) {
      stuck.Spawn("changed", [&] {
        MutexLock lock(mutex);
        (void)changed.Wait();
      });
    }
    Settle();
    EXPECT_THAT(FindCycles(*hub_), IsEmpty());
    gate.Set();
    changed.NotifyAll();
    for (FiberHandle& fiber : stuck.fibers) EXPECT_TRUE(fiber.Join().ok());
  });
}

// A slice reads the two first; what follows is read while others have their turns.
TEST_F(WaitGraphTest, LetsOthersRunWhileItLooksAndReportsNoCycleThatTheyUndoMeanwhile) {
  Run([&] {
    Mutex left, right;
    Stuck stuck;
    stuck.Spawn("a", Both(left, right));
    auto b = stuck.Spawn("b", Both(right, left));
    for (size_t i = 0; i < 2 * kWaitGraphSlice; ++i) {
      stuck.Spawn("filler", [] { (void)Sleep(absl::Hours(1)); });
    }
    Settle();
    EXPECT_EQ(FindCycles(*hub_).size(), 1u);
    bool undone = false;
    stuck.Spawn("undoer", [&, b]() mutable {
      undone = true;
      b.Cancel();
    });
    EXPECT_FALSE(undone);
    EXPECT_THAT(FindCycles(*hub_), IsEmpty());
    EXPECT_TRUE(undone);
    stuck.End();
  });
}

}  // namespace
}  // namespace grove

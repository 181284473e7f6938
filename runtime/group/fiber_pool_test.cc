#include "runtime/group/fiber_pool.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/group/fiber_map.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/status_macros.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

using FiberPoolTest = HubTest;

TEST_F(FiberPoolTest, RunsAtMostItsSizeAtOnce) {
  Run([] {
    FiberPool pool(2);
    int running = 0;
    int most = 0;
    for (int i = 0; i < 6; ++i) {
      ASSERT_TRUE(pool.Spawn({.name = "member"},
                             [&] {
                               most = std::max(most, ++running);
                               (void)Sleep(absl::Seconds(1));
                               --running;
                             })
                      .ok());
    }
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(most, 2);
    EXPECT_EQ(pool.free(), 2);
  });
}

TEST_F(FiberPoolTest, ANegativeSizeIsAProgrammingError) {
  EXPECT_DEATH(FiberPool(-1), "can't start with a debt");
}

TEST_F(FiberPoolTest, AMemberOfAFullPoolRunsTheBodyItself) {
  Run([] {
    FiberPool pool(1);
    bool inner = false;
    (void)pool.Spawn({}, [&] {
      const FiberHandle none = *pool.Spawn({}, [&] { inner = true; });
      EXPECT_TRUE(inner);
      EXPECT_FALSE(none);
    });
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_TRUE(inner);
  });
}

TEST_F(FiberPoolTest, GrowingLetsWaitersInAtOnce) {
  Run([] {
    FiberPool pool(0);
    bool ran = false;
    auto spawner = *Spawn("spawner", [&] { (void)pool.Spawn({}, [&] { ran = true; }); });
    Yield();
    EXPECT_EQ(pool.waiting(), 1u);
    pool.Resize(1);
    EXPECT_TRUE(spawner.Join().ok());
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_TRUE(ran);
  });
}

TEST_F(FiberPoolTest, CancelAllReachesMembersThatHaveNotStarted) {
  Run([] {
    FiberPool pool(2);
    bool ran = false;
    (void)pool.Spawn({}, [&ran] { ran = true; });
    pool.CancelAll();
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_FALSE(ran);
  });
}

TEST_F(FiberPoolTest, CountsItsMembersItsPlacesAndThoseThatWaitForOne) {
  Run([] {
    FiberPool pool(2);
    Event gate;
    for (int i = 0; i < 2; ++i) (void)pool.Spawn({}, [&] { (void)gate.Wait(); });
    auto spawner = *Spawn("spawner", [&] { (void)pool.Spawn({}, [] {}); });
    Yield();
    EXPECT_EQ(pool.running(), 2);
    EXPECT_EQ(pool.free(), 0);
    EXPECT_EQ(pool.waiting(), 1u);
    gate.Set();
    EXPECT_TRUE(spawner.Join().ok());
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(pool.running(), 0);
    EXPECT_EQ(pool.free(), 2);
  });
}

TEST_F(FiberPoolTest, ShrinkingLetsMembersFinishAndFreeIsNegativeMeanwhile) {
  Run([] {
    FiberPool pool(3);
    Event gate;
    for (int i = 0; i < 3; ++i) (void)pool.Spawn({}, [&] { EXPECT_TRUE(gate.Wait().ok()); });
    pool.Resize(1);
    EXPECT_EQ(pool.free(), -2);
    EXPECT_EQ(pool.running(), 3);
    EXPECT_FALSE(pool.TrySpawn({}, [] {}));
    gate.Set();
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(pool.free(), 1);
  });
}

TEST_F(FiberPoolTest, AMemberCantWaitForItsOwnPool) {
  Run([] {
    FiberPool pool(2);
    (void)pool.Spawn({}, [&] { EXPECT_TRUE(absl::IsFailedPrecondition(pool.WaitAll())); });
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(FiberPoolTest, WaitAllWaitsForThoseThatStillWaitForAPlace) {
  Run([] {
    FiberPool pool(1);
    Event gate;
    int ended = 0;
    (void)pool.Spawn({}, [&] {
      (void)gate.Wait();
      ++ended;
    });
    (void)Spawn("spawner", [&] {
      (void)pool.Spawn({}, [&] {
        (void)Sleep(absl::Seconds(1));
        ++ended;
      });
    });
    Yield();
    gate.Set();
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(ended, 2);
  });
}

TEST_F(FiberPoolTest, ASpawnThatIsCancelledWhileItWaitsLeavesThePoolEmpty) {
  Run([] {
    FiberPool pool(0);
    auto spawner = *Spawn("spawner", [&] {
      EXPECT_TRUE(absl::IsCancelled(pool.Spawn({}, [] { ADD_FAILURE(); }).status()));
    });
    auto waiter = *Spawn("waiter", [&] { EXPECT_TRUE(pool.WaitAll().ok()); });
    Yield();
    spawner.Cancel();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(FiberPoolTest, AnExceptionEndsItsMemberOnlyAndIsCounted) {
  Run([this] {
    FiberPool pool(1);
    (void)pool.Spawn({}, [] { throw std::runtime_error("a member"); });
    bool ran = false;
    EXPECT_TRUE(pool.Spawn({}, [&] { ran = true; }).ok());
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_TRUE(ran);
    EXPECT_EQ(hub_->Stats().uncaught_exceptions, 1u);
  });
}

TEST_F(FiberPoolTest, AnExceptionOfABodyRunByItsCallerIsThrownThere) {
  Run([] {
    FiberPool pool(1);
    (void)pool.Spawn({}, [&] {
      EXPECT_THROW((void)pool.Spawn({}, [] { throw std::runtime_error("inside"); }),
                   std::runtime_error);
    });
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

class CrampedFiberPoolTest : public HubTest {
 protected:
  CrampedFiberPoolTest() : HubTest({.fibers_max = 2}) {}
};

TEST_F(CrampedFiberPoolTest, ASpawnThatFailsTakesNoPlace) {
  Run([] {
    FiberPool pool(5);
    EXPECT_TRUE(pool.Spawn({}, [] {}).ok());
    EXPECT_TRUE(absl::IsResourceExhausted(pool.Spawn({}, [] { ADD_FAILURE(); }).status()));
    EXPECT_FALSE(pool.TrySpawn({}, [] { ADD_FAILURE(); }));
    EXPECT_EQ(pool.free(), 4);
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(FiberPoolTest, RunWaitsForItsMembers) {
  Run([] {
    int done = 0;
    EXPECT_TRUE(FiberPool::Run(2, [&](FiberPool& pool) {
                  for (int i = 0; i < 5; ++i) {
                    (void)pool.Spawn({}, [&] {
                      (void)Sleep(absl::Seconds(1));
                      ++done;
                    });
                  }
                  return absl::OkStatus();
                }).ok());
    EXPECT_EQ(done, 5);
  });
}

TEST_F(FiberPoolTest, RunCancelsItsMembersWhenTheBodyFailsOrThrows) {
  Run([] {
    int cancelled = 0;
    const auto spawn = [&](FiberPool& pool) {
      (void)pool.Spawn({}, [&] {
        if (absl::IsCancelled(Sleep(absl::InfiniteDuration()))) ++cancelled;
      });
      Yield();
    };
    EXPECT_TRUE(absl::IsNotFound(FiberPool::Run(2, [&](FiberPool& pool) {
      spawn(pool);
      return absl::NotFoundError("");
    })));
    EXPECT_EQ(cancelled, 1);
    EXPECT_THROW((void)FiberPool::Run(2,
                                      [&](FiberPool& pool) -> absl::Status {
                                        spawn(pool);
                                        throw std::runtime_error("thrown by the body");
                                      }),
                 std::runtime_error);
    EXPECT_EQ(cancelled, 2);
  });
}

TEST_F(FiberPoolTest, RunThatIsInterruptedCancelsItsMembersAndWaitsForThem) {
  Run([] {
    bool ended = false;
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(FiberPool::Run(1, [&](FiberPool& pool) {
      return pool
          .Spawn({},
                 [&] {
                   EXPECT_TRUE(absl::IsCancelled(Sleep(absl::InfiniteDuration())));
                   ended = true;
                 })
          .status();
    })));
    EXPECT_TRUE(ended);
  });
}

TEST_F(FiberPoolTest, WhoWaitsForAPlaceWhenRunEndsGetsNone) {
  Run([] {
    absl::Status waited;
    FiberHandle waiting;
    EXPECT_TRUE(absl::IsNotFound(FiberPool::Run(1, [&](FiberPool& pool) {
      (void)pool.Spawn({}, [] { (void)Sleep(absl::InfiniteDuration()); });
      waiting = *Spawn("waiting", [&] {
        waited = pool.Spawn({}, [] { ADD_FAILURE() << "ran in a pool that ends"; }).status();
      });
      Yield();
      return absl::NotFoundError("");
    })));
    EXPECT_TRUE(waiting.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(waited));
  });
}

// An early return out of a loop over results, as programs write it.
TEST_F(FiberPoolTest, ALoopOverResultsMayBeLeftEarly) {
  Run([] {
    const std::vector<int> items = {1, 2, 3};
    EXPECT_TRUE(absl::IsAborted(FiberPool::Run(3, [&](FiberPool& pool) {
      const auto fails = [](int item) -> absl::StatusOr<int> {
        GROVE_RETURN_IF_ERROR(Sleep(absl::Seconds(item)));
        return absl::AbortedError("the first one");
      };
      for (absl::StatusOr<int>& result : Imap(pool, items, fails)) GROVE_RETURN_IF_ERROR(result);
      return absl::OkStatus();
    })));
  });
}

}  // namespace
}  // namespace grove

#include "runtime/group/dag_pool.h"

#include <stdexcept>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using Pool = DagPool<int>;
using Keys = std::vector<std::string>;
constexpr absl::Duration kSecond = absl::Seconds(1);

// The sum of the inputs and `own`, after `pause`.
Pool::Body Sum(int own, absl::Duration pause = absl::ZeroDuration()) {
  return [own, pause](const Pool::Inputs& inputs) -> absl::StatusOr<int> {
    if (absl::Status slept = Sleep(pause); !slept.ok()) return slept;
    int sum = own;
    inputs.ForEach([&sum](std::string_view, int value) { sum += value; });
    return sum;
  };
}

absl::StatusOr<int> Lost(const Pool::Inputs&) {
  return absl::NotFoundError("lost");
}

// The keys in the order in which `each` gives them.
Keys InOrder(Pool::Each each) {
  Keys keys;
  for (auto item = each.Next(); item.ok() && item->has_value(); item = each.Next()) {
    keys.push_back((*item)->key);
  }
  return keys;
}

class DagPoolTest : public HubTest {};

TEST_F(DagPoolTest, RunsANodeWhenItsDependenciesAreDone) {
  Run([] {
    Pool pool({}, {{"ten", 10}});
    ASSERT_TRUE(pool.Spawn("c", {"a", "b", "ten"}, Sum(100)).ok());
    ASSERT_TRUE(pool.Spawn("a", {}, Sum(1, 2 * kSecond)).ok());
    ASSERT_TRUE(pool.Spawn("b", {"a"}, Sum(1)).ok());
    EXPECT_EQ(*pool.Wait("c"), 113);
    EXPECT_EQ(pool.keys(), (Keys{"a", "b", "c", "ten"}));
  });
}

TEST_F(DagPoolTest, AWaitingNodeHasNoFiber) {
  Run([this] {
    Pool pool;
    ASSERT_TRUE(pool.Spawn("b", {"a"}, Sum(1)).ok());
    EXPECT_EQ(hub_->Stats().fibers_live, 1u);  // main
    EXPECT_EQ(pool.waiting_keys(), Keys{"b"});
    EXPECT_EQ(pool.WaitingFor("b"), Keys{"a"});
    ASSERT_TRUE(pool.Post("a", 1).ok());
    EXPECT_EQ(pool.running_keys(), Keys{"b"});
    EXPECT_EQ(pool.waiting(), 0u);
    EXPECT_EQ(*pool.Wait("b"), 2);
    EXPECT_EQ(pool.running(), 0u);
  });
}

TEST_F(DagPoolTest, ItemsAreWhatIsSettledWithItsValueOrFailure) {
  Run([] {
    Pool pool({}, {{"ten", 10}});
    ASSERT_TRUE(pool.Spawn("lost", {}, Lost).ok());
    ASSERT_TRUE(pool.Spawn("waits", {"unknown"}, Sum(1)).ok());
    EXPECT_TRUE(absl::IsNotFound(pool.Wait("lost").status()));
    const std::vector<Pool::Item> items = pool.items();
    ASSERT_EQ(items.size(), 2u);
    EXPECT_EQ(items[0].key, "lost");
    EXPECT_TRUE(absl::IsNotFound(items[0].value.status()));
    EXPECT_EQ(items[1].key, "ten");
    EXPECT_EQ(*items[1].value, 10);
    EXPECT_FALSE(pool.Get("waits").has_value());
  });
}

TEST_F(DagPoolTest, AFailureFailsTheDependantsAndNamesTheChain) {
  Run([] {
    Pool pool;
    bool ran = false;
    ASSERT_TRUE(pool.Spawn("a", {}, Lost).ok());
    ASSERT_TRUE(pool.Spawn("b", {"a"},
                           [&ran](auto&) -> absl::StatusOr<int> {
                             ran = true;
                             return 1;
                           })
                    .ok());
    EXPECT_EQ(pool.Wait("b").status(),
              absl::NotFoundError("\"b\" did not run: it needs \"a\", which failed: lost"));
    EXPECT_EQ(pool.Spawn("late", {"b"}, Sum(1)), absl::OkStatus());
    EXPECT_TRUE(absl::IsNotFound(pool.Wait("late").status()));
    EXPECT_FALSE(ran);
  });
}

TEST_F(DagPoolTest, AnExceptionIsAFailure) {
  Run([] {
    Pool pool;
    ASSERT_TRUE(pool.Spawn("a", {},
                           [](auto&) -> absl::StatusOr<int> { throw std::runtime_error("broken"); })
                    .ok());
    ASSERT_TRUE(pool.Spawn("b", {}, [](auto&) -> absl::StatusOr<int> { throw 1; }).ok());
    EXPECT_EQ(pool.Wait("a").status(), absl::UnknownError("exception in node \"a\": broken"));
    EXPECT_EQ(pool.Wait("b").status(),
              absl::UnknownError("exception of unknown type in node \"b\""));
  });
}

TEST_F(DagPoolTest, WaitEachGivesTheOrderOfCompletionAndItsFiltersPartOfIt) {
  Run([] {
    Pool pool({}, {{"at once", 0}});
    ASSERT_TRUE(pool.Spawn("slow", {}, Sum(1, 3 * kSecond)).ok());
    ASSERT_TRUE(pool.Spawn("quick", {}, Sum(1, kSecond)).ok());
    ASSERT_TRUE(pool.Spawn("lost", {}, Lost).ok());
    Pool::Each successes = pool.WaitEach(DagFilter::kSuccesses);
    EXPECT_EQ(InOrder(pool.WaitEach()), (Keys{"at once", "lost", "quick", "slow"}));
    EXPECT_EQ(InOrder(std::move(successes)), (Keys{"at once", "quick", "slow"}));
    EXPECT_EQ(InOrder(pool.WaitEach(DagFilter::kFailures)), Keys{"lost"});
    EXPECT_EQ(InOrder(*pool.WaitEach({"slow", "lost", "slow"})), (Keys{"lost", "slow"}));
  });
}

TEST_F(DagPoolTest, WaitAllGivesAllValuesOrTheFirstFailureAtOnce) {
  Run([this] {
    Pool pool;
    ASSERT_TRUE(pool.SpawnMany({{"a", {}}, {"b", {"a"}}, {"c", {"a", "b"}}},
                               [](const Pool::Inputs& inputs) { return inputs.size(); })
                    .ok());
    EXPECT_EQ(*pool.WaitAll(), (Pool::Values{{"a", 0}, {"b", 1}, {"c", 2}}));
    ASSERT_TRUE(pool.Spawn("slow", {}, Sum(1, absl::Hours(1))).ok());
    ASSERT_TRUE(pool.Spawn("lost", {}, Lost).ok());
    const MonotonicNanos begun = hub_->now();
    EXPECT_TRUE(absl::IsNotFound(pool.WaitAll({"slow", "lost"}).status()));
    EXPECT_EQ(hub_->now(), begun);
    EXPECT_TRUE(pool.Close().ok());
  });
}

TEST_F(DagPoolTest, RefusesDuplicatesAndCyclesAndAForeignPost) {
  Run([] {
    Pool pool;
    ASSERT_TRUE(pool.Spawn("a", {"b"}, Sum(1)).ok());
    EXPECT_TRUE(absl::IsAlreadyExists(pool.Spawn("a", {}, Sum(1))));
    EXPECT_TRUE(absl::IsInvalidArgument(pool.Spawn("b", {"a"}, Sum(1))));
    EXPECT_TRUE(absl::IsAlreadyExists(pool.Post("a", 1, DagPosting::kReplace)));
    ASSERT_TRUE(pool.Post("b", 1).ok());
    EXPECT_TRUE(absl::IsAlreadyExists(pool.Post("b", 2)));
    EXPECT_TRUE(pool.Post("b", 2, DagPosting::kReplace).ok());
    EXPECT_EQ(**pool.Get("b"), 2);
    EXPECT_EQ(*pool.Wait("a"), 2);  // it had started with the first
  });
}

TEST_F(DagPoolTest, APostedFailureFailsTheDependantsUntilReplaced) {
  Run([] {
    Pool pool;
    ASSERT_TRUE(pool.Post("a", absl::UnavailableError("down")).ok());
    ASSERT_TRUE(pool.Spawn("b", {"a"}, Sum(1)).ok());
    EXPECT_TRUE(absl::IsUnavailable(pool.Wait("b").status()));
    ASSERT_TRUE(pool.Post("a", 5, DagPosting::kReplace).ok());
    ASSERT_TRUE(pool.Spawn("c", {"a"}, Sum(1)).ok());
    EXPECT_EQ(*pool.Wait("c"), 6);
    EXPECT_TRUE(absl::IsUnavailable(pool.Wait("b").status()));  // settled as it was
  });
}

TEST_F(DagPoolTest, AKilledNodeIsCancelledAndMayBeSpawnedAnew) {
  Run([] {
    Pool pool;
    absl::Status seen;
    ASSERT_TRUE(pool.Spawn("b", {"a"}, Sum(1)).ok());
    ASSERT_TRUE(pool.Spawn("a", {},
                           [&seen](auto&) -> absl::StatusOr<int> {
                             seen = Sleep(absl::Hours(1));
                             return 7;  // forgotten
                           })
                    .ok());
    Yield();
    ASSERT_TRUE(pool.Kill("a").ok());
    EXPECT_TRUE(absl::IsNotFound(pool.Kill("a")));
    ASSERT_TRUE(pool.Spawn("a", {}, Sum(40)).ok());
    EXPECT_EQ(*pool.Wait("b"), 41);
    EXPECT_TRUE(absl::IsCancelled(seen));
    EXPECT_TRUE(absl::IsFailedPrecondition(pool.Kill("a")));
  });
}

TEST_F(DagPoolTest, AKilledNodeThatIsReadyOrWaitsNeverRuns) {
  Run([] {
    Pool pool({.running_max = 1});
    ASSERT_TRUE(pool.Spawn("a", {}, Sum(1, kSecond)).ok());
    ASSERT_TRUE(pool.Spawn("ready", {}, Lost).ok());
    ASSERT_TRUE(pool.Spawn("waits", {"a"}, Lost).ok());
    EXPECT_TRUE(pool.Kill("ready").ok());
    EXPECT_TRUE(pool.Kill("waits").ok());
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(pool.running(), 0u);
    EXPECT_EQ(pool.keys(), Keys{"a"});
  });
}

TEST_F(DagPoolTest, RunsNoMoreThanItsMaxAtOnceAndStartsInTheOrderOfReadiness) {
  Run([] {
    Pool pool({.running_max = 2});
    for (const char* key : {"d", "c", "b", "a"}) {
      ASSERT_TRUE(pool.Spawn(key, {}, Sum(1, kSecond)).ok());
    }
    EXPECT_EQ(pool.running_keys(), (Keys{"c", "d"}));
    EXPECT_EQ(pool.waiting(), 2u);
    EXPECT_EQ(InOrder(pool.WaitEach()), (Keys{"d", "c", "b", "a"}));
  });
}

TEST_F(DagPoolTest, ATimeoutOfTheWaiterLosesNothing) {
  Run([] {
    Pool pool;
    bool waited = true;
    Pool::Each each = *pool.WaitEach({"a"});
    {
      Timeout timeout(kSecond);
      EXPECT_TRUE(absl::IsDeadlineExceeded(pool.Wait("a", &waited).status()));
      EXPECT_TRUE(absl::IsDeadlineExceeded(each.Next().status()));
    }
    EXPECT_FALSE(waited);
    ASSERT_TRUE(pool.Post("a", 3).ok());
    EXPECT_EQ(*pool.Wait("a", &waited), 3);
    EXPECT_EQ(*(**each.Next()).value, 3);
    EXPECT_TRUE(waited);
  });
}

TEST_F(DagPoolTest, DroppingThePoolCancelsWhatRunsAndWakesWhoWaits) {
  Run([] {
    auto pool = std::make_unique<Pool>();
    absl::Status ran;
    ASSERT_TRUE(
        pool->Spawn("a", {},
                    [&ran](auto&) -> absl::StatusOr<int> { return ran = Sleep(absl::Hours(1)); })
            .ok());
    absl::Status waited;
    FiberHandle waiter = *Spawn("waiter", [&] { waited = pool->Wait("unknown").status(); });
    Yield();
    pool.reset();
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(waited));
    Yield();
    EXPECT_TRUE(absl::IsCancelled(ran));
  });
}

TEST_F(DagPoolTest, CloseWaitsForTheBodiesAlsoInACancelledFiber) {
  Run([] {
    Pool pool;
    bool ended = false;
    ASSERT_TRUE(pool.Spawn("a", {},
                           [&ended](auto&) -> absl::StatusOr<int> {
                             (void)Sleep(absl::Hours(1));
                             grove::Yield();
                             ended = true;
                             return 1;
                           })
                    .ok());
    Yield();
    FiberHandle closer = *Spawn("closer", [&] { EXPECT_TRUE(pool.Close().ok()); });
    Yield();
    closer.Cancel();
    EXPECT_TRUE(closer.Join().ok());
    EXPECT_TRUE(ended);
    EXPECT_TRUE(absl::IsCancelled(pool.Spawn("b", {}, Sum(1))));
    EXPECT_TRUE(absl::IsCancelled(pool.Post("b", 1)));
  });
}

class CrampedDagPoolTest : public HubTest {
 protected:
  CrampedDagPoolTest() : HubTest(HubOptions{.fibers_max = 2}) {}
};

TEST_F(CrampedDagPoolTest, WithoutRoomOnTheHubANodeWaitsForTheEndOfAnotherOrFails) {
  Run([] {
    Pool pool;
    ASSERT_TRUE(pool.Spawn("a", {}, Sum(1, kSecond)).ok());
    ASSERT_TRUE(pool.Spawn("b", {}, Sum(2)).ok());
    EXPECT_EQ(pool.waiting_keys(), Keys{"b"});
    EXPECT_EQ(*pool.Wait("a"), 1);
    // The end of "a" was the time to try; its own stack was not free yet.
    EXPECT_TRUE(absl::IsResourceExhausted(pool.Wait("b").status()));
    FiberHandle other = *Spawn("other", [] { (void)Sleep(kSecond); });
    ASSERT_TRUE(pool.Spawn("c", {}, Sum(3)).ok());
    EXPECT_TRUE(absl::IsResourceExhausted(pool.Wait("c").status()));
    EXPECT_TRUE(other.Join().ok());
  });
}

}  // namespace
}  // namespace grove

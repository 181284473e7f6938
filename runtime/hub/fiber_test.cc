#include "runtime/hub/fiber.h"

#include <gmock/gmock.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/group/fiber_group.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

using FiberTest = HubTest;

TEST_F(FiberTest, RunsNoEarlierThanTheSpawnerParks) {
  std::vector<int> order;
  Run([&] {
    auto child = *Spawn("child", [&] { order.push_back(2); });
    order.push_back(1);
    EXPECT_TRUE(child.Join().ok());
    order.push_back(3);
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(FiberTest, JoinDeliversTheStatusToManyAndAgain) {
  Run([] {
    auto child = *Spawn("child", [] { return absl::NotFoundError("nothing here"); });
    auto other =
        *Spawn("other", [child]() mutable { EXPECT_TRUE(absl::IsNotFound(child.Join())); });
    EXPECT_TRUE(absl::IsNotFound(child.Join()));
    EXPECT_TRUE(absl::IsNotFound(child.Join()));
    EXPECT_TRUE(other.Join().ok());
  });
}

TEST_F(FiberTest, JoinDeliversAnExceptionAsStatusOrAsThrown) {
  Run([] {
    auto child = *Spawn("thrower", []() -> absl::Status { throw std::runtime_error("oops"); });
    const absl::Status status = child.Join();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
    EXPECT_EQ(status.message(), "exception in fiber \"thrower\": oops");
    EXPECT_THROW((void)child.JoinOrThrow(), std::runtime_error);
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 0u);  // it has been heard
}

TEST_F(FiberTest, ABodyThatCannotBeCopiedIsNoFiberAndCostsNoStack) {
  struct Uncopied {
    Uncopied() = default;
    Uncopied(const Uncopied&) { throw std::runtime_error("no copy"); }
    void operator()() const {}
  };
  hub_ = *Hub::Create({.fibers_max = 2});
  RunOn(*hub_, [] {
    const Uncopied body;
    for (int i = 0; i < 3; ++i) EXPECT_THROW((void)Spawn("uncopied", body), std::runtime_error);
    EXPECT_TRUE(Spawn("child", [] {}).ok());
  });
}

TEST_F(FiberTest, CountsAnExceptionNobodyJoined) {
  testing::internal::CaptureStderr();
  Run([] {
    (void)Spawn("lonely", []() -> absl::Status { throw std::runtime_error("unheard"); });
    (void)Spawn("odd", []() -> absl::Status { throw 1; });
    Yield();
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 2u);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::ContainsRegex("exception in fiber \"lonely\": unheard; nobody joined it; "
                                     "spawned at .*fiber_test.cc:[0-9]+\n"
                                     ".*exception of unknown type in fiber \"odd\""));
}

TEST_F(FiberTest, CancelledBeforeItsStartNeverRuns) {
  bool ran = false;
  Run([&] {
    auto child = *Spawn("child", [&] { ran = true; });
    child.Cancel();
    EXPECT_TRUE(absl::IsCancelled(child.Join()));
  });
  EXPECT_FALSE(ran);
}

TEST_F(FiberTest, CancelEndsThisAndEveryLaterPark) {
  Run([] {
    auto child = *Spawn("child", []() -> absl::Status {
      EXPECT_TRUE(absl::IsCancelled(Sleep(absl::Hours(1))));
      EXPECT_TRUE(absl::IsCancelled(Sleep(absl::Hours(1))));
      return absl::OkStatus();
    });
    Yield();
    child.Cancel();
    EXPECT_TRUE(child.Join().ok());
  });
}

TEST_F(FiberTest, TheCancelledOneRunsBeforeACancellerThatYields) {
  std::vector<std::string> order;
  Run([&] {
    auto child = *Spawn("child", [&] {
      EXPECT_TRUE(absl::IsCancelled(Sleep(absl::Hours(1))));
      order.push_back("cancelled");
    });
    Yield();
    child.Cancel();
    order.push_back("goes on");
    Yield();
    order.push_back("yielded");
  });
  EXPECT_EQ(order, (std::vector<std::string>{"goes on", "cancelled", "yielded"}));
}

TEST_F(FiberTest, AFiberMayCancelItselfAndHearsOfItAtItsNextPark) {
  Run([] {
    auto child = *Spawn("child", []() -> absl::Status {
      Hub::Current()->running()->Cancel();
      return Sleep(absl::Hours(1));
    });
    EXPECT_TRUE(absl::IsCancelled(child.Join()));
  });
}

TEST_F(FiberTest, CancellingOneThatHasEndedChangesNothing) {
  Run([] {
    auto child = *Spawn("child", [] {});
    EXPECT_TRUE(child.Join().ok());
    child.Cancel();
    EXPECT_TRUE(child.Join().ok());
    EXPECT_FALSE(child->cancelled());
  });
}

TEST_F(FiberTest, AFiberThatOnlySleepsZeroHearsOfItsCancellation) {
  Run([] {
    auto child = *Spawn("child", []() -> absl::Status {
      absl::Status status;
      while (status.ok()) status = Sleep(absl::ZeroDuration());
      return status;
    });
    Yield();
    child.Cancel();
    EXPECT_TRUE(absl::IsCancelled(child.Join()));
  });
}

TEST_F(FiberTest, FibersLeftBehindByMainAreCancelled) {
  absl::Status left;
  Run([&] {
    (void)Spawn("left", [&] { left = Sleep(absl::Hours(1)); });
    Yield();
  });
  EXPECT_TRUE(absl::IsCancelled(left));
}

TEST_F(FiberTest, ParkingInACatchBlockDiesNamingTheFiber) {
  EXPECT_DEATH(Run([] {
                 auto child = *Spawn("catcher", [] {
                   try {
                     throw std::runtime_error("inner");
                   } catch (const std::exception&) {
                     Yield();
                   }
                 });
                 (void)child.Join();
               }),
               "in a catch block.*catcher.*fiber_test.cc");
}

TEST_F(FiberTest, ExceptionsOfTwoFibersDoNotMix) {
  Run([] {
    const auto body = [](const std::string& text) {
      for (int i = 0; i < 10; ++i) {
        try {
          Yield();
          throw std::runtime_error(text);
        } catch (const std::exception& error) {
          EXPECT_EQ(text, error.what());
        }
        EXPECT_EQ(std::uncaught_exceptions(), 0);
      }
    };
    auto a = *Spawn("a", [&] { body("a"); });
    auto b = *Spawn("b", [&] { body("b"); });
    EXPECT_TRUE(a.Join().ok());
    EXPECT_TRUE(b.Join().ok());
  });
}

TEST_F(FiberTest, ChildrenInheritTheLabelAndOutliveItsOwner) {
  Run([] {
    FiberHandle child;
    auto label = std::make_shared<const FiberLabel>(FiberLabel{"acme", "tasks/1"});
    auto parent = *Spawn({.name = "parent", .label = std::move(label)}, [&child] {
      child = *Spawn("child", [] { (void)Sleep(absl::Seconds(1)); });
    });
    EXPECT_TRUE(parent.Join().ok());
    parent = FiberHandle();
    EXPECT_EQ(child->label()->tenant, "acme");
    EXPECT_TRUE(child.Join().ok());
  });
}

class SmallHubTest : public HubTest {
 protected:
  SmallHubTest() : HubTest({.fibers_max = 3}) {}
};

TEST_F(SmallHubTest, SpawnFailsAtTheFiberLimitAndWorksAgainBelowIt) {
  Run([] {
    auto a = *Spawn("a", [] {});
    auto b = *Spawn("b", [] {});
    EXPECT_TRUE(absl::IsResourceExhausted(Spawn("c", [] {}).status()));
    EXPECT_TRUE(a.Join().ok());
    a = FiberHandle();
    EXPECT_TRUE(Spawn("c", [] {}).ok());
  });
}

TEST_F(FiberTest, AnIdIsNeverUsedAgainThoughAStackIs) {
  Run([] {
    auto first = *Spawn("first", [] {});
    const FiberId id = first->id();
    const char* const stack = first->stack().low;
    EXPECT_TRUE(first.Join().ok());
    first = FiberHandle();
    auto second = *Spawn("second", [] {});
    EXPECT_EQ(second->stack().low, stack);
    EXPECT_GT(second->id(), id);
    EXPECT_TRUE(second.Join().ok());
  });
}

TEST_F(FiberTest, VisitShowsEachLiveFiberOnceInSlices) {
  Run([this] {
    Event gate;
    for (int i = 0; i < 9; ++i) (void)Spawn("waiter", [&gate] { (void)gate.Wait(); });
    Yield();
    int seen = 0;
    int waiters = 0;
    size_t cursor = 0;
    do {
      cursor = hub_->VisitFibers(cursor, 4, [&](const Fiber& fiber) {
        ++seen;
        waiters += fiber.waiting_for().kind == WaitFor::Kind::kEvent;
      });
    } while (cursor != 0);
    EXPECT_EQ(seen, 10);
    EXPECT_EQ(waiters, 9);
    gate.Set();
    Yield();
  });
}

TEST_F(FiberTest, CallsItsLinksInOrderBeforeItsJoinersWake) {
  std::vector<std::string> order;
  Run([&] {
    auto child = *Spawn("child", [&] {
      order.push_back("body");
      return absl::NotFoundError("result");
    });
    for (const char* name : {"first", "second"}) {
      child.Link([&order, name](const Fiber& fiber, const absl::Status& result) {
        EXPECT_EQ(Hub::Current()->running(), &fiber);
        EXPECT_TRUE(absl::IsNotFound(result));
        order.push_back(name);
        Yield();
      });
    }
    (void)child.Join();
    order.push_back("joiner");
  });
  EXPECT_EQ(order, (std::vector<std::string>{"body", "first", "second", "joiner"}));
}

TEST_F(FiberTest, CallsALinkAtOnceIfItHasEnded) {
  Run([] {
    auto child = *Spawn("child", [] {});
    (void)child.Join();
    bool called = false;
    child.Link([&](const Fiber&, const absl::Status& result) { called = result.ok(); });
    EXPECT_TRUE(called);
  });
}

TEST_F(FiberTest, CallsTheLinksOfAFiberThatNeverStarted) {
  Run([] {
    auto child = *Spawn("child", [] {});
    absl::Status seen;
    child.Link([&](const Fiber&, const absl::Status& result) { seen = result; });
    child.Cancel();
    (void)child.Join();
    EXPECT_TRUE(absl::IsCancelled(seen));
  });
}

TEST_F(FiberTest, UnlinkForgetsThatLinkOnly) {
  int calls = 0;
  Run([&] {
    auto child = *Spawn("child", [] {});
    const auto count = [&](const Fiber&, const absl::Status&) { ++calls; };
    child.Link(count);
    const FiberLinkId second = child.Link(count);
    EXPECT_TRUE(child.Unlink(second));
    EXPECT_FALSE(child.Unlink(second));
    (void)child.Join();
    EXPECT_FALSE(child.Unlink(1));
  });
  EXPECT_EQ(calls, 1);
}

TEST_F(FiberTest, AnExceptionInALinkIsCountedAndStopsNoOther) {
  bool called = false;
  Run([&] {
    auto child = *Spawn("child", [] {});
    child.Link([](const Fiber&, const absl::Status&) { throw std::runtime_error("oops"); });
    child.Link([&](const Fiber&, const absl::Status&) { called = true; });
    EXPECT_TRUE(child.Join().ok());
  });
  EXPECT_TRUE(called);
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 1u);
}

TEST_F(FiberTest, RunTimeIsMeasuredWithALabelAndEstimatedWithout) {
  Run([&] {
    const auto work = [&] {
      for (int i = 0; i < 2560; ++i) {
        clock_.Advance(absl::Milliseconds(1));
        Yield();
      }
    };
    const auto label = std::make_shared<const FiberLabel>();
    auto labelled = *Spawn({.name = "labelled", .label = label}, work);
    (void)labelled.Join();
    EXPECT_EQ(labelled->run_time(), 2'560'000'000);
    auto sampled = *Spawn("sampled", work);
    (void)sampled.Join();
    EXPECT_GE(sampled->run_time(), 2'304'000'000);  // 10 or 11 samples of 251 runs
    EXPECT_LE(sampled->run_time(), 2'816'000'000);
  });
}

TEST_F(FiberTest, TheHighWaterMarkCoversTheDeepestFrame) {
  Run([] {
    auto shallow = *Spawn("shallow", [] {});
    (void)shallow.Join();
    EXPECT_LE(shallow->StackHighWaterBytes(), 16u * 1024);
    auto deep = *Spawn("deep", [] {
      volatile char frame[40 * 1024];
      for (size_t i = 0; i < sizeof(frame); i += 512) frame[i] = 1;
    });
    (void)deep.Join();
    EXPECT_GT(deep->StackHighWaterBytes(), 40u * 1024);
    EXPECT_LE(deep->StackHighWaterBytes(), deep->stack_bytes() + 4096);
  });
}

TEST_F(FiberTest, MembersOfPoolsAndGroupsNameThem) {
  Run([] {
    FiberPool pool(2, "crawlers");
    FiberGroup group(FiberGroup::OnFailure::kLetRestRun, "pages");
    EXPECT_EQ((*pool.Spawn({.name = "a"}, [] {}))->group(), "crawlers");
    EXPECT_EQ((*group.Spawn("b", [] {}))->group(), "pages");
    EXPECT_EQ((*group.Spawn({.name = "c", .group = "own"}, [] {}))->group(), "own");
    EXPECT_TRUE(group.Join().ok());
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

}  // namespace
}  // namespace grove

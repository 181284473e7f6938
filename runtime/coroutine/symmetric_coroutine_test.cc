#include "runtime/coroutine/symmetric_coroutine.h"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using SymmetricCoroutineTest = HubTest;
using Coro = SymmetricCoroutine<int>;

TEST_F(SymmetricCoroutineTest, PassesControlAndValuesAmongSeveralByName) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    std::vector<int> seen;
    Coro b = Coro::Make({}, root, [&](int in, Coro& self) {
      seen.push_back(in);
      return self.SwitchTo(root, in + 1);
    });
    Coro a = Coro::Make({}, root, [&](int in, Coro& self) {
      seen.push_back(in);
      return self.SwitchTo(b, in + 1);
    });
    EXPECT_FALSE(a.active());
    EXPECT_EQ(*root.SwitchTo(a, 1), 3);
    EXPECT_EQ(seen, (std::vector<int>{1, 2}));
    EXPECT_TRUE(a.active());
    EXPECT_EQ(*root.SwitchTo(a, 40), 40);  // a returns it to its parent
    EXPECT_TRUE(a.ended());
    EXPECT_EQ(*root.SwitchTo(root, 5), 5);
  });
}

TEST_F(SymmetricCoroutineTest, TheResultGoesToTheParentWhoeverSwitchedToIt) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    Coro child = Coro::Make({}, root, [](int in, Coro&) { return 2 * in; });
    bool returned = false;
    Coro sibling = Coro::Make({}, root, [&](int in, Coro& self) {
      absl::StatusOr<int> answer = self.SwitchTo(child, in);
      returned = answer.ok();
      return answer;
    });
    EXPECT_EQ(*root.SwitchTo(sibling, 4), 8);
    EXPECT_FALSE(returned);
    EXPECT_TRUE(sibling.active());
  });
}

TEST_F(SymmetricCoroutineTest, AFailureAndAnExceptionGoToTheParent) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    Coro fails = Coro::Make(
        {}, root, [](int, Coro&) -> absl::StatusOr<int> { return absl::NotFoundError("no"); });
    EXPECT_EQ(root.SwitchTo(fails, 1).status(), absl::NotFoundError("no"));
    Coro throws = Coro::Make(
        {}, root, [](int, Coro&) -> absl::StatusOr<int> { throw std::runtime_error("broken"); });
    EXPECT_THROW((void)root.SwitchTo(throws, 1), std::runtime_error);
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 0u);
}

TEST_F(SymmetricCoroutineTest, AnEndedTargetStandsForItsNearestLiveParent) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    Coro parent = Coro::Make({}, root, [](int in, Coro&) { return in; });
    Coro child = Coro::Make({}, parent, [](int in, Coro&) { return in; });
    EXPECT_EQ(*root.SwitchTo(child, 7), 7);  // through parent, which it starts, to root
    EXPECT_TRUE(parent.ended());
    EXPECT_EQ(*root.SwitchTo(child, 8), 8);
  });
}

TEST_F(SymmetricCoroutineTest, WhatIsThrownIntoOneComesFromItsSwitch) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    std::string seen;
    Coro target = Coro::Make({}, root, [&](int in, Coro& self) -> absl::StatusOr<int> {
      seen = self.SwitchTo(root, in).status().ToString();
      try {
        (void)self.SwitchTo(root, 2);
      } catch (const std::runtime_error& error) {
        seen += std::string(", ") + error.what();
      }
      return 3;
    });
    EXPECT_EQ(*root.SwitchTo(target, 1), 1);
    EXPECT_EQ(*root.ThrowInto(target, absl::AbortedError("stop")), 2);
    EXPECT_EQ(*root.ThrowInto(target, std::make_exception_ptr(std::runtime_error("now"))), 3);
    EXPECT_EQ(seen, "ABORTED: stop, now");
  });
}

TEST_F(SymmetricCoroutineTest, ThrownIntoOneThatNeverStartedOrHasEndedItGoesToTheParent) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    bool ran = false;
    Coro target = Coro::Make({}, root, [&ran](int in, Coro&) {
      ran = true;
      return in;
    });
    EXPECT_TRUE(absl::IsAborted(root.ThrowInto(target, absl::AbortedError("stop")).status()));
    EXPECT_TRUE(target.ended());
    EXPECT_THROW((void)root.ThrowInto(target, std::make_exception_ptr(std::runtime_error("now"))),
                 std::runtime_error);
    EXPECT_FALSE(ran);
  });
}

TEST_F(SymmetricCoroutineTest, TheParentCanBeSetButNotInACycle) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    bool passed = false;
    Coro a = Coro::Make({}, root, [](int in, Coro&) { return in; });
    Coro b = Coro::Make({}, a, [&passed](int in, Coro&) {
      passed = true;
      return in + 1;
    });
    EXPECT_TRUE(absl::IsInvalidArgument(a.SetParent(b)));
    EXPECT_TRUE(absl::IsInvalidArgument(a.SetParent(a)));
    EXPECT_TRUE(absl::IsFailedPrecondition(root.SetParent(a)));
    EXPECT_TRUE(b.SetParent(root).ok());
    EXPECT_TRUE(a.SetParent(b).ok());
    EXPECT_TRUE(b.IsParentOf(a));
    EXPECT_EQ(*root.SwitchTo(a, 1), 2);
    EXPECT_TRUE(passed);
  });
}

TEST_F(SymmetricCoroutineTest, AnyFiberCanBeTheRootOfSomeOfItsOwn) {
  int ended = 0;
  Run([&ended] {
    FiberHandle fibers[2];
    for (FiberHandle& fiber : fibers) {
      fiber = *Spawn("root", [&ended] {
        Coro root = Coro::OfThisFiber();
        Coro child = Coro::Make({}, root, [&root](int in, Coro& self) {
          Yield();  // the other fiber's turn
          return self.SwitchTo(root, in + 1);
        });
        EXPECT_EQ(*root.SwitchTo(child, 1), 2);
        EXPECT_EQ(*root.SwitchTo(child, 7), 7);
        ++ended;
      });
    }
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
  });
  EXPECT_EQ(ended, 2);
}

TEST_F(SymmetricCoroutineTest, DroppingTheLastHandleCancelsASuspendedOne) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    absl::Status seen;
    {
      Coro dropped = Coro::Make({}, root, [&](int in, Coro& self) {
        absl::StatusOr<int> next = self.SwitchTo(root, in);
        seen = next.status();
        return next;
      });
      const std::vector<Coro> copies(2, dropped);
      EXPECT_EQ(*root.SwitchTo(dropped, 1), 1);
    }
    EXPECT_TRUE(absl::IsCancelled(root.Await().status()));  // its result, as of any
    EXPECT_TRUE(absl::IsCancelled(seen));
  });
}

TEST_F(SymmetricCoroutineTest, OnlyTheOneThatRunsSwitchesAway) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    Coro idle = Coro::Make({}, root, [](int in, Coro&) { return in; });
    EXPECT_TRUE(absl::IsFailedPrecondition(idle.SwitchTo(root, 1).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(idle.Await().status()));
    FiberHandle other = *Spawn(
        "other", [&] { EXPECT_TRUE(absl::IsFailedPrecondition(root.SwitchTo(idle, 1).status())); });
    EXPECT_TRUE(other.Join().ok());
    EXPECT_FALSE(idle.active());
  });
}

TEST_F(SymmetricCoroutineTest, AnotherHubsIsRefused) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    std::thread([&root] {
      FakeClock clock;
      auto hub = *Hub::Create({.clock = &clock, .poller = std::make_unique<FakePoller>(clock)});
      RunOn(*hub, [&root] {
        Coro here = Coro::OfThisFiber();
        EXPECT_TRUE(absl::IsFailedPrecondition(here.SwitchTo(root, 1).status()));
        EXPECT_TRUE(absl::IsFailedPrecondition(root.SwitchTo(here, 1).status()));
      });
    }).join();
  });
}

TEST_F(SymmetricCoroutineTest, ATimeoutOfAWaitLosesNoValue) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    Coro slow = Coro::Make({}, root, [](int in, Coro&) -> absl::StatusOr<int> {
      (void)Sleep(absl::Seconds(2));
      return in;
    });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(root.SwitchTo(slow, 6).status()));
    }
    EXPECT_EQ(*root.Await(), 6);
  });
}

TEST_F(SymmetricCoroutineTest, ALongChainOfParentsEndsOnASmallStack) {
  Run([] {
    Coro root = Coro::OfThisFiber();
    Coro last = root;
    for (int i = 0; i < 100'000; ++i) {
      last = Coro::Make({}, last, [](int in, Coro&) { return in; });
    }
    EXPECT_FALSE(last.active());
  });
}

TEST_F(SymmetricCoroutineTest, OneThatIsNoneYetCanBeNeitherSwitchedToNorFrom) {
  Run([] {
    SymmetricCoroutine<int> none;
    auto root = SymmetricCoroutine<int>::OfThisFiber();
    EXPECT_TRUE(absl::IsFailedPrecondition(root.SwitchTo(none, 1).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(none.SwitchTo(root, 1).status()));
    none = SymmetricCoroutine<int>::Make({}, root, [](int n, auto&) { return n + 1; });
    EXPECT_EQ(*root.SwitchTo(none, 1), 2);
  });
}

}  // namespace
}  // namespace grove

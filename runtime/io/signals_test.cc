#include "runtime/io/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <utility>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using SignalSetTest = HubTest;

bool Blocked(int number) {
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, number) == 1;
}

TEST_F(SignalSetTest, WakesItsFiberWithTheSignalAndItsSender) {
  Run([] {
    SignalSet signals = *SignalSet::Create({SIGUSR1, SIGTERM});
    auto waiter = *Spawn("waiter", [&] {
      const SignalReceived first = *signals.Await();
      EXPECT_EQ(first.number, SIGTERM);
      EXPECT_EQ(first.pid, getpid());
      EXPECT_EQ(signals.Await()->number, SIGUSR1);
    });
    Yield();
    EXPECT_EQ(waiter->waiting_for().kind, WaitFor::Kind::kSignal);
    kill(getpid(), SIGTERM);
    (void)Sleep(absl::Seconds(1));
    kill(getpid(), SIGUSR1);
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(SignalSetTest, KeepsWhatCameBeforeAnybodyWaited) {
  Run([] {
    SignalSet signals = *SignalSet::Create({SIGUSR1, SIGUSR2});
    raise(SIGUSR1);
    raise(SIGUSR2);
    EXPECT_EQ(signals.Await()->number, SIGUSR1);
    EXPECT_EQ(signals.Await()->number, SIGUSR2);
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(signals.Await().status()));
  });
}

TEST_F(SignalSetTest, RestoresTheMaskOnceWhenItDies) {
  Run([] {
    SignalSet outer = *SignalSet::Create({SIGUSR1});
    {
      SignalSet inner = *SignalSet::Create({SIGUSR1, SIGUSR2});
      SignalSet moved = std::move(inner);
      EXPECT_TRUE(Blocked(SIGUSR2));
    }
    EXPECT_FALSE(Blocked(SIGUSR2));
    EXPECT_TRUE(Blocked(SIGUSR1));
  });
  EXPECT_FALSE(Blocked(SIGUSR1));
}

TEST_F(SignalSetTest, RefusesWhatCantBeWaitedFor) {
  Run([] {
    EXPECT_TRUE(absl::IsInvalidArgument(SignalSet::Create({SIGKILL}).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(SignalSet::Create({1000}).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(SignalSet::Create({}).status()));
  });
}

}  // namespace
}  // namespace grove

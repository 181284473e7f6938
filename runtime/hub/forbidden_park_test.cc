// Places in which a fiber must not park, and dies if it does.
#include <csignal>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/signal_handler_scope.h"
#include "runtime/hub/thread_mutex.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

class ForbiddenParkTest : public HubTest {
 protected:
  template <typename F>
  void InFiber(F&& body) {
    Run([&body] {
      auto culprit = *Spawn("culprit", [&body] { body(); });
      (void)culprit.Join();
    });
  }
};

struct ParksWhenItDies {
  ~ParksWhenItDies() { Yield(); }
};

TEST_F(ForbiddenParkTest, InADestructorThatUnwindingRuns) {
  EXPECT_DEATH(InFiber([] {
                 try {
                   ParksWhenItDies guard;
                   throw std::runtime_error("thrown");
                 } catch (const std::exception&) {
                 }
               }),
               "while unwinding.*culprit.*forbidden_park_test.cc");
}

TEST_F(ForbiddenParkTest, ADestructorOutsideOfUnwindingMayPark) {
  InFiber([] {
    try {
      throw std::runtime_error("thrown");
    } catch (const std::exception&) {
    }
    ParksWhenItDies guard;
  });
}

TEST_F(ForbiddenParkTest, AHubThatIsRunInACatchBlockLetsItsFibersPark) {
  try {
    throw std::runtime_error("before the hub");
  } catch (const std::exception&) {
    int uncaught = -1;
    InFiber([&uncaught] {
      Yield();
      EXPECT_EQ(std::current_exception(), nullptr);
      uncaught = std::uncaught_exceptions();
    });
    EXPECT_EQ(uncaught, 0);
    EXPECT_THROW(throw, std::runtime_error);
  }
}

TEST_F(ForbiddenParkTest, WithAThreadsLockHeldHoweverItParks) {
  const auto with_lock = [this](auto park) {
    InFiber([&park] {
      ThreadMutex mutex;
      const std::lock_guard lock(mutex);
      park();
    });
  };
  EXPECT_DEATH(with_lock([] { Yield(); }), "ThreadMutex held.*culprit");
  EXPECT_DEATH(with_lock([] { (void)Sleep(absl::Seconds(1)); }), "ThreadMutex held.*culprit");
  EXPECT_DEATH(with_lock([] { Hub::Current()->ParkShielded({}); }), "ThreadMutex held.*culprit");
}

TEST_F(ForbiddenParkTest, NotOnceTheLockIsGivenBack) {
  InFiber([] {
    ThreadMutex mutex;
    { const std::lock_guard lock(mutex); }
    Yield();
  });
}

TEST_F(ForbiddenParkTest, ALockThatAnotherThreadHoldsForbidsNothing) {
  InFiber([] {
    ThreadMutex mutex;
    std::promise<void> locked;
    std::promise<void> enough;
    std::thread other([&] {
      const std::lock_guard lock(mutex);
      locked.set_value();
      enough.get_future().wait();
    });
    locked.get_future().wait();
    EXPECT_FALSE(mutex.try_lock());
    Yield();
    enough.set_value();
    other.join();
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
    Yield();
  });
}

void HandleWith(void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
}

TEST_F(ForbiddenParkTest, InASignalHandlerThatSaysSo) {
  EXPECT_DEATH(InFiber([] {
                 HandleWith(
                     [](int) {
                       const SignalHandlerScope scope;
                       Yield();
                     },
                     0);
               }),
               "in a signal handler.*culprit");
}

TEST_F(ForbiddenParkTest, InASignalHandlerOnTheAlternateStack) {
  EXPECT_DEATH(InFiber([] {
                 constexpr size_t kBytes = 65'536;
                 static const auto memory = std::make_unique<char[]>(kBytes);
                 stack_t stack{};
                 stack.ss_sp = memory.get();
                 stack.ss_size = kBytes;
                 sigaltstack(&stack, nullptr);
                 HandleWith([](int) { Yield(); }, SA_ONSTACK);
               }),
               "in a signal handler.*culprit");
}

TEST_F(ForbiddenParkTest, AHandlerThatHasReturnedForbidsNothing) {
  InFiber([] {
    HandleWith([](int) { const SignalHandlerScope scope; }, 0);
    Yield();
  });
}

}  // namespace
}  // namespace grove

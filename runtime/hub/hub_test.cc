#include "runtime/hub/hub.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

TEST_F(HubTest, RunReturnsTheMainFibersStatus) {
  EXPECT_TRUE(RunForStatus([] {}).ok());
  EXPECT_TRUE(absl::IsAborted(RunForStatus([] { return absl::AbortedError("no"); })));
  EXPECT_THROW((void)RunForStatus([]() -> absl::Status { throw std::runtime_error("x"); }),
               std::runtime_error);
}

TEST_F(HubTest, CurrentIsTheHubThatRunsOnThisThreadAndRunningItsFiber) {
  EXPECT_EQ(Hub::Current(), nullptr);
  Run([this] {
    EXPECT_EQ(Hub::Current(), hub_.get());
    std::thread([] { EXPECT_EQ(Hub::Current(), nullptr); }).join();
    Fiber* const main = hub_->running();
    auto other = *Spawn("other", [this] { EXPECT_EQ(hub_->running()->name(), "other"); });
    EXPECT_TRUE(other.Join().ok());
    EXPECT_EQ(hub_->running(), main);
  });
  EXPECT_EQ(Hub::Current(), nullptr);
}

TEST_F(HubTest, SleepEndsAtItsDeadlineNotBefore) {
  Run([this] {
    const MonotonicNanos start = hub_->now();
    EXPECT_TRUE(Sleep(absl::Milliseconds(1500)).ok());
    EXPECT_EQ(hub_->now() - start, 1'500'000'000);
  });
}

TEST_F(HubTest, EqualDeadlinesFireInOrderOfArming) {
  std::vector<int> order;
  Run([&] {
    for (int i = 0; i < 5; ++i) {
      (void)Spawn("sleeper", [&order, i] {
        (void)Sleep(absl::Seconds(1));
        order.push_back(i);
      });
    }
    (void)Sleep(absl::Seconds(2));
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(HubTest, TimersFireWhileFibersKeepYielding) {
  Run([this] {
    bool stop = false;
    auto busy = *Spawn("busy", [&] {
      while (!stop) {
        clock_.Advance(absl::Milliseconds(1));
        Yield();
      }
    });
    EXPECT_TRUE(Sleep(absl::Milliseconds(100)).ok());
    stop = true;
    EXPECT_TRUE(busy.Join().ok());
  });
}

TEST_F(HubTest, PostRunsOnTheHubFromAnotherThread) {
  Run([this] {
    Event posted;
    std::thread other([&] { hub_->Post([&] { posted.Set(); }); });
    EXPECT_TRUE(posted.Wait().ok());
    other.join();
  });
}

TEST_F(HubTest, APostedCallDropsAHandleOnTheHubsThread) {
  struct Held {
    FiberHandle fiber;
    std::thread::id* dropped_on;
    ~Held() { *dropped_on = std::this_thread::get_id(); }
  };
  Run([this] {
    std::thread::id dropped_on;
    Event dropped;
    std::unique_ptr<Held> held(new Held{*Spawn("held", [] {}), &dropped_on});
    std::thread([&, held = std::move(held)]() mutable {
      hub_->Post([&dropped, held = std::move(held)]() mutable {
        held = nullptr;
        dropped.Set();
      });
    }).join();
    EXPECT_TRUE(dropped.Wait().ok());
    EXPECT_EQ(dropped_on, std::this_thread::get_id());
  });
}

TEST_F(HubTest, APostedCallThatThrowsIsCountedAndTheOthersRun) {
  testing::internal::CaptureStderr();
  Run([this] {
    Event posted;
    hub_->Post([] { throw std::runtime_error("broken"); });
    hub_->Post([] { throw 1; });
    hub_->Post([&] { posted.Set(); });
    EXPECT_TRUE(posted.Wait().ok());
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 2u);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("exception in a posted call: broken"));
}

TEST_F(HubTest, ParkingOutsideAFiberDies) {
  for (const absl::Duration duration : {absl::ZeroDuration(), absl::Seconds(1)}) {
    EXPECT_DEATH(Run([this, duration] {
                   hub_->Post([duration] { (void)Sleep(duration); });
                   (void)Sleep(absl::Seconds(1));
                 }),
                 "slept outside a fiber");
    EXPECT_DEATH((void)Sleep(duration), "slept outside a fiber");  // no hub at all
  }
  EXPECT_DEATH(Yield(), "yielded outside a fiber");
}

TEST_F(HubTest, SpawningOnAThreadWithoutAHubDies) {
  EXPECT_DEATH((void)Spawn("stray", [] {}), "runs no hub");
}

TEST_F(HubTest, CountsItsTurnsAndHowLateItsTimersAre) {
  Run([this] {
    const HubStats before = hub_->Stats();
    EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
    auto sleeper = *Spawn("sleeper", [] { EXPECT_TRUE(Sleep(absl::Seconds(1)).ok()); });
    Yield();
    EXPECT_EQ(hub_->Stats().timers_armed, 1u);
    clock_.Advance(absl::Seconds(1.02));  // a fiber that computes
    // Until the next turn, which has no time to wait.
    while (!sleeper.ended()) Yield();
    const HubStats after = hub_->Stats();
    EXPECT_EQ(after.timers_fired - before.timers_fired, 2u);
    EXPECT_EQ(after.lag_counts[0] - before.lag_counts[0], 1u);  // at its moment
    EXPECT_EQ(after.lag_counts[5] - before.lag_counts[5], 1u);  // 10 to 50 ms late
    EXPECT_NEAR(after.lag_seconds_sum - before.lag_seconds_sum, 0.02, 1e-9);
    EXPECT_GE(after.turns - before.turns, 2u);
    EXPECT_GE(after.polls - before.polls, 2u);
    EXPECT_EQ(after.spawned - before.spawned, 1u);
    EXPECT_GT(after.switches, before.switches);
  });
}

TEST_F(HubTest, TimeoutBoundsEveryParkInItsScope) {
  Run([] {
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(2))));
      EXPECT_TRUE(timeout.fired());
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(2))));
    }
    EXPECT_TRUE(Sleep(absl::Seconds(2)).ok());
  });
}

TEST_F(HubTest, NestedTimeoutsKnowWhichOneFired) {
  Run([] {
    Timeout outer(absl::Seconds(5));
    {
      Timeout inner(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(10))));
      EXPECT_TRUE(inner.fired());
      EXPECT_FALSE(outer.fired());
    }
    {
      Timeout inner(absl::Seconds(60));
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(10))));
      EXPECT_FALSE(inner.fired());
      EXPECT_TRUE(outer.fired());
    }
    EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(1))));
  });
}

TEST_F(HubTest, AnEventServedInTheTurnOfATimeoutCounts) {
  Run([] {
    Event event;
    // Its timer is the older one, so it runs before the waiter, whose time-out has fired by then.
    auto setter = *Spawn("setter", [&] {
      (void)Sleep(absl::Seconds(1));
      event.Set();
    });
    auto waiter = *Spawn("waiter", [&] {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(event.Wait().ok());
      EXPECT_TRUE(timeout.fired());
    });
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_TRUE(setter.Join().ok());
  });
}

TEST_F(HubTest, AbortEndsEveryFiberAndRun) {
  int cancelled = 0;
  const auto wait = [&] {
    Event never;
    if (absl::IsCancelled(never.Wait())) ++cancelled;
  };
  Run([&] {
    (void)Spawn("waiter", wait);
    (void)Spawn("aborter", [this] { hub_->Abort(); });
    wait();
  });
  EXPECT_EQ(cancelled, 2);
}

// Tells of each wait before it begins.
class TellingPoller final : public Poller {
 public:
  explicit TellingPoller(std::function<void(MonotonicNanos deadline)> told)
      : told_(std::move(told)) {}

  absl::Status Add(int fd, uint64_t token, Mode mode) override {
    return kernel_->Add(fd, token, mode);
  }
  void Remove(int fd) override { kernel_->Remove(fd); }
  void RemoveClosing(int fd) override { kernel_->RemoveClosing(fd); }
  void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>& events) override {
    told_(deadline);
    kernel_->Wait(now, deadline, events);
  }

 private:
  const std::unique_ptr<Poller> kernel_ = *Poller::Epoll();
  const std::function<void(MonotonicNanos deadline)> told_;
};

TEST(Hub, AnIdleOneWaitsWithoutEndUntilItIsCalled) {
  std::unique_ptr<Hub> hub;
  Event called;
  std::vector<MonotonicNanos> waits;
  hub = *Hub::Create({.poller = std::make_unique<TellingPoller>([&](MonotonicNanos deadline) {
                        if (deadline == 0) return;
                        waits.push_back(deadline);
                        hub->Post([&] { called.Set(); });
                      })});
  RunOn(*hub, [&] { EXPECT_TRUE(called.Wait().ok()); });
  EXPECT_EQ(waits, std::vector<MonotonicNanos>{kNever});
}

size_t OpenEpollDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the one that reads the directory
    count += std::filesystem::read_symlink(entry, gone) == "anon_inode:[eventpoll]";
  }
  return count;
}

TEST(Hub, TakesThePollerThatTheEnvironmentNames) {
  const size_t before = OpenEpollDescriptors();
  setenv("GROVE_HUB", "poll", 1);
  const auto polls = Hub::Create();
  EXPECT_TRUE(polls.ok());
  EXPECT_EQ(OpenEpollDescriptors(), before);
  setenv("GROVE_HUB", "epoll", 1);
  const auto epolls = Hub::Create();
  EXPECT_TRUE(epolls.ok());
  EXPECT_EQ(OpenEpollDescriptors(), before + 1);
  setenv("GROVE_HUB", "", 1);
  EXPECT_TRUE(absl::IsInvalidArgument(Hub::Create().status()));
  setenv("GROVE_HUB", "kqueue", 1);
  const absl::Status unknown = Hub::Create().status();
  unsetenv("GROVE_HUB");
  EXPECT_TRUE(absl::IsInvalidArgument(unknown));
  EXPECT_THAT(std::string(unknown.message()), testing::HasSubstr("GROVE_HUB"));
}

// Runs `body` in a child forked from a fiber that holds one end of a pair; its exit code.
int ExitCodeOfForkedChild(absl::FunctionRef<void()> body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(99);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(HubTest, AForkedChildMayRunAHubOfItsOwn) {
  Run([] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Socket left = *Socket::Adopt(ends[0]);
    Socket right = *Socket::Adopt(ends[1]);
    const int code = ExitCodeOfForkedChild([&] {
      if (Hub::Current() != nullptr) _exit(1);
      left.Close();  // of the child's copy: the parent's registration stands
      right.Close();
      auto hub = Hub::Create();
      int slept = 1;
      if (!hub.ok() ||
          !(*hub)->Run([&] { slept = Sleep(absl::Nanoseconds(1)).ok() ? 0 : 2; }).ok()) {
        _exit(3);
      }
      _exit(slept);
    });
    EXPECT_EQ(code, 0);
    auto reader = *Spawn("reader", [&] {
      char byte;
      EXPECT_EQ(*right.Read({&byte, 1}), 1u);
    });
    Yield();
    EXPECT_TRUE(left.Write("x").ok());
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(HubTest, AForkedChildThatParksOnItsParentsHubDies) {
  Run([] {
    EXPECT_EQ(ExitCodeOfForkedChild([hub = Hub::Current()] {
                fclose(stderr);
                hub->Yield();
              }),
              128 + SIGABRT);
  });
}

TEST_F(HubTest, IoIsServedWhileFibersKeepSleepingZero) {
  Run([] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Socket left = *Socket::Adopt(ends[0]);
    Socket right = *Socket::Adopt(ends[1]);
    bool read = false;
    auto reader = *Spawn("reader", [&] {
      char byte;
      EXPECT_EQ(*right.Read({&byte, 1}), 1u);
      read = true;
    });
    Yield();
    EXPECT_TRUE(left.Write("x").ok());
    int sleeps = 0;
    for (; !read && sleeps < 10'000; ++sleeps) EXPECT_TRUE(Sleep(absl::ZeroDuration()).ok());
    EXPECT_LT(sleeps, 2 * HubOptions().resumes_per_turn);
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(HubTest, TellsWhoWaitsForWhichDescriptor) {
  Run([this] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Socket left = *Socket::Adopt(ends[0]);
    Socket right = *Socket::Adopt(ends[1]);
    auto reader = *Spawn("reader", [&] {
      char byte;
      EXPECT_TRUE(absl::IsAborted(right.Read({&byte, 1}).status()));
    });
    Yield();
    int seen = 0;
    hub_->descriptors().Visit([&](int fd, const Fiber* reads, const Fiber* writes) {
      ++seen;
      EXPECT_EQ(reads, fd == right.fd() ? reader.get() : nullptr);
      EXPECT_EQ(writes, nullptr);
    });
    EXPECT_EQ(seen, 2);
    right.Close();
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(HubTest, RunningOneInsideAnotherDies) {
  EXPECT_DEATH(Run([] { (void)(*Hub::Create())->Run([] {}); }), "runs a hub already");
}

}  // namespace
}  // namespace grove

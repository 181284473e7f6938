#include "runtime/offload/offload.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/synchronization/notification.h"
#include "runtime/group/resource_pool.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using OffloadTest = HubTest;

TEST_F(OffloadTest, RunsOnAnotherThreadAndDeliversExceptions) {
  Run([] {
    OffloadPool pool({.threads = 2});
    const std::thread::id here = std::this_thread::get_id();
    std::thread::id there = here;
    EXPECT_TRUE(pool.Run([&] { there = std::this_thread::get_id(); }).ok());
    EXPECT_NE(there, here);
    EXPECT_THROW((void)pool.Run([] { throw std::runtime_error("from the thread"); }),
                 std::runtime_error);
  });
}

TEST_F(OffloadTest, AResourcePoolMakesAndUsesItsResourcesOnAThread) {
  Run([] {
    OffloadPool threads({.threads = 1});
    ResourcePool<std::thread::id>::Options options;
    options.max = 1;
    options.create = [&]() -> absl::StatusOr<std::thread::id> {
      std::thread::id made_on;
      absl::Status ran = threads.Run([&] { made_on = std::this_thread::get_id(); });
      if (!ran.ok()) return ran;
      return made_on;
    };
    ResourcePool<std::thread::id> pool(std::move(options));
    auto lease = *pool.Take();
    EXPECT_NE(*lease, std::this_thread::get_id());
    EXPECT_TRUE(threads.Run([&] { EXPECT_EQ(*lease, std::this_thread::get_id()); }).ok());
    EXPECT_EQ(threads.stats().completed, 2u);
  });
}

TEST_F(OffloadTest, ACancelledCallIsDroppedWhileQueuedAndWaitedForWhileRunning) {
  Run([] {
    OffloadPool pool({.threads = 1});
    absl::Notification started;
    absl::Notification release;
    std::atomic<bool> second_ran = false;
    bool first_done = false;
    auto first = *Spawn("first", [&] {
      EXPECT_TRUE(pool.Run([&] {
                        started.Notify();
                        release.WaitForNotification();
                      })
                      .ok());
      first_done = true;
    });
    auto second = *Spawn(
        "second", [&] { EXPECT_TRUE(absl::IsCancelled(pool.Run([&] { second_ran = true; }))); });
    Yield();
    started.WaitForNotification();
    second.Cancel();
    first.Cancel();
    EXPECT_TRUE(second.Join().ok());
    Yield();
    EXPECT_FALSE(first_done);
    release.Notify();
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(first_done);
    EXPECT_FALSE(second_ran);
  });
}

// One call holds the one thread until `release`.
class BusyPool {
 public:
  explicit BusyPool(size_t queue_max) : pool({.threads = 1, .queue_max = queue_max}) {
    holder = *Spawn("holder", [this] {
      EXPECT_TRUE(pool.Run([this] {
                        started_.Notify();
                        release.WaitForNotification();
                      })
                      .ok());
    });
    Yield();
    started_.WaitForNotification();
  }

  OffloadPool pool;
  FiberHandle holder;
  absl::Notification release;

 private:
  absl::Notification started_;
};

TEST_F(OffloadTest, BeyondItsQueueItRefusesAndCountsWhatItHas) {
  Run([] {
    BusyPool busy(1);
    auto queued = *Spawn("queued", [&] { EXPECT_TRUE(busy.pool.Run([] {}).ok()); });
    Yield();
    EXPECT_EQ(busy.pool.running(), 1);
    EXPECT_EQ(busy.pool.queued(), 1u);
    EXPECT_TRUE(absl::IsResourceExhausted(busy.pool.Run([] { ADD_FAILURE(); })));
    busy.release.Notify();
    EXPECT_TRUE(queued.Join().ok());
    EXPECT_TRUE(busy.holder.Join().ok());
    const OffloadPool::Stats stats = busy.pool.stats();
    EXPECT_EQ(stats.rejected, 1u);
    EXPECT_EQ(stats.completed, 2u);
    EXPECT_EQ(stats.threads, 1);
    EXPECT_GT(stats.queue_seconds, 0);
    EXPECT_GT(stats.run_seconds, 0);
  });
}

TEST_F(OffloadTest, StopWaitsForTheRunningCallAndDropsTheQueuedOne) {
  Run([] {
    BusyPool busy(10);
    auto queued = *Spawn(
        "queued", [&] { EXPECT_TRUE(absl::IsCancelled(busy.pool.Run([] { ADD_FAILURE(); }))); });
    Yield();
    std::thread stopper([&] { busy.pool.Stop(); });
    EXPECT_TRUE(queued.Join().ok());
    busy.release.Notify();
    EXPECT_TRUE(busy.holder.Join().ok());
    stopper.join();
    EXPECT_EQ(busy.pool.stats().dropped, 1u);
    EXPECT_TRUE(absl::IsCancelled(busy.pool.Run([] { ADD_FAILURE(); })));
  });
}

TEST_F(OffloadTest, ACallThatIsTimedOutWhileQueuedNeverRuns) {
  Run([] {
    BusyPool busy(10);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(busy.pool.Run([] { ADD_FAILURE(); })));
    }
    EXPECT_EQ(busy.pool.queued(), 0u);
    EXPECT_EQ(busy.pool.stats().dropped, 1u);
    busy.release.Notify();
    EXPECT_TRUE(busy.holder.Join().ok());
  });
}

TEST_F(OffloadTest, ACallThatNoThreadBeginsInTimeIsRefusedAndARunningOneIsNot) {
  Run([] {
    OffloadPool pool({.threads = 1, .queue_time_max = absl::Seconds(1)});
    absl::Notification started;
    absl::Notification release;
    auto running = *Spawn("running", [&] {
      EXPECT_TRUE(pool.Run([&] {
                        started.Notify();
                        release.WaitForNotification();
                      })
                      .ok());
    });
    Yield();
    started.WaitForNotification();
    EXPECT_TRUE(absl::IsResourceExhausted(pool.Run([] { ADD_FAILURE(); })));
    {
      Timeout own(absl::Milliseconds(1));  // the caller's own ends it as ever
      EXPECT_TRUE(absl::IsDeadlineExceeded(pool.Run([] { ADD_FAILURE(); })));
    }
    release.Notify();
    EXPECT_TRUE(running.Join().ok());
    EXPECT_EQ(pool.stats().expired, 1u);
    EXPECT_EQ(pool.stats().dropped, 1u);
    EXPECT_EQ(pool.stats().queued_most, 1u);
  });
}

TEST_F(OffloadTest, ItsThreadsHaveItsName) {
  Run([] {
    OffloadPool pool({.threads = 1, .name = "a name that is too long"});
    char name[16] = "";
    EXPECT_TRUE(pool.Run([&] { pthread_getname_np(pthread_self(), name, sizeof(name)); }).ok());
    EXPECT_STREQ(name, "a name that is ");
  });
}

TEST_F(OffloadTest, InAForkedChildItMayDieAndItsOwnServesButTheParentsDoesNot) {
#if defined(GROVE_TSAN)
  GTEST_SKIP() << "TSan bears no new threads after a fork";
#endif
  Run([] {
    auto pool = std::make_unique<OffloadPool>(OffloadPool::Options{.threads = 1});
    EXPECT_TRUE(pool->Run([] {}).ok());
    const auto in_child = [](absl::FunctionRef<void()> body) {
      const pid_t child = fork();
      if (child == 0) {
        fclose(stderr);
        alarm(60);  // if it waits for ever after all
        auto hub = Hub::Create();
        bool came_to_its_end = false;
        const absl::Status ran = (*hub)->Run([&] {
          body();
          came_to_its_end = true;
        });
        _exit(ran.ok() && came_to_its_end ? 0 : 99);
      }
      int status = 0;
      EXPECT_EQ(waitpid(child, &status, 0), child);
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    };
    EXPECT_EQ(in_child([&] { (void)pool->Run([] {}); }), 128 + SIGABRT);
    EXPECT_EQ(in_child([&] {
                pool = nullptr;
                int ran = 0;
                OffloadPool own({.threads = 1});
                if (!own.Run([&] { ran = 1; }).ok() || ran != 1) _exit(1);
              }),
              0);
    EXPECT_TRUE(pool->Run([] {}).ok());  // the parent's goes on
  });
}

}  // namespace
}  // namespace grove

// What docs/runtime.md shows of waiting.
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/switch/status_macros.h"
#include "runtime/sync/condition.h"
#include "runtime/sync/event.h"
#include "runtime/sync/mutex.h"
#include "runtime/sync/queue.h"
#include "runtime/sync/result_event.h"
#include "runtime/sync/select.h"
#include "runtime/sync/semaphore.h"

namespace grove {
namespace {

using WaitingExample = HubTest;

TEST_F(WaitingExample, Events) {
  Run([] {
    // [event]
    ResultEvent<std::string> config;
    auto reader = *Spawn("reader", [&] { EXPECT_EQ(*config.Wait(), "v1"); });
    Yield();
    EXPECT_TRUE(config.Send("v1").ok());                            // never parks
    EXPECT_TRUE(absl::IsFailedPrecondition(config.Send("v2")));     // once only
    EXPECT_TRUE(config.Reset().ok());                               // the reader keeps its "v1"
    EXPECT_TRUE(config.Send(absl::NotFoundError("no file")).ok());  // waiters get the error
    // [/event]
    (void)reader.Join();
  });
}

TEST_F(WaitingExample, Locks) {
  Run([] {
    // [mutex]
    Mutex mutex;
    Condition changed(mutex);
    int stock = 0;
    auto buyer = *Spawn("buyer", [&]() -> absl::Status {
      MutexLock lock(mutex);
      if (!lock.ok()) return lock.status();
      if (absl::Status waited = changed.WaitUntil([&] { return stock > 0; }); !waited.ok()) {
        return waited;
      }
      --stock;
      return absl::OkStatus();
    });
    Yield();
    {
      MutexLock lock(mutex);  // may be held across parks, unlike a std::mutex
      ++stock;
      changed.NotifyOne();
    }
    EXPECT_TRUE(buyer.Join().ok());
    // [/mutex]
  });
}

TEST_F(WaitingExample, Queues) {
  Run([] {
    // [queue]
    Queue<int> jobs(100);  // Put() parks when it is full; 0: a rendezvous
    auto worker = *Spawn("worker", [&] {
      for (absl::StatusOr<int>& job : jobs) {
        GROVE_RETURN_IF_ERROR(job);  // the worker was cancelled, or its time is over
        GROVE_RETURN_IF_ERROR(Sleep(absl::Seconds(*job)));
        GROVE_RETURN_IF_ERROR(jobs.TaskDone());
      }
      return absl::OkStatus();
    });
    for (int seconds : {3, 1, 2}) (void)jobs.Put(seconds);
    EXPECT_TRUE(jobs.Join().ok());  // all jobs are done
    jobs.Close();                   // the worker's loop ends; Get() returns kOutOfRange
    EXPECT_TRUE(worker.Join().ok());
    // [/queue]
  });
}

TEST_F(WaitingExample, Selects) {
  Run([] {
    // [select]
    Queue<int> jobs;
    Event stop;
    std::vector<std::string> seen;
    auto worker = *Spawn("worker", [&] {
      SelectGet job(jobs);
      SelectEvent stopped(stop);
      SelectTimer idle(absl::Minutes(1));
      Selector selector({&job, &stopped, &idle});
      for (auto at = selector.Wait(); at.ok() && *at != 1; at = selector.Wait()) {
        seen.push_back(*at == 0 ? absl::StrCat("job ", *job.Take()) : "idle");
        idle.Restart(absl::Minutes(1));
      }
    });
    (void)jobs.Put(7);
    (void)Sleep(absl::Minutes(1.5));
    stop.Set();
    (void)worker.Join();
    EXPECT_EQ(seen, (std::vector<std::string>{"job 7", "idle"}));
    // [/select]
  });
}

}  // namespace
}  // namespace grove

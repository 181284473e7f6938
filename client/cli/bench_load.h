// BenchLoad: spawns tasks at a rate, or as fast as so many callers can, and counts what came of it.
//
// At a rate, a task that was due while an earlier call took long counts from when it was due: what
// a slow server holds up is not left out. Bounded in callers, in what is under way, and in memory.

#ifndef GROVE_CLIENT_CLI_BENCH_LOAD_H_
#define GROVE_CLIENT_CLI_BENCH_LOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/cli/latencies.h"
#include "client/client.h"
#include "client/stop.h"

namespace grove::client::cli {

inline constexpr int64_t kBenchCallersMax = 256;
inline constexpr int64_t kBenchBatchMax = 10'000;

struct BenchPlan {
  v1::SpawnTaskRequest one;
  // Tasks a second; 0: as fast as the callers can.
  double rate = 0;
  int64_t callers = 1;
  // Tasks of a call, or of a message of the stream.
  int64_t batch = 1;
  // A stream for each caller.
  bool streams = false;
  // Until the tasks have ended, too.
  bool waits = false;
  // Whichever is reached first.
  absl::Duration duration = absl::InfiniteDuration();
  int64_t count = INT64_MAX;
};

// So far.
struct BenchCount {
  int64_t accepted = 0;
  int64_t refused = 0;
  int64_t ended = 0;
  int64_t failed = 0;  // of those
  absl::Duration took;
};

struct BenchResult {
  BenchCount count;
  // Until the first refusal that is no task's ends it: a daemon that is not there.
  absl::Status status;
  // From when a task was spawned, or due, until it was accepted; and until it had ended.
  Latencies accepted;
  Latencies ended;
  // What was refused, and how tasks failed, by reason.
  std::map<std::string, int64_t> reasons;
};

class BenchLoad {
 public:
  BenchLoad(Client& client, BenchPlan plan, Stop& stop);

  // `on_look` is told how far it is, now and then. Until all is done, or `stop` is set.
  BenchResult Run(const std::function<void(const BenchCount&)>& on_look);

 private:
  // What ends its calls; a Stop ends one at a time.
  struct Caller {
    Stop spawns;
    Stop waits;
  };

  void Call(Caller& caller);
  void CallOnce(Caller& caller, int64_t tasks, absl::Duration due);
  void Stream(Caller& caller);
  // How many of the next call, and when it is due; 0: there are no more.
  int64_t Next(absl::Duration& due);
  void WaitFor(Caller& caller, const std::vector<std::string>& names, absl::Duration due);
  void Accept(int64_t tasks, absl::Duration due);
  void Refuse(const absl::Status& why, int64_t tasks, int64_t BenchCount::*of);
  void Fail(const absl::Status& why);
  bool IsOver() const;
  absl::Duration Elapsed() const;

  Client& client_;
  const BenchPlan plan_;
  Stop& stop_;
  const absl::Duration start_;
  // Tasks that calls were made for.
  std::atomic<int64_t> asked_ = 0;
  std::atomic<bool> failed_ = false;
  mutable absl::Mutex mutex_;
  BenchResult result_ ABSL_GUARDED_BY(mutex_);
  int64_t running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_BENCH_LOAD_H_

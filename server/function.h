// Function: named code that a task runs on a fiber of a worker.
//
// It looks blocking and may park anywhere. Its bounds (time-out, cancellation) come as failed
// parks, so code that passes errors on needs no checks of its own; code that computes for long
// should Yield() now and then and look at cancelled().
#ifndef GROVE_SERVER_FUNCTION_H_
#define GROVE_SERVER_FUNCTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/handler/tenant_labels.h"
#include "server/logger.h"
#include "server/settings.h"
#include "server/shared/locks.h"
#include "server/shared/table.h"
#include "server/streams.h"
#include "server/task_client.h"
#include "server/topics/topics.h"
#include "server/work_pools.h"

namespace grove::functions {
class FetchClient;
}
namespace grove::http {
class HttpClient;
}

namespace grove {

class Resolver;

// What a worker lends to the code that runs in it. Lives as long as the worker's hub runs.
struct WorkerServices {
  int worker = 0;
  functions::FetchClient& fetch;
  OffloadPool& offload;  // the worker's general one (runtime.offload_threads)
  TaskClient& tasks = NoTaskClient();
  http::TenantLabels& tenants = http::NoTenantLabels();
  // Those in force; a reload changes them in place.
  const Settings& settings = NoSettings();
  WorkPools& pools = NoWorkPools();  // the application's own
  topics::Topics& topics = topics::NoTopics();
  // What all workers share.
  shared::Table& table = shared::NoTable();
  shared::Locks& locks = shared::NoLocks();
  // Lines with the ids of the request, the task and the trace that the running fiber works for.
  Logger log = {};
  // Reach whatever the machine does, for what the application itself talks to: what a user names is
  // for `fetch`, which fetch.allow bounds. Null where a test of one's own gives none.
  http::HttpClient* http = nullptr;
  Resolver* resolver = nullptr;

  // Whose the running fiber is: of the HTTP request, if a `tenant` middleware found it, or of the
  // task; "default" where there is none. Stands as long as the fiber's label.
  std::string_view tenant() const;
};

// Most that one attempt may leave to the next.
inline constexpr size_t kCheckpointBytesMax = 64 << 10;

// What a running attempt may see and say.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  virtual std::string_view task() const = 0;  // resource name
  virtual std::string_view tenant() const = 0;
  virtual std::string_view function() const = 0;
  // From 1. Given twice only if control and this worker both die within the moments before the
  // start is on disk.
  virtual int attempt() const = 0;
  // All of it; of a function that streams its input, and whose input is a payload: nothing.
  virtual std::string_view input() const = 0;
  virtual std::string_view content_type() const = 0;
  // What an earlier attempt left (Checkpoint) that did not succeed; empty if nothing.
  virtual std::string_view checkpoint() const = 0;
  virtual absl::Time deadline() const = 0;
  virtual bool cancelled() const = 0;
  // A sign of life, for a task with a heartbeat_timeout: an attempt that gives none of these three
  // for longer is ended and tried again. Cheap, as they all are: only the last one of a hub turn
  // travels.
  virtual void Heartbeat() = 0;
  // Leaves `detail` to the next attempt, in the place of what was left before; stored with a
  // durable task. kInvalidArgument: more than kCheckpointBytesMax.
  virtual absl::Status Checkpoint(std::string detail) = 0;
  // `fraction` in 0..1.
  virtual void ReportProgress(double fraction, std::string_view message) = 0;
  // One line in the worker's log, with the task's name.
  virtual void Log(std::string_view message) = 0;
  virtual WorkerServices& services() = 0;

  // The input from its beginning, wherever it lies (FunctionOptions::streams_input). Must not
  // outlive the attempt. kDataLoss: the payload is gone. **Parks.**
  virtual absl::StatusOr<std::unique_ptr<InputStream>> OpenInput();
  // An output that may be large: beyond tasks.output_max_bytes it becomes the task's
  // output_payload. What is not finished leaves nothing.
  virtual absl::StatusOr<std::unique_ptr<OutputStream>> OpenOutput(std::string content_type);
};

// An error Status fails the attempt. kInvalidArgument and kPermissionDenied are not retried, nor
// what FunctionOptions::not_retried or the task names: the same input would fail again.
// RetryAfter() and NeverAgain() beat the codes; max_attempts bounds what they ask for. SuspendFor()
// and SuspendUntilEnded() are no failures.
using Function = std::function<absl::StatusOr<Output>(TaskContext& context)>;

// An error after which the next attempt starts `delay` later, instead of the back-off.
// kUnavailable; an error of another code says the same with a google.rpc.RetryInfo.
absl::Status RetryAfter(absl::Duration delay, std::string_view why);
// An error after which there is no further attempt, whatever attempts are left.
// kFailedPrecondition.
absl::Status NeverAgain(std::string_view why);

// Instead of an output: the attempt is over, gives back its places in its pool and on its worker,
// and the task goes on in another one, which finds the checkpoint that this one has left. Neither a
// failure nor an interruption: no bound on attempts counts it. Lasts over restarts of everything,
// if the task is durable.
// Goes on after `time`.
absl::Status SuspendFor(absl::Duration time);
// Goes on when all of these tasks of its tenant, by their names, have ended, however, or after
// `at_most`. At most 10,000. One that is not there: the attempt has failed (kNotFound).
absl::Status SuspendUntilEnded(const std::vector<std::string>& tasks,
                               absl::Duration at_most = absl::InfiniteDuration());

struct SuspensionRequest {
  std::optional<absl::Duration> at_most;
  std::vector<std::string> tasks;
};
// What these two ask for.
std::optional<SuspensionRequest> SuspensionOf(const absl::Status& status);
// What RetryAfter() and NeverAgain(), or errors of others that say the same, ask for.
std::optional<absl::Duration> RetryAfterOf(const absl::Status& error);
bool IsNeverAgain(const absl::Status& error);

// How a task is tried again whose spec does not say. Zero: the service's default
// (grove.v1.RetryPolicy).
struct RetryDefaults {
  int max_attempts = 0;
  absl::Duration initial_backoff = absl::ZeroDuration();
  absl::Duration max_backoff = absl::ZeroDuration();
  double backoff_multiplier = 0;
  std::optional<double> jitter = std::nullopt;
};

struct FunctionOptions {
  std::string description;                                // one line
  std::string input_example;                              // how a call looks
  absl::Duration default_timeout = absl::ZeroDuration();  // zero: the config's
  // Further codes that another attempt cannot mend, such as kUnimplemented or kNotFound.
  std::vector<absl::StatusCode> not_retried = {};

  // Of tasks whose specs do not say.
  RetryDefaults retry = {};
  std::string queue = "";                                           // empty: "default"
  absl::Duration schedule_to_start_timeout = absl::ZeroDuration();  // zero: none
  absl::Duration heartbeat_timeout = absl::ZeroDuration();          // zero: none
  // Attempts at once, over all workers and tenants; zero: any. Further tasks wait, and let others
  // of their queue pass.
  int64_t concurrency_max = 0;
  // Slots of its pool, its tenant's quota and its limit keys that an attempt takes; zero: one.
  int32_t slot_cost = 0;
  // It reads its input by OpenInput(), so that a payload may have any size. What other functions
  // get is at most tasks.input_max_bytes, and whole.
  bool streams_input = false;
};

}  // namespace grove

#endif  // GROVE_SERVER_FUNCTION_H_

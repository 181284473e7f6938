// Function: named code that a task runs on a fiber of a worker.
//
// It looks blocking and may park anywhere. Its bounds (time-out, cancellation) come as failed
// parks, so code that passes errors on needs no checks of its own; code that computes for long
// should Yield() now and then and look at cancelled().
#ifndef GROVE_SERVER_FUNCTION_H_
#define GROVE_SERVER_FUNCTION_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grove::functions {
class FetchClient;
}

namespace grove {

class OffloadPool;

// What a worker lends to the code that runs in it. Lives as long as the worker's hub runs.
struct WorkerServices {
  int worker = 0;
  functions::FetchClient& fetch;
  OffloadPool& offload;
};

// What a running attempt may see and say.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  virtual std::string_view task() const = 0;  // resource name
  virtual std::string_view tenant() const = 0;
  virtual std::string_view function() const = 0;
  virtual int attempt() const = 0;  // from 1
  virtual std::string_view input() const = 0;
  virtual std::string_view content_type() const = 0;
  virtual absl::Time deadline() const = 0;
  virtual bool cancelled() const = 0;
  // `fraction` in 0..1. Cheap: only the last one of a hub turn travels.
  virtual void ReportProgress(double fraction, std::string_view message) = 0;
  // One line in the worker's log, with the task's name.
  virtual void Log(std::string_view message) = 0;
  virtual WorkerServices& services() = 0;
};

struct Output {
  std::string bytes;
  std::string content_type = "application/json";
};

// An error Status fails the attempt. kInvalidArgument and kPermissionDenied are not retried, nor
// what FunctionOptions::not_retried names: the same input would fail again.
using Function = std::function<absl::StatusOr<Output>(TaskContext& context)>;

struct FunctionOptions {
  std::string description;                                // one line
  std::string input_example;                              // how a call looks
  absl::Duration default_timeout = absl::ZeroDuration();  // zero: the config's
  // Further codes that another attempt cannot mend, such as kUnimplemented or kNotFound.
  std::vector<absl::StatusCode> not_retried = {};
};

}  // namespace grove

#endif  // GROVE_SERVER_FUNCTION_H_

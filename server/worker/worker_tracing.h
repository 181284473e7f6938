// WorkerTracing: the tracer of a worker and its exporter, as the config's `tracing` says.
#ifndef GROVE_SERVER_WORKER_WORKER_TRACING_H_
#define GROVE_SERVER_WORKER_WORKER_TRACING_H_

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/trace/span.h"
#include "server/tracing/span_exporter.h"

namespace grove::worker {

// How long a worker that ends waits for its last spans to be told, at most.
inline constexpr absl::Duration kLastSpansMax = absl::Seconds(2);

class WorkerTracing {
 public:
  // An error: the endpoint, or the file of a field. `application`: its name. `slot`: the worker's.
  static absl::StatusOr<std::unique_ptr<WorkerTracing>> Create(const config::v1::Tracing& config,
                                                               std::string_view application,
                                                               int slot);

  Tracer& tracer() { return tracer_; }
  const tracing::SpanCounts& counts() const { return exporter_->counts(); }
  // Tells spans until its fiber is cancelled. **Parks.**
  absl::Status Run() { return exporter_->Run(); }
  // Tells what is left, as long as kLastSpansMax and `at_most` let it. **Parks.**
  void Flush(absl::Duration at_most);

 private:
  WorkerTracing(std::unique_ptr<tracing::SpanExporter> exporter, int64_t sampled_per_million);

  const std::unique_ptr<tracing::SpanExporter> exporter_;
  Tracer tracer_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_WORKER_TRACING_H_

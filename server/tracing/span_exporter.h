// SpanExporter: tells spans to a collector, by OTLP over HTTP.
//
// Spans that have ended wait in a queue with a bound; beyond it they are dropped and counted, so
// that nothing that is traced waits for the collector. Run() sends them in batches, and a batch
// again after what the collector asks for, or after growing pauses, as long as it says that this
// may help; then its spans are given up. Its own calls are part of no trace. Hub thread only.
#ifndef GROVE_SERVER_TRACING_SPAN_EXPORTER_H_
#define GROVE_SERVER_TRACING_SPAN_EXPORTER_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http/client/http_client.h"
#include "runtime/sync/event.h"
#include "runtime/trace/span.h"
#include "server/tracing/otlp_json.h"
#include "server/tracing/span_end.h"

namespace grove::tracing {

// Calls for one batch.
inline constexpr int kExportTriesMax = 6;
// Between them, where the collector does not say: doubled from the first to the last. What it says
// counts up to kExportPauseMost.
inline constexpr absl::Duration kExportPauseMin = absl::Seconds(1);
inline constexpr absl::Duration kExportPauseMax = absl::Seconds(30);
inline constexpr absl::Duration kExportPauseMost = absl::Minutes(5);

struct ExporterOptions {
  std::string endpoint;
  http::HttpFields fields;  // of each call, beside the exporter's
  SpanResource resource;
  size_t batch_max = 512;
  absl::Duration batch_delay = absl::Seconds(1);
  size_t queue_max = 8192;
  absl::Duration timeout = absl::Seconds(10);
};

class SpanExporter final : public SpanSink {
 public:
  // kInvalidArgument: the endpoint is no URL.
  static absl::StatusOr<std::unique_ptr<SpanExporter>> Create(ExporterOptions options);

  void Take(std::unique_ptr<SpanRecord> span) override;
  // Sends until the fiber is cancelled: why it ended. **Parks.**
  absl::Status Run();
  // From now on nothing is waited for and nothing tried again; OK once no span waits any more.
  // **Parks.**
  absl::Status Flush();

  const SpanCounts& counts() const { return counts_; }

 private:
  using Batch = std::vector<std::unique_ptr<SpanRecord>>;
  // What an answer says.
  struct Verdict {
    absl::Status status;
    bool may_retry = false;
    absl::Duration retry_after = absl::ZeroDuration();
    uint64_t rejected = 0;
  };

  SpanExporter(ExporterOptions options, std::unique_ptr<http::HttpClient> client);
  absl::Status AwaitBatch();
  Batch TakeBatch();
  absl::Status Send(const Batch& batch);
  Verdict Ask(const std::string& body);
  void Count(SpanEnd end, uint64_t spans) { counts_[static_cast<size_t>(end)] += spans; }
  void NoteFailure(const absl::Status& why, size_t spans);

  const ExporterOptions options_;
  const std::unique_ptr<http::HttpClient> client_;
  std::deque<std::unique_ptr<SpanRecord>> waiting_;
  bool flushing_ = false;
  bool failing_ = false;
  Event any_;    // one waits, or it flushes
  Event hurry_;  // a batch is full, or it flushes
  Event idle_;   // none waits and none is being sent
  SpanCounts counts_{};
};

}  // namespace grove::tracing

#endif  // GROVE_SERVER_TRACING_SPAN_EXPORTER_H_

#include "server/tracing/span_exporter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "http/client/url.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/repeat/backoff.h"
#include "server/functions/retry_after.h"
#include "server/log.h"

namespace grove::tracing {
namespace {

// Of an answer: a few words.
constexpr size_t kAnswerBytesMax = 64 << 10;

// "Retryable Response Codes" of OTLP/HTTP.
bool MayRetry(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SpanExporter>> SpanExporter::Create(ExporterOptions options) {
  if (const auto url = http::Url::Parse(options.endpoint); !url.ok()) return url.status();
  http::HttpClientOptions client_options;
  client_options.follow_redirects = false;
  client_options.body_max_bytes = kAnswerBytesMax;
  absl::StatusOr<std::unique_ptr<http::HttpClient>> client =
      http::HttpClient::Create(std::move(client_options));
  if (!client.ok()) return client.status();
  return std::unique_ptr<SpanExporter>(new SpanExporter(std::move(options), *std::move(client)));
}

SpanExporter::SpanExporter(ExporterOptions options, std::unique_ptr<http::HttpClient> client)
    : options_(std::move(options)), client_(std::move(client)) {}

void SpanExporter::Take(std::unique_ptr<SpanRecord> span) {
  if (waiting_.size() >= options_.queue_max) return Count(SpanEnd::kDropped, 1);
  waiting_.push_back(std::move(span));
  idle_.Reset();
  any_.Set();
  if (waiting_.size() >= options_.batch_max) hurry_.Set();
}

absl::Status SpanExporter::AwaitBatch() {
  while (waiting_.empty()) {
    idle_.Set();
    any_.Reset();
    if (absl::Status woken = any_.Wait(); !woken.ok()) return woken;
  }
  if (flushing_ || waiting_.size() >= options_.batch_max) return absl::OkStatus();
  hurry_.Reset();
  Timeout patience(options_.batch_delay);
  return patience.Silence(hurry_.Wait());
}

SpanExporter::Batch SpanExporter::TakeBatch() {
  Batch batch;
  batch.reserve(std::min(waiting_.size(), options_.batch_max));
  while (!waiting_.empty() && batch.size() < options_.batch_max) {
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return batch;
}

absl::Status SpanExporter::Run() {
  const TraceScope untraced;
  for (;;) {
    if (absl::Status woken = AwaitBatch(); !woken.ok()) return woken;
    const Batch batch = TakeBatch();
    if (absl::Status sent = Send(batch); !sent.ok()) return sent;
  }
}

absl::Status SpanExporter::Flush() {
  flushing_ = true;
  hurry_.Set();
  any_.Set();
  return idle_.Wait();
}

SpanExporter::Verdict SpanExporter::Ask(const std::string& body) {
  http::HttpRequest request;
  request.url = options_.endpoint;
  request.method = "POST";
  request.fields = options_.fields;
  request.fields.emplace_back("Content-Type", "application/json");
  request.body = body;
  // A span that comes twice is the same by its id.
  request.may_repeat = true;
  Timeout timeout(options_.timeout);
  absl::StatusOr<http::HttpResponse> answer = client_->Fetch(std::move(request));
  Verdict verdict;
  if (!answer.ok()) {
    verdict.status = answer.status();
    verdict.may_retry = absl::IsUnavailable(verdict.status) || timeout.Caused(verdict.status);
    return verdict;
  }
  if (answer->status >= 200 && answer->status < 300) {
    RejectedSpans rejected = ParseRejected(answer->body);
    verdict.rejected = rejected.count;
    if (rejected.count > 0) verdict.status = absl::InvalidArgumentError(rejected.why);
    return verdict;
  }
  verdict.status = absl::UnavailableError(absl::StrCat("the collector answers ", answer->status));
  verdict.may_retry = MayRetry(answer->status);
  functions::FetchResult fields;
  fields.headers = std::move(answer->fields);
  verdict.retry_after = std::min(functions::RetryAfterIn(fields, absl::Now()), kExportPauseMost);
  return verdict;
}

absl::Status SpanExporter::Send(const Batch& batch) {
  const std::string body = FormatOtlp(options_.resource, batch);
  Backoff backoff = Backoff::Doubling(kExportPauseMin, kExportPauseMax);
  for (int tries = 1;; ++tries) {
    const Verdict verdict = Ask(body);
    if (absl::IsCancelled(verdict.status)) return verdict.status;
    const bool has_ended = verdict.status.ok() || verdict.rejected > 0;
    if (has_ended || !verdict.may_retry || tries >= kExportTriesMax || flushing_) {
      const uint64_t failed =
          has_ended ? std::min<uint64_t>(verdict.rejected, batch.size()) : batch.size();
      Count(SpanEnd::kFailed, failed);
      Count(SpanEnd::kTold, batch.size() - failed);
      if (failed == 0) {
        failing_ = false;
      } else {
        NoteFailure(verdict.status, failed);
      }
      return absl::OkStatus();
    }
    const absl::Duration pause = backoff.Next();
    Timeout patience(verdict.retry_after > absl::ZeroDuration() ? verdict.retry_after : pause);
    hurry_.Reset();
    // A flush, or a full batch behind this one, ends the pause: only the first may.
    absl::Status woken;
    while (!flushing_ && (woken = hurry_.Wait()).ok()) hurry_.Reset();
    if (!woken.ok() && !patience.Caused(woken)) return woken;
  }
}

// Once, until it has worked again.
void SpanExporter::NoteFailure(const absl::Status& why, size_t spans) {
  if (std::exchange(failing_, true)) return;
  Log(LogLevel::kWarning, "spans were not told; what follows is counted",
      {{"endpoint", options_.endpoint}, {"spans", spans}, {"error", why.ToString()}});
}

}  // namespace grove::tracing

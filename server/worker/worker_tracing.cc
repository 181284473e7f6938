#include "server/worker/worker_tracing.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"

namespace grove::worker {
namespace {

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

WorkerTracing::WorkerTracing(std::unique_ptr<tracing::SpanExporter> exporter,
                             int64_t sampled_per_million)
    : exporter_(std::move(exporter)), tracer_(*exporter_, sampled_per_million) {}

absl::StatusOr<std::unique_ptr<WorkerTracing>> WorkerTracing::Create(
    const config::v1::Tracing& config, std::string_view application, int slot) {
  tracing::ExporterOptions options;
  options.endpoint = config.endpoint();
  for (const config::v1::TracingHeader& header : config.headers()) {
    absl::StatusOr<std::string> value = config::ReadFieldFile(header.secret_file());
    if (!value.ok()) {
      return absl::FailedPreconditionError(
          StrCat("tracing.headers ", header.name(), ": ", Std(value.status().message())));
    }
    options.fields.emplace_back(header.name(), *std::move(value));
  }
  const std::string host = HostName();
  options.resource = {
      .service = config.service_name().empty() ? std::string(application) : config.service_name(),
      .instance = StrCat(host, ":", getpid()),
      .host = host,
      .pid = getpid(),
      .worker = slot};
  options.batch_max = static_cast<size_t>(config.batch_max());
  options.batch_delay = absl::Milliseconds(config.batch_delay_ms());
  options.queue_max = static_cast<size_t>(config.queue_max());
  options.timeout = absl::Milliseconds(config.timeout_ms());
  auto exporter = tracing::SpanExporter::Create(std::move(options));
  if (!exporter.ok()) {
    return absl::InvalidArgumentError(
        StrCat("tracing.endpoint: ", Std(exporter.status().message())));
  }
  return std::unique_ptr<WorkerTracing>(
      new WorkerTracing(*std::move(exporter), config.sampled_per_million()));
}

void WorkerTracing::Flush(absl::Duration at_most) {
  Timeout timeout(std::min(at_most, kLastSpansMax));
  // What is not told by then goes with the worker.
  exporter_->Flush().IgnoreError();
}

}  // namespace grove::worker

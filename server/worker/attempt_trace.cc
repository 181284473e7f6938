#include "server/worker/attempt_trace.h"

#include <openssl/evp.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/hub/check.h"
#include "server/tenancy/resource_name.h"

namespace grove::worker {
namespace {

using internal::v1::AttemptEnded;

// Of a task that nobody's code spawned: the same for each of its attempts, wherever it runs.
TraceId TraceOf(std::string_view task) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  GROVE_CHECK(
      EVP_Digest(task.data(), task.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1,
      "SHA-256 is not to be had");
  TraceId id;
  for (int i = 0; i < 8; ++i) id.high = id.high << 8 | digest[i];
  for (int i = 8; i < 16; ++i) id.low = id.low << 8 | digest[i];
  return id;
}

TraceContext ParentOf(const Tracer* tracer, const internal::v1::StartAttempt& start) {
  std::optional<TraceContext> parent = ParseTraceparent(start.traceparent());
  if (parent) {
    if (!start.tracestate().empty()) {
      parent->state = std::make_shared<const std::string>(start.tracestate());
    }
    return *std::move(parent);
  }
  TraceContext own;
  if (tracer != nullptr) own.trace = TraceOf(start.task());
  return own;
}

std::string_view OutcomeName(AttemptEnded::Outcome outcome) {
  switch (outcome) {
    case AttemptEnded::OUTCOME_SUCCEEDED:
      return "succeeded";
    case AttemptEnded::OUTCOME_FAILED:
      return "failed";
    case AttemptEnded::OUTCOME_CANCELLED:
      return "cancelled";
    case AttemptEnded::OUTCOME_TIMED_OUT:
      return "timed_out";
    case AttemptEnded::OUTCOME_SUSPENDED:
      return "suspended";
    default:
      return "interrupted";
  }
}

}  // namespace

AttemptTrace::AttemptTrace(Tracer* tracer, const internal::v1::StartAttempt& start)
    : span_(tracer, ParentOf(tracer, start), SpanKind::kConsumer), scope_(span_.context(), tracer) {
  if (!span_.recording()) return;
  span_.set_name(start.function());
  span_.Set("messaging.system", "grove");
  span_.Set("messaging.operation.type", "process");
  if (const auto name = tenancy::ParseTaskName(start.task()); name.ok()) {
    span_.Set("messaging.destination.name", name->queue);
  }
  span_.Set("grove.task", start.task());
  span_.Set("grove.tenant", start.tenant());
  span_.Set("grove.function", start.function());
  span_.Set("grove.attempt", start.number());
}

AttemptTrace::~AttemptTrace() {
  if (!is_noted_) span_.Fail("exception", "an exception has ended the attempt");
}

void AttemptTrace::NoteEnd(const AttemptEnded& end) {
  is_noted_ = true;
  if (!span_.recording()) return;
  const std::string_view outcome = OutcomeName(end.outcome());
  span_.Set("grove.outcome", outcome);
  const bool failed = end.outcome() != AttemptEnded::OUTCOME_SUCCEEDED &&
                      end.outcome() != AttemptEnded::OUTCOME_SUSPENDED;
  if (!failed) return;
  const auto code = static_cast<absl::StatusCode>(end.error().code());
  span_.Fail(absl::StatusCodeToString(code), end.error().message());
}

}  // namespace grove::worker

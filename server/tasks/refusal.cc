#include "server/tasks/refusal.h"

#include <string_view>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tasks {
namespace {

void Attach(absl::Status& status, std::string_view type,
            const google::protobuf::MessageLite& detail) {
  status.SetPayload(Abseil(type), absl::Cord(detail.SerializeAsString()));
}

// Where a character of UTF-8 begins, at `at` or before it.
size_t CharacterAt(std::string_view text, size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return at;
}

}  // namespace

std::string Cut(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  return StrCat(text.substr(0, CharacterAt(text, bytes_max)), "…");
}

std::string CutMiddle(std::string_view message, size_t bytes_max) {
  if (message.size() <= bytes_max) return std::string(message);
  const size_t end = CharacterAt(message, message.size() - bytes_max / 4);
  return StrCat(Cut(message, bytes_max - bytes_max / 4), message.substr(end));
}

absl::Status Refusal(absl::StatusCode code, std::string_view reason, std::string_view message,
                     const RefusalMetadata& metadata) {
  absl::Status status(code, CutMiddle(message));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kRefusalDomain));
  for (const auto& [key, value] : metadata)
    (*info.mutable_metadata())[std::string(key)] = Cut(value);
  Attach(status, kErrorInfoType, info);
  return status;
}

absl::Status BadField(std::string_view field, std::string_view reason, std::string_view problem,
                      const RefusalMetadata& metadata) {
  absl::Status status = Refusal(absl::StatusCode::kInvalidArgument, reason,
                                StrCat(Cut(field), ": ", problem), metadata);
  google::rpc::BadRequest request;
  auto* violation = request.add_field_violations();
  violation->set_field(Cut(field));
  violation->set_description(CutMiddle(problem));
  Attach(status, kBadRequestType, request);
  return status;
}

absl::Status WithRetryAfter(absl::Status refusal, int64_t retry_after_ms) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(retry_after_ms / 1000);
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(retry_after_ms % 1000 * 1000000));
  Attach(refusal, kRetryInfoType, info);
  return refusal;
}

absl::Status WithQuotaFailure(absl::Status refusal, std::string_view subject,
                              std::string_view description) {
  google::rpc::QuotaFailure failure;
  auto* violation = failure.add_violations();
  violation->set_subject(Cut(subject));
  violation->set_description(CutMiddle(description));
  Attach(refusal, kQuotaFailureType, failure);
  return refusal;
}

std::string RefusalReason(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(Abseil(kErrorInfoType));
  google::rpc::ErrorInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return "";
  return info.reason();
}

}  // namespace grove::tasks

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

}  // namespace

absl::Status Refusal(absl::StatusCode code, std::string_view reason, std::string_view message,
                     const RefusalMetadata& metadata) {
  absl::Status status(code, Abseil(message));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kRefusalDomain));
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[std::string(key)] = value;
  Attach(status, kErrorInfoType, info);
  return status;
}

absl::Status BadField(std::string_view field, std::string_view reason, std::string_view problem,
                      const RefusalMetadata& metadata) {
  absl::Status status =
      Refusal(absl::StatusCode::kInvalidArgument, reason, StrCat(field, ": ", problem), metadata);
  google::rpc::BadRequest request;
  auto* violation = request.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(problem));
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
  violation->set_subject(std::string(subject));
  violation->set_description(std::string(description));
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

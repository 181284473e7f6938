#include "server/tasks/refusal.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"

namespace grove::tasks {
namespace {

void Attach(absl::Status& status, absl::string_view type,
            const google::protobuf::MessageLite& detail) {
  status.SetPayload(type, absl::Cord(detail.SerializeAsString()));
}

}  // namespace

absl::Status Refusal(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                     const RefusalMetadata& metadata) {
  absl::Status status(code, message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kRefusalDomain));
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[std::string(key)] = value;
  Attach(status, kErrorInfoType, info);
  return status;
}

absl::Status BadField(absl::string_view field, absl::string_view reason, absl::string_view problem,
                      const RefusalMetadata& metadata) {
  absl::Status status = Refusal(absl::StatusCode::kInvalidArgument, reason,
                                absl::StrCat(field, ": ", problem), metadata);
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

absl::Status WithQuotaFailure(absl::Status refusal, absl::string_view subject,
                              absl::string_view description) {
  google::rpc::QuotaFailure failure;
  auto* violation = failure.add_violations();
  violation->set_subject(std::string(subject));
  violation->set_description(std::string(description));
  Attach(refusal, kQuotaFailureType, failure);
  return refusal;
}

std::string RefusalReason(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrorInfoType);
  google::rpc::ErrorInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return "";
  return info.reason();
}

}  // namespace grove::tasks

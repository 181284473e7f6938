#include "server/refusal.h"

#include <string_view>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"

namespace grove {
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
  return WithReason(absl::Status(code, CutMiddle(message)), reason, metadata);
}

absl::Status WithReason(absl::Status status, std::string_view reason,
                        const RefusalMetadata& metadata) {
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

absl::Status WithFieldProblems(absl::Status status, const std::vector<FieldProblem>& problems) {
  google::rpc::BadRequest request;
  for (const FieldProblem& problem : problems) {
    auto* violation = request.add_field_violations();
    violation->set_field(problem.field);
    violation->set_description(problem.problem);
  }
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

absl::Status WithCode(absl::StatusCode code, const absl::Status& status) {
  absl::Status changed(code, status.message());
  status.ForEachPayload(
      [&](auto type, const absl::Cord& payload) { changed.SetPayload(type, payload); });
  return changed;
}

google::rpc::Status DescribeStatus(const absl::Status& status) {
  google::rpc::Status described;
  described.set_code(static_cast<int32_t>(status.code()));
  described.set_message(std::string(status.message()));
  status.ForEachPayload([&](auto type, const absl::Cord& payload) {
    google::protobuf::Any* detail = described.add_details();
    detail->set_type_url(std::string(Std(type)));
    detail->set_value(std::string(payload));
  });
  return described;
}

absl::Status StatusFrom(const google::rpc::Status& described) {
  absl::Status status(static_cast<absl::StatusCode>(described.code()), Abseil(described.message()));
  for (const google::protobuf::Any& detail : described.details()) {
    status.SetPayload(Abseil(detail.type_url()), absl::Cord(Abseil(detail.value())));
  }
  return status;
}

}  // namespace grove

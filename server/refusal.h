// Refusals: statuses that say why to programs too.
//
// Builds absl::Status values whose payloads are google.rpc error details, keyed by their type URL;
// control turns each payload into a detail of the gRPC status. Every refusal carries an ErrorInfo
// of domain "grove". Whatever text of a client's an error repeats is cut: clients take no more than
// 8 KiB of it all, and see another error instead.
#ifndef GROVE_SERVER_REFUSAL_H_
#define GROVE_SERVER_REFUSAL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace grove {

inline constexpr std::string_view kRefusalDomain = "grove";
inline constexpr std::string_view kErrorInfoType = "type.googleapis.com/google.rpc.ErrorInfo";
inline constexpr std::string_view kBadRequestType = "type.googleapis.com/google.rpc.BadRequest";
inline constexpr std::string_view kRetryInfoType = "type.googleapis.com/google.rpc.RetryInfo";
inline constexpr std::string_view kQuotaFailureType = "type.googleapis.com/google.rpc.QuotaFailure";

// Of a client's text.
inline constexpr size_t kQuotedBytesMax = 100;
// Of a message as a whole, whose end tells more than the middle of a text that stands in it.
inline constexpr size_t kMessageBytesMax = 500;

// `text`, or its first bytes and "…"; whole characters of UTF-8.
std::string Cut(std::string_view text, size_t bytes_max = kQuotedBytesMax);
// `message`, or its beginning, "…" and its end.
std::string CutMiddle(std::string_view message, size_t bytes_max = kMessageBytesMax);

using RefusalMetadata = std::vector<std::pair<std::string_view, std::string>>;

// `reason` is UPPER_SNAKE and stable: clients switch on it. Values of `metadata` are cut, and the
// middle of a long message.
absl::Status Refusal(absl::StatusCode code, std::string_view reason, std::string_view message,
                     const RefusalMetadata& metadata = {});

// Adds the ErrorInfo alone, to a message that is bounded already and stays as it is.
absl::Status WithReason(absl::Status status, std::string_view reason,
                        const RefusalMetadata& metadata = {});

// INVALID_ARGUMENT for a value of the request; `field` is its path ("spec.delay"). The message
// begins with the field.
absl::Status BadField(std::string_view field, std::string_view reason, std::string_view problem,
                      const RefusalMetadata& metadata = {});

// What is wrong with one of several fields, or with none where it is empty.
struct FieldProblem {
  std::string field;
  std::string problem;
};
// Adds a BadRequest with all of them, as they are.
absl::Status WithFieldProblems(absl::Status status, const std::vector<FieldProblem>& problems);

// Adds a RetryInfo: not sooner than this.
absl::Status WithRetryAfter(absl::Status refusal, int64_t retry_after_ms);

// Adds a QuotaFailure: whose allowance ran out (a resource name), and how it is bounded.
absl::Status WithQuotaFailure(absl::Status refusal, std::string_view subject,
                              std::string_view description);

// The reason in a refusal's ErrorInfo; empty if it has none.
std::string RefusalReason(const absl::Status& status);

// The same with another code.
absl::Status WithCode(absl::StatusCode code, const absl::Status& status);

// Whole, with each payload as a detail; and back.
google::rpc::Status DescribeStatus(const absl::Status& status);
absl::Status StatusFrom(const google::rpc::Status& described);

}  // namespace grove

#endif  // GROVE_SERVER_REFUSAL_H_

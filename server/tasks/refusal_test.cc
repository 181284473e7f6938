#include "server/tasks/refusal.h"

#include <string_view>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tasks {
namespace {

template <typename Detail>
Detail DetailOf(const absl::Status& status, std::string_view type) {
  Detail detail;
  const auto payload = status.GetPayload(Abseil(type));
  EXPECT_TRUE(payload.has_value()) << type;
  EXPECT_TRUE(detail.ParseFromString(std::string(payload.value_or(absl::Cord()))));
  return detail;
}

TEST(Refusal, CarriesReasonDomainAndMetadata) {
  const absl::Status status =
      Refusal(absl::StatusCode::kNotFound, "QUEUE_NOT_FOUND", "no queue", {{"queue", "mail"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  const auto info = DetailOf<google::rpc::ErrorInfo>(status, kErrorInfoType);
  EXPECT_EQ(info.reason(), "QUEUE_NOT_FOUND");
  EXPECT_EQ(info.domain(), "grove");
  EXPECT_EQ(info.metadata().at("queue"), "mail");
  EXPECT_EQ(RefusalReason(status), "QUEUE_NOT_FOUND");
  EXPECT_EQ(RefusalReason(absl::InternalError("x")), "");
}

TEST(Refusal, NamesTheBadField) {
  const absl::Status status = BadField("spec.delay", "NEGATIVE_DELAY", "must not be negative");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "spec.delay: must not be negative");
  const auto request = DetailOf<google::rpc::BadRequest>(status, kBadRequestType);
  EXPECT_EQ(request.field_violations(0).field(), "spec.delay");
}

TEST(Refusal, SaysWhenToRetryAndWhoseQuotaItIs) {
  const absl::Status status = WithQuotaFailure(
      WithRetryAfter(Refusal(absl::StatusCode::kResourceExhausted, "FULL", "full"), 1500), "q",
      "d");
  const auto retry = DetailOf<google::rpc::RetryInfo>(status, kRetryInfoType);
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500000000);
  EXPECT_EQ(DetailOf<google::rpc::QuotaFailure>(status, kQuotaFailureType).violations(0).subject(),
            "q");
}

}  // namespace
}  // namespace grove::tasks

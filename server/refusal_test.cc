#include "server/refusal.h"

#include <string_view>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"

namespace grove {
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

TEST(Refusal, CutsTextsAtWholeCharacters) {
  EXPECT_EQ(Cut("abc", 3), "abc");
  EXPECT_EQ(Cut("abcd", 3), "abc…");
  EXPECT_EQ(Cut("aüb", 2), "a…");
  EXPECT_EQ(Cut("aüb", 3), "aü…");
  EXPECT_EQ(Cut("", 0), "");
  EXPECT_EQ(CutMiddle("12345678", 8), "12345678");
  EXPECT_EQ(CutMiddle("123456789", 8), "123456…89");
  EXPECT_EQ(CutMiddle("12345ü78ü", 8), "12345…ü");
}

TEST(Refusal, CutsWhatAClientMadeLong) {
  const std::string name(3000, 'x');
  const absl::Status status =
      BadField(name, "NAME_INVALID", StrCat("'", name, "' is no name"), {{"name", name}});
  EXPECT_LE(status.message().size(), kMessageBytesMax + 3);
  EXPECT_TRUE(status.message().substr(0, 20) == std::string(20, 'x')) << status.message();
  EXPECT_TRUE(Std(status.message()).ends_with("' is no name")) << status.message();
  const auto info = DetailOf<google::rpc::ErrorInfo>(status, kErrorInfoType);
  EXPECT_EQ(info.metadata().at("name"), Cut(name));
  const auto request = DetailOf<google::rpc::BadRequest>(status, kBadRequestType);
  EXPECT_EQ(request.field_violations(0).field(), Cut(name));
  EXPECT_LE(request.field_violations(0).description().size(), kMessageBytesMax + 3);
  const auto quota =
      DetailOf<google::rpc::QuotaFailure>(WithQuotaFailure(status, name, name), kQuotaFailureType);
  EXPECT_EQ(quota.violations(0).subject(), Cut(name));
}

TEST(Refusal, NamesTheBadField) {
  const absl::Status status = BadField("spec.delay", "NEGATIVE_DELAY", "must not be negative");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "spec.delay: must not be negative");
  const auto request = DetailOf<google::rpc::BadRequest>(status, kBadRequestType);
  EXPECT_EQ(request.field_violations(0).field(), "spec.delay");
}

TEST(Refusal, TellsOfSeveralFieldsAndCutsNoneOfThem) {
  const std::string line(3000, 'x');
  const absl::Status status = WithFieldProblems(
      WithReason(absl::InvalidArgumentError(line), "CONFIG_INVALID"), {{"a.b", line}, {"", "c"}});
  EXPECT_EQ(status.message(), line);
  EXPECT_EQ(RefusalReason(status), "CONFIG_INVALID");
  const auto request = DetailOf<google::rpc::BadRequest>(status, kBadRequestType);
  ASSERT_EQ(request.field_violations_size(), 2);
  EXPECT_EQ(request.field_violations(0).field(), "a.b");
  EXPECT_EQ(request.field_violations(0).description(), line);
}

TEST(Refusal, TravelsWhole) {
  const absl::Status status =
      WithRetryAfter(Refusal(absl::StatusCode::kUnavailable, "LATER", "not now"), 1000);
  EXPECT_EQ(StatusFrom(DescribeStatus(status)), status);
  EXPECT_TRUE(StatusFrom(DescribeStatus(absl::OkStatus())).ok());
  const absl::Status changed = WithCode(absl::StatusCode::kInternal, status);
  EXPECT_EQ(changed.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(WithCode(absl::StatusCode::kUnavailable, changed), status);
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
}  // namespace grove

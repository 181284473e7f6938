#include "server/control/rpc_status.h"

#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::control {
namespace {

google::rpc::ErrorInfo InfoOf(const google::rpc::Status& status) {
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(status.details(0).UnpackTo(&info));
  return info;
}

TEST(RpcStatus, EveryErrorCarriesAnErrorInfo) {
  EXPECT_EQ(ToRpcStatus(absl::OkStatus()).details_size(), 0);
  const google::rpc::Status plain = ToRpcStatus(absl::NotFoundError("no"));
  EXPECT_EQ(plain.message(), "no");
  EXPECT_EQ(InfoOf(plain).reason(), "NOT_FOUND");
  const google::rpc::Status refusal =
      ToRpcStatus(WithRetryAfter(BadField("a.b", "REASON", "is bad"), 1000));
  EXPECT_EQ(refusal.details_size(), 3);
  EXPECT_EQ(InfoOf(refusal).reason(), "REASON");
}

TEST(RpcStatus, ComesBackAsItWas) {
  const absl::Status status =
      WithRetryAfter(Refusal(absl::StatusCode::kFailedPrecondition, "REASON", "not now"), 1000);
  EXPECT_EQ(StatusFrom(ToRpcStatus(status)), status);
  EXPECT_EQ(StatusFrom(ToTrailerStatus(status)), status);
}

TEST(RpcStatus, StaysBelowWhatClientsTake) {
  absl::Status status = BadField(std::string(3000, 'f'), "REASON", std::string(3000, 'p'));
  // Whoever builds a detail by hand.
  google::rpc::ErrorInfo info;
  info.set_reason("REASON");
  info.set_domain("grove");
  for (int i = 0; i < 100; ++i) (*info.mutable_metadata())[std::string(i + 1, 'k')] = "value";
  status.SetPayload(Abseil(kErrorInfoType), absl::Cord(info.SerializeAsString()));
  status.SetPayload("type.googleapis.com/google.rpc.Help", absl::Cord(std::string(9000, 'h')));
  const google::rpc::Status rpc = ToRpcStatus(status);
  EXPECT_EQ(InfoOf(rpc).reason(), "REASON");
  EXPECT_EQ(rpc.details_size(), 2);
  // As trailers: each byte of the message may be "%00", and the details are in base64.
  EXPECT_LT(3 * rpc.message().size() + rpc.ByteSizeLong() * 4 / 3, 7'500);
}

// As of a config in which so many lines are wrong.
absl::Status ManyProblems(int count) {
  std::vector<FieldProblem> problems;
  std::string message;
  for (int i = 0; i < count; ++i) {
    problems.push_back({StrCat("key", i), StrCat("a.yaml:", i, ":1: key", i, ": is not good")});
    StrAppend(&message, problems.back().problem, "\n");
  }
  return WithFieldProblems(WithReason(absl::InvalidArgumentError(message), "CONFIG_INVALID"),
                           problems);
}

int ViolationsOf(const google::rpc::Status& status) {
  google::rpc::BadRequest request;
  EXPECT_TRUE(status.details(1).UnpackTo(&request));
  return request.field_violations_size();
}

TEST(RpcStatus, IsWholeInTrailersWhereItFits) {
  const google::rpc::Status some = ToTrailerStatus(ManyProblems(30));
  EXPECT_EQ(some.message(), ManyProblems(30).message());
  EXPECT_EQ(InfoOf(some).reason(), "CONFIG_INVALID");
  EXPECT_EQ(ViolationsOf(some), 30);
  const google::rpc::Status many = ToTrailerStatus(ManyProblems(200));
  EXPECT_LT(many.message().size(), 600);
  EXPECT_EQ(InfoOf(many).reason(), "CONFIG_INVALID");
  EXPECT_GT(ViolationsOf(many), 30);
  EXPECT_LT(3 * many.message().size() + many.ByteSizeLong() * 4 / 3, kTrailerBytesDefault);
}

TEST(RpcStatus, IsWholeForAClientThatTakesMore) {
  const google::rpc::Status many = ToTrailerStatus(ManyProblems(200), kTrailerBytesMax);
  EXPECT_EQ(many.message(), ManyProblems(200).message());
  EXPECT_EQ(ViolationsOf(many), 200);
  EXPECT_LT(ToTrailerStatus(ManyProblems(5000), SIZE_MAX).message().size(), 600);
}

TEST(RpcStatus, CutsAMessageThatIsNoRefusal) {
  const std::string message = ToRpcStatus(absl::InternalError(std::string(9000, 'm'))).message();
  EXPECT_EQ(message.size(), kMessageBytesMax + std::string_view("…").size());
}

}  // namespace
}  // namespace grove::control

#include "server/control/rpc_status.h"

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

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
      ToRpcStatus(tasks::WithRetryAfter(tasks::BadField("a.b", "REASON", "is bad"), 1000));
  EXPECT_EQ(refusal.details_size(), 3);
  EXPECT_EQ(InfoOf(refusal).reason(), "REASON");
}

TEST(RpcStatus, ComesBackAsItWas) {
  const absl::Status status = tasks::WithRetryAfter(
      tasks::Refusal(absl::StatusCode::kFailedPrecondition, "REASON", "not now"), 1000);
  EXPECT_EQ(FromRpcStatus(ToRpcStatus(status)), status);
  EXPECT_TRUE(FromRpcStatus(google::rpc::Status()).ok());
}

TEST(RpcStatus, StaysBelowWhatClientsTake) {
  absl::Status status = tasks::BadField(std::string(3000, 'f'), "REASON", std::string(3000, 'p'));
  // Whoever builds a detail by hand.
  google::rpc::ErrorInfo info;
  info.set_reason("REASON");
  info.set_domain("grove");
  for (int i = 0; i < 100; ++i) (*info.mutable_metadata())[std::string(i + 1, 'k')] = "value";
  status.SetPayload(Abseil(tasks::kErrorInfoType), absl::Cord(info.SerializeAsString()));
  status.SetPayload("type.googleapis.com/google.rpc.Help", absl::Cord(std::string(9000, 'h')));
  const google::rpc::Status rpc = ToRpcStatus(status);
  EXPECT_EQ(InfoOf(rpc).reason(), "REASON");
  EXPECT_EQ(rpc.details_size(), 2);
  // As trailers: each byte of the message may be "%00", and the details are in base64.
  EXPECT_LT(3 * rpc.message().size() + rpc.ByteSizeLong() * 4 / 3, 7'500);
}

TEST(RpcStatus, CutsAMessageThatIsNoRefusal) {
  const std::string message = ToRpcStatus(absl::InternalError(std::string(9000, 'm'))).message();
  EXPECT_EQ(message.size(), tasks::kMessageBytesMax + std::string_view("…").size());
}

}  // namespace
}  // namespace grove::control

#include "server/http/handler/retry_delay.h"

#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

constexpr char kType[] = "type.googleapis.com/google.rpc.RetryInfo";

TEST(RetryDelay, ComesBackAsItWent) {
  for (const absl::Duration delay :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(1500), absl::Hours(9999)}) {
    EXPECT_EQ(RetryDelayOf(WithRetryDelay(absl::UnavailableError("busy"), delay)), delay);
  }
}

TEST(RetryDelay, IsARetryInfoToProtobuf) {
  const absl::Status status =
      WithRetryDelay(absl::ResourceExhaustedError("busy"), absl::Milliseconds(2250));
  google::rpc::RetryInfo info;
  ASSERT_TRUE(info.ParseFromString(std::string(*status.GetPayload(kType))));
  EXPECT_EQ(info.retry_delay().seconds(), 2);
  EXPECT_EQ(info.retry_delay().nanos(), 250'000'000);
}

TEST(RetryDelay, IsReadFromWhatProtobufWrote) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(300);
  absl::Status status = absl::UnavailableError("busy");
  status.SetPayload(kType, absl::Cord(info.SerializeAsString()));
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(300));
}

TEST(RetryDelay, IsNothingWhereThereIsNoneOrAMalformedOne) {
  EXPECT_EQ(RetryDelayOf(absl::UnavailableError("busy")), std::nullopt);
  google::rpc::RetryInfo negative;
  negative.mutable_retry_delay()->set_seconds(-1);
  for (const std::string& bytes :
       {std::string(), std::string("\x0a"), std::string("\x0a\x05\x08"),
        std::string("\x0a\x01\x08"), std::string(40, '\xff'), negative.SerializeAsString()}) {
    absl::Status status = absl::UnavailableError("busy");
    status.SetPayload(kType, absl::Cord(bytes));
    EXPECT_EQ(RetryDelayOf(status), std::nullopt);
  }
}

}  // namespace
}  // namespace grove::http

#include "client/retries.h"

#include <gtest/gtest.h>

#include "client/status_details.h"
#include "google/rpc/error_details.pb.h"

namespace grove::client {
namespace {

constexpr absl::Duration kNow = absl::Seconds(1000);

Retries Until(absl::Duration end, double random = 0) {
  return Retries(end, [random] { return random; });
}

// As the server says it.
absl::Status Refused(int code, const std::string& reason, int64_t retry_seconds) {
  google::rpc::Status status;
  status.set_code(code);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  status.add_details()->PackFrom(info);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(retry_seconds);
  if (retry_seconds > 0) status.add_details()->PackFrom(retry);
  return ToAbslStatus(status);
}

TEST(Retries, PausesGrowToABound) {
  Retries retries = Until(absl::InfiniteDuration());
  const absl::Status broke = absl::UnavailableError("Socket closed");
  EXPECT_EQ(retries.After(broke, true, kNow), absl::Milliseconds(50));
  EXPECT_EQ(retries.After(broke, true, kNow), absl::Milliseconds(100));
  EXPECT_EQ(retries.After(broke, true, kNow), absl::Milliseconds(200));
  for (int i = 0; i < 10; ++i) retries.After(broke, true, kNow);
  EXPECT_EQ(retries.After(broke, true, kNow), Retries::kPauseMax / 2);
}

TEST(Retries, PausesDiffer) {
  const absl::Status broke = absl::UnavailableError("Socket closed");
  EXPECT_EQ(Until(absl::InfiniteDuration(), 0.5).After(broke, true, kNow), absl::Milliseconds(75));
}

TEST(Retries, TheServersDelayIsRespected) {
  Retries retries = Until(absl::InfiniteDuration(), 0.5);
  EXPECT_EQ(retries.After(Refused(8, "QUEUE_FULL", 2), true, kNow), absl::Milliseconds(2100));
  EXPECT_EQ(retries.After(Refused(14, "DRAINING", 1), false, kNow), absl::Milliseconds(1050));
}

TEST(Retries, NothingIsTriedBeyondTheDeadline) {
  const absl::Status full = Refused(8, "QUEUE_FULL", 2);
  EXPECT_FALSE(Until(kNow + absl::Seconds(2)).After(full, true, kNow));
  EXPECT_TRUE(Until(kNow + absl::Seconds(3)).After(full, true, kNow));
}

TEST(Retries, WhatTheServerSaysForGoodStands) {
  Retries retries = Until(absl::InfiniteDuration());
  EXPECT_FALSE(retries.After(Refused(5, "TASK_NOT_FOUND", 0), true, kNow));
  EXPECT_FALSE(retries.After(Refused(14, "SUPERVISOR_GONE", 0), true, kNow));
  EXPECT_FALSE(retries.After(Refused(9, "TASK_ENDED", 1), true, kNow));
  EXPECT_FALSE(retries.After(absl::DeadlineExceededError("Deadline Exceeded"), true, kNow));
}

TEST(Retries, AServerThatWasNeverThereIsNotWaitedFor) {
  Retries retries = Until(absl::InfiniteDuration());
  EXPECT_FALSE(retries.After(absl::UnavailableError("connection refused"), false, kNow));
  EXPECT_TRUE(retries.After(absl::UnavailableError("connection refused"), true, kNow));
}

// gRPC 1.51 asks for connect()'s errno after other calls.
TEST(Retries, AFalseFailureToConnectIsTriedAgainThoughNobodyWasHeard) {
  const std::string begin = "failed to connect to all addresses; last error: UNKNOWN: ";
  const absl::Status wrong =
      absl::UnavailableError(begin + "ipv4:127.0.0.1:8091: No such file or directory");
  EXPECT_TRUE(IsFalseConnectFailure(wrong));
  EXPECT_TRUE(Until(absl::InfiniteDuration()).After(wrong, false, kNow));
  for (const char* right : {"ipv4:127.0.0.1:8091: Failed to connect to remote host: Connection "
                            "refused",
                            "unix:/run/grove.sock: No such file or directory"}) {
    const absl::Status status = absl::UnavailableError(begin + right);
    EXPECT_FALSE(IsFalseConnectFailure(status)) << right;
    EXPECT_FALSE(Until(absl::InfiniteDuration()).After(status, false, kNow)) << right;
  }
  EXPECT_FALSE(IsFalseConnectFailure(Refused(14, "STORE_UNAVAILABLE", 0)));
}

}  // namespace
}  // namespace grove::client

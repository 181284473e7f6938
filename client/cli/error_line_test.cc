#include "client/cli/error_line.h"

#include <gtest/gtest.h>

#include "client/cli/arguments.h"
#include "client/status_details.h"

namespace grove::client::cli {
namespace {

constexpr char kAddress[] = "127.0.0.1:8091";

TEST(ErrorLine, CarriesCodeReasonFieldsAndRetryDelay) {
  google::rpc::Status status;
  status.set_code(3);
  status.set_message("unknown function \"foo\"");
  google::rpc::ErrorInfo info;
  info.set_reason("UNKNOWN_FUNCTION");
  status.add_details()->PackFrom(info);
  google::rpc::BadRequest request;
  request.add_field_violations()->set_field("spec.function");
  request.mutable_field_violations(0)->set_description("must be one of echo");
  status.add_details()->PackFrom(request);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(20);
  status.add_details()->PackFrom(retry);
  EXPECT_EQ(ErrorLine("spawn", ToAbslStatus(status), kAddress),
            "grovectl: spawn: unknown function \"foo\" (INVALID_ARGUMENT, UNKNOWN_FUNCTION); "
            "spec.function: must be one of echo; try again in 20s");
}

TEST(ErrorLine, StaysOneHarmlessLine) {
  EXPECT_EQ(ErrorLine("get", absl::UnknownError("a\nb\x1b"), kAddress),
            "grovectl: get: a\\nb\\x1b (UNKNOWN)");
}

TEST(ErrorLine, ExplainsADaemonThatCannotBeReached) {
  const absl::Status refused = absl::UnavailableError(
      "failed to connect to all addresses; last error: UNKNOWN: Failed to connect to remote host: "
      "Connection refused");
  EXPECT_EQ(ErrorLine("get", refused, kAddress),
            "grovectl: cannot reach 127.0.0.1:8091: connection refused; is groved running?");
}

TEST(ErrorLine, ASocketIsMissingWhereTheAddressIsOne) {
  const absl::Status missing = absl::UnavailableError(
      "failed to connect to all addresses; last error: UNKNOWN: unix:/run/grove.sock: No such file "
      "or directory");
  EXPECT_EQ(ErrorLine("get", missing, "unix:/run/grove.sock"),
            "grovectl: cannot reach unix:/run/grove.sock: no such socket; is groved running?");
  const absl::Status of_tcp = absl::UnavailableError(
      "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:8091: No such file "
      "or directory");
  EXPECT_EQ(ErrorLine("get", of_tcp, kAddress),
            "grovectl: cannot reach 127.0.0.1:8091: no such file or directory; is groved running?");
}

TEST(ErrorLine, AConnectionThatBrokeWasThere) {
  for (const char* message :
       {"Socket closed", "recvmsg:No such file or directory", "recvmsg:Connection reset by peer"}) {
    EXPECT_EQ(ErrorLine("get", absl::UnavailableError(message), "unix:/run/grove.sock"),
              "grovectl: cannot reach unix:/run/grove.sock: the connection was closed; does the "
              "server want TLS (--ca_cert)?")
        << message;
  }
}

// Whatever its words are.
TEST(ErrorLine, WhatAServerAnsweredIsShown) {
  google::rpc::Status status;
  status.set_code(14);
  status.set_message("failed to connect: open tasks.db: no such file");
  google::rpc::ErrorInfo info;
  info.set_domain("grove");
  info.set_reason("STORE_UNAVAILABLE");
  status.add_details()->PackFrom(info);
  EXPECT_EQ(ErrorLine("tasks retry", ToAbslStatus(status), kAddress),
            "grovectl: tasks retry: failed to connect: open tasks.db: no such file (UNAVAILABLE, "
            "STORE_UNAVAILABLE)");
  status.clear_details();
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  status.add_details()->PackFrom(retry);
  EXPECT_EQ(ErrorLine("tasks retry", ToAbslStatus(status), kAddress),
            "grovectl: tasks retry: failed to connect: open tasks.db: no such file (UNAVAILABLE); "
            "try again in 2.00s");
}

TEST(ErrorLine, ADrainingServerIsReachable) {
  EXPECT_EQ(ErrorLine("get", absl::UnavailableError("the daemon drains"), kAddress),
            "grovectl: get: the daemon drains (UNAVAILABLE)");
}

TEST(ErrorLine, SpeaksOfGrovectlsOwnVerbsAndFlags) {
  google::rpc::Status status;
  status.set_code(3);
  status.set_message("spec.function: no worker has a function nope; ListFunctions shows them.");
  google::rpc::ErrorInfo info;
  info.set_domain("grove");
  status.add_details()->PackFrom(info);
  EXPECT_NE(
      ErrorLine("spawn", ToAbslStatus(status), kAddress)
          .find("FUNCTION: no worker has a function nope; \"grovectl functions\" lists them."),
      std::string::npos)
      << ErrorLine("spawn", ToAbslStatus(status), kAddress);
  status.set_message("my_page_size is no page_size; GetTask.");
  EXPECT_NE(ErrorLine("tasks", ToAbslStatus(status), kAddress)
                .find("my_page_size is no --limit; \"grovectl get\"."),
            std::string::npos);
  // What a function says is its own.
  EXPECT_EQ(ErrorLine("get", absl::UnknownError("GetTask failed"), kAddress),
            "grovectl: get: GetTask failed (UNKNOWN)");
}

TEST(ErrorLine, APlainErrorHasNoCode) {
  EXPECT_EQ(ErrorLine("backdoor", PlainError("no"), kAddress), "grovectl: backdoor: no");
}

TEST(ErrorLine, WrongUsagePointsToTheHelp) {
  EXPECT_EQ(ErrorLine("get", UsageError("needs TASK"), kAddress),
            "grovectl: get: needs TASK; see grovectl help get");
  EXPECT_EQ(ErrorLine("", UsageError("which verb?"), kAddress),
            "grovectl: which verb?; see grovectl help");
}

}  // namespace
}  // namespace grove::client::cli

#include "server/functions/send_request.h"

#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/test_server.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"
#include "server/functions/origin_gate.h"
#include "server/functions/webhook_signature.h"
#include "server/task_context_fixture.h"

namespace grove::functions {
namespace {

using http::TestServer;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Lets in all but those hosts that are busy, and notes who came and what became of it.
class NotedGate final : public OriginGate {
 public:
  Entry Enter(std::string_view tenant, const http::Url& url) override {
    const std::string who = absl::StrCat(std::string(tenant), " ", url.host);
    entered.push_back(who);
    Entry entry;
    entry.wait = absl::Seconds(7);
    if (url.host != busy) entry.pass = Pass{};
    return entry;
  }
  void Leave(const Pass&, const OriginAnswer& answer) override { answers.push_back(answer); }
  OriginStats stats() const override { return {}; }

  std::string busy;
  std::vector<std::string> entered;
  std::vector<OriginAnswer> answers;
};

class SendRequestTest : public ::testing::Test {
 protected:
  void Run(const std::function<void()>& body) {
    FetchPolicy policy;
    policy.allow.push_back(*AddressRange::Parse("127.0.0.0/8"));
    policy.limits.timeout = absl::Seconds(30);
    policy.concurrency_max = concurrency_max_;
    policy.secrets[{"acme", "orders"}] = secret_;
    policy.secrets[{"umbrella", "theirs"}] = secret_;
    fetch_ = *FetchClient::Create(std::move(policy));
    fetch_->set_origins(gate_);
    services_.emplace(WorkerServices{.worker = 0, .fetch = *fetch_, .offload = offload_});
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      server_.emplace();
      body();
      server_.reset();
    });
  }
  absl::StatusOr<Output> Send(json input) {
    if (!input.contains("url")) input["url"] = server_->Url("/");
    FakeTaskContext task(*services_, input.dump(),
                         {.task = "tenants/acme/queues/default/tasks/t7",
                          .tenant = "acme",
                          .function = "http.request"});
    return SendRequest(task);
  }
  void Answer(const std::string& head, const std::string& body = "") {
    server_->Answer("/", absl::StrCat("HTTP/1.1 ", head, "\r\nContent-Length: ", body.size(),
                                      "\r\n\r\n", body));
  }

  const std::string secret_ = ::testing::TempDir() + "/orders.secret";
  int concurrency_max_ = 256;
  OffloadPool offload_{{.threads = 1}};
  NotedGate gate_;
  std::unique_ptr<FetchClient> fetch_;
  std::optional<WorkerServices> services_;
  std::optional<TestServer> server_;
};

TEST_F(SendRequestTest, SaysWhatItWasAnswered) {
  Run([&] {
    Answer("201 Made\r\nX-A: b", "hello");
    const absl::StatusOr<Output> output = Send({{"method", "PUT"}, {"json", {{"n", 1}}}});
    ASSERT_TRUE(output.ok()) << output.status();
    const json said = json::parse(output->bytes);
    EXPECT_EQ(said["status"], 201);
    EXPECT_EQ(said["url"], server_->Url("/"));
    EXPECT_EQ(said["body"], "hello");
    EXPECT_EQ(said["headers"][0], json::array({"X-A", "b"}));
    EXPECT_EQ(said["redirects"], json::array());
    EXPECT_GE(said["time_ms"], 0);
    EXPECT_THAT(server_->requests()[0], HasSubstr("PUT / HTTP/1.1\r\n"));
    EXPECT_THAT(server_->requests()[0], HasSubstr("\r\n\r\n{\"n\":1}"));
    EXPECT_THAT(gate_.entered, ElementsAre("acme 127.0.0.1"));
    EXPECT_EQ(gate_.answers.at(0).kind, OriginAnswer::Kind::kAnswered);
  });
}

TEST_F(SendRequestTest, ComesAgainWithoutAFailureWhenItsOriginIsBusy) {
  gate_.busy = "127.0.0.1";
  Run([&] {
    const absl::Status status = Send({}).status();
    const auto asked = SuspensionOf(status);
    ASSERT_TRUE(asked.has_value()) << status;
    EXPECT_EQ(asked->at_most, absl::Seconds(7));
    EXPECT_EQ(server_->requests().size(), 0u);
    EXPECT_EQ(gate_.answers.size(), 0u);
  });
}

TEST_F(SendRequestTest, AsksTheOriginWhereARedirectLeads) {
  Run([&] {
    const std::string there = absl::StrCat("http://127.0.0.2:", server_->port(), "/next");
    server_->Answer("/", absl::StrCat("HTTP/1.1 302 There\r\nLocation: ", there,
                                      "\r\nContent-Length: 0\r\n\r\n"));
    gate_.busy = "127.0.0.2";
    const absl::Status status = Send({}).status();
    EXPECT_EQ(SuspensionOf(status).value_or(SuspensionRequest{}).at_most, absl::Seconds(7))
        << status;
    EXPECT_THAT(gate_.entered, ElementsAre("acme 127.0.0.1", "acme 127.0.0.2"));
    EXPECT_EQ(gate_.answers.size(), 1u) << "the first origin has answered";
    EXPECT_EQ(gate_.answers.at(0).kind, OriginAnswer::Kind::kAnswered);
  });
}

TEST_F(SendRequestTest, SaysWhichRedirectsItFollowed) {
  Run([&] {
    server_->Answer("/", "HTTP/1.1 302 There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
    server_->Answer("/b", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const absl::StatusOr<Output> output = Send({});
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(json::parse(output->bytes)["redirects"], json::array({server_->Url("/b")}));
    EXPECT_EQ(gate_.entered.size(), 1u) << "it is the same origin";
    EXPECT_FALSE(Send({{"redirects_max", 0}}).ok());
  });
}

TEST_F(SendRequestTest, TriesAgainWhatAnotherMomentMayMend) {
  Run([&] {
    Answer("429 Slow down\r\nRetry-After: 9");
    absl::Status status = Send({}).status();
    EXPECT_EQ(RetryAfterOf(status), absl::Seconds(9)) << status;
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kAnswered);
    EXPECT_EQ(gate_.answers.back().retry_after, absl::Seconds(9));
    Answer("503 Down", "we are\nout");
    status = Send({}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(status.message(), "the server answered 503: we are out");
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kFailed);
    Answer("404 Not there");
    EXPECT_TRUE(IsNeverAgain(Send({}).status()));
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kAnswered) << "the origin works";
    EXPECT_FALSE(IsNeverAgain(Send({{"retry_status", {404}}}).status()));
    EXPECT_TRUE(Send({{"expect_status", {"2xx", 404}}}).ok());
  });
}

TEST_F(SendRequestTest, CountsSilenceAndHangingUpAsFailures) {
  Run([&] {
    EXPECT_EQ(Send({{"url", server_->Url("/silent")}, {"timeout_s", 0.01}}).status().code(),
              absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kFailed);
    Answer("200 OK", "too much");
    EXPECT_FALSE(Send({{"response_bytes_max", 3}}).ok());
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kAnswered);
    const absl::Status refused = Send({{"url", "http://10.1.2.3/"}}).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied) << refused;
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kNothing);
  });
}

TEST_F(SendRequestTest, BlamesNoOriginForTheWantOfATurn) {
  concurrency_max_ = 1;
  Run([&] {
    FiberHandle first = *Spawn("first", [&] { (void)Send({{"url", server_->Url("/held")}}); });
    server_->AwaitRequests(1);
    {
      Timeout timeout(absl::Milliseconds(1));
      EXPECT_EQ(Send({}).status().code(), absl::StatusCode::kDeadlineExceeded);
    }
    EXPECT_EQ(gate_.answers.at(0).kind, OriginAnswer::Kind::kNothing);
    server_->Release("HTTP/1.1 204 At last\r\n\r\n");
    EXPECT_TRUE(first.Join().ok());
    EXPECT_EQ(gate_.answers.at(1).kind, OriginAnswer::Kind::kAnswered);
  });
}

TEST_F(SendRequestTest, SignsWithASecretOfItsTenant) {
  {
    std::ofstream(secret_) << "sixteen-bytes-or-more\n";
    chmod(secret_.c_str(), 0600);
  }
  Run([&] {
    Answer("204 Thanks");
    const auto by = [](const char* secret) { return json{{"secret", secret}}; };
    absl::Status sent = Send({{"body", "x"}, {"sign", by("orders")}}).status();
    ASSERT_TRUE(sent.ok()) << sent;
    const std::string& request = server_->requests()[0];
    EXPECT_THAT(request, HasSubstr("\r\nwebhook-id: t7\r\nwebhook-timestamp: "));
    EXPECT_THAT(request, HasSubstr("\r\nwebhook-signature: v1,"));
    const json by_body = {{"secret", "orders"}, {"scheme", "body_sha256"}, {"header", "X-Hub"}};
    sent = Send({{"body", "x"}, {"sign", by_body}}).status();
    ASSERT_TRUE(sent.ok()) << sent;
    EXPECT_THAT(
        server_->requests()[1],
        HasSubstr(absl::StrCat("\r\nX-Hub: ", BodySignature("sixteen-bytes-or-more", "x"))));
    for (const char* not_ours : {"theirs", "nobodys"}) {
      const absl::Status status = Send({{"sign", by(not_ours)}}).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr("this tenant has no secret"));
    }
  });
}

}  // namespace
}  // namespace grove::functions

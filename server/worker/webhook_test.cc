#include "server/worker/webhook.h"

#include <optional>

#include "gmock/gmock.h"
#include "http/client/test_server.h"
#include "runtime/hub/hub_fixture.h"
#include "server/functions/origin_gate.h"

namespace grove::worker {
namespace {

using functions::OriginAnswer;
using ::testing::HasSubstr;

functions::FetchResult Answer(int status, std::string retry_after = "") {
  functions::FetchResult answer{.status = status};
  if (!retry_after.empty()) answer.headers.emplace_back("Retry-After", std::move(retry_after));
  return answer;
}

TEST(JudgeWebhookAnswer, TakesTheReceiversWord) {
  EXPECT_TRUE(JudgeWebhookAnswer(Answer(200)).ok());
  EXPECT_TRUE(JudgeWebhookAnswer(Answer(299)).ok());
  EXPECT_TRUE(IsNeverAgain(JudgeWebhookAnswer(Answer(410))));
  for (const int status : {199, 302, 400, 404, 429, 500, 503}) {
    const absl::Status judged = JudgeWebhookAnswer(Answer(status));
    EXPECT_TRUE(absl::IsUnavailable(judged)) << status;
    EXPECT_EQ(RetryAfterOf(judged), std::nullopt) << status;
  }
  EXPECT_EQ(RetryAfterOf(JudgeWebhookAnswer(Answer(503, "7"))), absl::Seconds(7));
  EXPECT_EQ(RetryAfterOf(JudgeWebhookAnswer(Answer(503, "999999999"))), absl::Hours(24));
  EXPECT_EQ(RetryAfterOf(JudgeWebhookAnswer(Answer(503, "soon"))), std::nullopt);
}

class WebhookTask final : public TaskContext {
 public:
  WebhookTask(WorkerServices& services, std::string url, std::string body)
      : services_(services), url_(std::move(url)), body_(std::move(body)) {}

  std::string_view task() const override { return "tenants/acme/queues/default/tasks/t7"; }
  std::string_view tenant() const override { return "acme"; }
  std::string_view function() const override { return kWebhookFunction; }
  int attempt() const override { return 1; }
  std::string_view input() const override { return url_; }
  std::string_view content_type() const override { return ""; }
  absl::Time deadline() const override { return absl::InfiniteFuture(); }
  bool cancelled() const override { return false; }
  std::string_view checkpoint() const override { return body_; }
  void Heartbeat() override {}
  absl::Status Checkpoint(std::string) override { return absl::OkStatus(); }
  void ReportProgress(double, std::string_view) override {}
  void Log(std::string_view) override {}
  WorkerServices& services() override { return services_; }

 private:
  WorkerServices& services_;
  const std::string url_;
  const std::string body_;
};

// Lets nobody in while it is shut, and notes what became of those whom it let in.
class NotedGate final : public functions::OriginGate {
 public:
  Entry Enter(std::string_view tenant, const http::Url& url) override {
    entered.push_back(std::string(tenant) + " " + url.host);
    Entry entry;
    entry.wait = absl::Seconds(7);
    if (!is_shut) entry.pass = Pass{};
    return entry;
  }
  void Leave(const Pass&, const OriginAnswer& answer) override { answers.push_back(answer); }
  functions::OriginStats stats() const override { return {}; }

  bool is_shut = false;
  std::vector<std::string> entered;
  std::vector<OriginAnswer> answers;
};

class WebhookTest : public ::testing::Test {
 protected:
  void Run(const std::function<void()>& body) {
    functions::FetchPolicy policy;
    policy.allow.push_back(*AddressRange::Parse("127.0.0.0/8"));
    fetch_ = *functions::FetchClient::Create(std::move(policy));
    fetch_->set_origins(gate_);
    services_.emplace(WorkerServices{.worker = 0, .fetch = *fetch_, .offload = offload_});
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      server_.emplace();
      body();
      server_.reset();
    });
  }
  absl::Status Send() {
    WebhookTask task(*services_, server_->Url("/"), "{}");
    return WebhookFunction("")(task).status();
  }
  void Answer(const std::string& head) {
    server_->Answer("/", "HTTP/1.1 " + head + "\r\nContent-Length: 0\r\n\r\n");
  }

  OffloadPool offload_{{.threads = 1}};
  NotedGate gate_;
  std::unique_ptr<functions::FetchClient> fetch_;
  std::optional<WorkerServices> services_;
  std::optional<http::TestServer> server_;
};

TEST_F(WebhookTest, GoesOutByTheGateOfItsOriginWhichHearsWhatCameOfIt) {
  Run([&] {
    Answer("200 OK");
    EXPECT_TRUE(Send().ok());
    EXPECT_EQ(gate_.entered, std::vector<std::string>{"acme 127.0.0.1"});
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kAnswered);
    EXPECT_THAT(server_->requests()[0], HasSubstr("\r\n\r\n{}"));
    Answer("503 Down\r\nRetry-After: 9");
    EXPECT_EQ(RetryAfterOf(Send()), absl::Seconds(9));
    EXPECT_EQ(gate_.answers.back().kind, OriginAnswer::Kind::kFailed);
    EXPECT_EQ(gate_.answers.back().retry_after, absl::Seconds(9));
  });
}

TEST_F(WebhookTest, WhatIsPutOffComesAgainWithoutAFailure) {
  gate_.is_shut = true;
  Run([&] {
    const absl::Status status = Send();
    const auto asked = SuspensionOf(status);
    ASSERT_TRUE(asked.has_value()) << status;
    EXPECT_EQ(asked->at_most, absl::Seconds(7));
    EXPECT_EQ(server_->requests().size(), 0u);
    EXPECT_EQ(gate_.answers.size(), 0u);
  });
}

}  // namespace
}  // namespace grove::worker

#include "server/worker/webhook.h"

#include "gtest/gtest.h"

namespace grove::worker {
namespace {

functions::FetchResult Answer(int status, std::string retry_after = "") {
  functions::FetchResult answer{.status = status};
  if (!retry_after.empty()) answer.headers.emplace_back("Retry-After", std::move(retry_after));
  return answer;
}

// By Python's hmac.
TEST(WebhookSignature, IsThatOfStandardWebhooks) {
  const auto key = WebhookKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->size(), 24u);
  EXPECT_EQ(
      WebhookSignature(*key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})"),
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookKey, IsTheTextItselfOrItsBase64) {
  EXPECT_EQ(*WebhookKey("sixteen bytes or more"), "sixteen bytes or more");
  EXPECT_EQ(*WebhookKey("whsec_YWJj"), "abc");
  EXPECT_TRUE(absl::IsInvalidArgument(WebhookKey("whsec_%").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(WebhookKey("whsec_").status()));
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
  EXPECT_EQ(RetryAfterOf(JudgeWebhookAnswer(Answer(503, "Wed, 21 Oct 2026"))), std::nullopt);
}

}  // namespace
}  // namespace grove::worker

#include "server/worker/webhook.h"

#include "gtest/gtest.h"

namespace grove::worker {
namespace {

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

}  // namespace
}  // namespace grove::worker

#include "server/functions/webhook_signature.h"

#include "gtest/gtest.h"

namespace grove::functions {
namespace {

// By Python's hmac.
TEST(WebhookSignature, IsThatOfStandardWebhooks) {
  const auto key = WebhookKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->size(), 24u);
  EXPECT_EQ(
      WebhookSignature(*key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})"),
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

// GitHub's own example of X-Hub-Signature-256.
TEST(BodySignature, IsThatOfGithub) {
  EXPECT_EQ(BodySignature("It's a Secret to Everybody", "Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

TEST(WebhookKey, IsTheTextItselfOrItsBase64) {
  EXPECT_EQ(*WebhookKey("sixteen bytes or more"), "sixteen bytes or more");
  EXPECT_EQ(*WebhookKey("whsec_YWJj"), "abc");
  EXPECT_TRUE(absl::IsInvalidArgument(WebhookKey("whsec_%").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(WebhookKey("whsec_").status()));
}

}  // namespace
}  // namespace grove::functions

#include "server/http/middleware/bearer_auth.h"

#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

class BearerAuthTest : public MiddlewareFixture {
 protected:
  BearerAuthTest() {
    BearerTokens tokens;
    tokens.Add("ci", "secret-of-ci");
    tokens.Add("web", "secret-of-web");
    middleware_ = BearerAuth(std::move(tokens), "grove");
  }
  Answered AskWith(std::string_view authorization) {
    fields_ = {{"authorization", authorization}};
    return Ask(middleware_, [this](Request& request, Response& response) {
      ++handled_;
      return response.Send(200, "", request.context.token);
    });
  }
  Middleware middleware_;
};

TEST_F(BearerAuthTest, NamesTheTokenThatWasGiven) {
  EXPECT_EQ(AskWith("Bearer secret-of-ci").Body(), "ci");
  EXPECT_EQ(AskWith("bearer  secret-of-web ").Body(), "web");
}

TEST_F(BearerAuthTest, RefusesEverythingElseWithAChallenge) {
  for (const char* authorization :
       {"", "Bearer", "Bearer ", "Bearer wrong", "Bearer secret-of-c", "Bearer secret-of-ci2",
        "Basic secret-of-ci", "secret-of-ci", "Bearersecret-of-ci"}) {
    const Answered answered = AskWith(authorization);
    EXPECT_EQ(answered.status, 401) << authorization;
    EXPECT_EQ(answered.Field("WWW-Authenticate"),
              "Bearer realm=\"grove\", error=\"invalid_token\"");
  }
  EXPECT_EQ(handled_, 0);
}

TEST_F(BearerAuthTest, TellsNoErrorToWhoSentNoCredentials) {
  fields_ = {};
  EXPECT_EQ(Ask(middleware_).Field("WWW-Authenticate"), "Bearer realm=\"grove\"");
  EXPECT_EQ(handled_, 0);
}

TEST(BearerTokens, KnowsNothingWhenEmpty) {
  EXPECT_EQ(BearerTokens().Find(""), nullptr);
}

}  // namespace
}  // namespace grove::http

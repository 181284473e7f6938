#include "server/http/middleware/cors.h"

#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

class CorsTest : public MiddlewareFixture {
 protected:
  Answered AskFrom(const CorsOptions& options, std::string_view origin) {
    fields_ = {{"Origin", origin}};
    return Ask(Cors(options));
  }
  Answered Preflight(const CorsOptions& options, std::string_view origin) {
    method_ = "OPTIONS";
    fields_ = {{"Origin", origin}, {"Access-Control-Request-Method", "PUT"}};
    return Ask(Cors(options));
  }
};

TEST_F(CorsTest, OpensAResponseToAnAllowedOriginAlone) {
  const CorsOptions options{.origins = {"https://a.org"}, .response_headers = {"X-Sum", "ETag"}};
  const Answered allowed = AskFrom(options, "https://a.org");
  EXPECT_EQ(allowed.Field("Access-Control-Allow-Origin"), "https://a.org");
  EXPECT_EQ(allowed.Field("Access-Control-Expose-Headers"), "X-Sum, ETag");
  EXPECT_EQ(allowed.Field("Access-Control-Allow-Credentials"), "");
  const Answered other = AskFrom(options, "https://b.org");
  EXPECT_EQ(other.Field("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(other.Field("Access-Control-Expose-Headers"), "");
  for (const Answered& answered : {allowed, other, Ask(Cors(options))}) {
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.Field("Vary"), "Origin");
  }
}

TEST_F(CorsTest, AnswersTheSameToAllOriginsWithAStar) {
  const Answered answered = AskFrom({.origins = {"*"}}, "https://b.org");
  EXPECT_EQ(answered.Field("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(answered.Field("Vary"), "");
}

TEST_F(CorsTest, NamesTheOriginWithCredentials) {
  const Answered answered =
      AskFrom({.origins = {"https://*.a.org"}, .credentials = true}, "https://x.a.org");
  EXPECT_EQ(answered.Field("Access-Control-Allow-Origin"), "https://x.a.org");
  EXPECT_EQ(answered.Field("Access-Control-Allow-Credentials"), "true");
}

TEST_F(CorsTest, AnswersAPreflightWithoutTheHandler) {
  const CorsOptions options{.origins = {"https://a.org"},
                            .methods = {"PUT", "DELETE"},
                            .request_headers = {"X-One", "X-Two"},
                            .max_age = absl::Seconds(60)};
  const Answered answered = Preflight(options, "https://a.org");
  EXPECT_EQ(answered.status, 204);
  EXPECT_EQ(answered.Field("Access-Control-Allow-Origin"), "https://a.org");
  EXPECT_EQ(answered.Field("Access-Control-Allow-Methods"), "PUT, DELETE");
  EXPECT_EQ(answered.Field("Access-Control-Allow-Headers"), "X-One, X-Two");
  EXPECT_EQ(answered.Field("Access-Control-Max-Age"), "60");
  EXPECT_THAT(answered.Field("Vary"), HasSubstr("Origin | Access-Control-Request-Method"));
  EXPECT_EQ(Preflight(options, "https://b.org").Field("Access-Control-Allow-Methods"), "");
  EXPECT_EQ(handled_, 0);
}

TEST_F(CorsTest, LeavesOtherOptionsRequestsToTheHandler) {
  method_ = "OPTIONS";
  EXPECT_EQ(AskFrom({.origins = {"*"}}, "https://a.org").status, 200);
  EXPECT_EQ(handled_, 1);
}

TEST_F(CorsTest, OpensTheAnswerToAFailedHandlerToo) {
  fields_ = {{"Origin", "https://a.org"}};
  size_t always = 0;
  Ask(Cors({.origins = {"https://a.org"}}), [&](Request&, Response& response) {
    response.Add("X-Own", "lost");
    always = response.always().size();
    return absl::InternalError("no");
  });
  EXPECT_EQ(always, 2) << "Vary and Access-Control-Allow-Origin";
}

TEST(CorsOrigins, MatchExactlyOrByLabels) {
  const CorsOptions options{.origins = {"https://a.org", "https://*.b.org", "http://*.c.org:81"}};
  for (const char* origin :
       {"https://a.org", "https://x.b.org", "https://x.y.b.org", "http://x.c.org:81"}) {
    EXPECT_TRUE(IsAllowedOrigin(options, origin)) << origin;
  }
  for (const char* origin :
       {"", "null", "http://a.org", "https://a.org:443", "https://a.org.evil.org", "https://b.org",
        "https://.b.org", "https://evilb.org", "https://evil.org/.b.org", "https://evil:1.b.org",
        "http://x.c.org"}) {
    EXPECT_FALSE(IsAllowedOrigin(options, origin)) << origin;
  }
}

TEST(CheckCors, RefusesWhatIsNoPolicy) {
  EXPECT_TRUE(CheckCors({.origins = {"*"}}).ok());
  EXPECT_TRUE(CheckCors({.origins = {"http://localhost:3000"}, .credentials = true}).ok());
  const CorsOptions wrong[] = {
      {},
      {.origins = {"a.org"}},
      {.origins = {"https://a.org/"}},
      {.origins = {"https://A.org"}},
      {.origins = {"https://*"}},
      {.origins = {"https://a.*.org"}},
      {.origins = {"https://*."}},
      {.origins = {"*"}, .credentials = true},
      {.origins = {"https://a.org"}, .request_headers = {"*"}, .credentials = true},
      {.origins = {"https://a.org"}, .methods = {"a b"}},
      {.origins = {"https://a.org"}, .response_headers = {"a\r\nb"}},
  };
  for (const CorsOptions& options : wrong) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckCors(options)));
  }
}

}  // namespace
}  // namespace grove::http

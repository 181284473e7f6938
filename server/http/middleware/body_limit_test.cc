#include "server/http/middleware/body_limit.h"

#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

class BodyLimitTest : public MiddlewareFixture {
 protected:
  Answered Echo(const Middleware& middleware) {
    return Ask(middleware, [this](Request& request, Response& response) -> absl::Status {
      ++handled_;
      absl::StatusOr<std::string> body = request.ReadWholeBody();
      return body.ok() ? response.Send(200, "", *body) : body.status();
    });
  }
};

TEST_F(BodyLimitTest, RefusesALongerDeclaredBodyBeforeTheHandler) {
  fields_ = {{"Content-Length", "4"}};
  EXPECT_EQ(Echo(BodyLimit(3)).status, 413);
  EXPECT_EQ(handled_, 0);
  EXPECT_EQ(Echo(BodyLimit(4)).status, 200);
}

TEST_F(BodyLimitTest, RefusesALongerChunkedBodyWhenItHasCome) {
  body_ = "abcd";
  EXPECT_EQ(Echo(BodyLimit(3)).status, 413);
  EXPECT_EQ(handled_, 1);
  EXPECT_EQ(Echo(BodyLimit(4)).Body(), "abcd");
}

TEST_F(BodyLimitTest, CutsAResponseThatHasBegun) {
  body_ = "abcd";
  const Answered answered = Ask(BodyLimit(3), [](Request& request, Response& response) {
    EXPECT_TRUE(response.Write("begun").ok());
    return request.ReadWholeBody().status();
  });
  EXPECT_TRUE(absl::IsResourceExhausted(answered.result));
  EXPECT_FALSE(answered.finished);
}

}  // namespace
}  // namespace grove::http

#include "server/http/middleware/request_id.h"

#include "runtime/hub/hub.h"
#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

using ::testing::MatchesRegex;

class RequestIdTest : public MiddlewareFixture {
 protected:
  RequestIdTest() {
    const std::string ranges[] = {"10.0.0.0/8"};
    middleware_ = RequestId(*TrustedAddresses::Parse(ranges));
  }
  // On a fiber, as requests are: it is the fiber that has the id.
  template <typename... Handlers>
  Answered Ask(const Middleware& middleware, const Handlers&... handler) {
    Answered answered;
    const absl::Status ran = (*Hub::Create())->Run([&] {
      answered = MiddlewareFixture::Ask(middleware, handler...);
      return absl::OkStatus();
    });
    EXPECT_TRUE(ran.ok()) << ran;
    return answered;
  }
  Middleware middleware_;
};

TEST_F(RequestIdTest, GeneratesADifferentIdForEachRequest) {
  const std::string first = Ask(middleware_).Field("X-Request-Id");
  EXPECT_THAT(first, MatchesRegex("[0-9a-f]{32}"));
  EXPECT_NE(Ask(middleware_).Field("X-Request-Id"), first);
}

TEST_F(RequestIdTest, TakesASaneIdOfATrustedPeerOnly) {
  fields_ = {{"x-request-id", "from-proxy"}};
  EXPECT_NE(Ask(middleware_).Field("X-Request-Id"), "from-proxy");
  client_ = "10.0.0.1";
  EXPECT_EQ(Ask(middleware_).Field("X-Request-Id"), "from-proxy");
  fields_ = {{"x-request-id", "a b"}};
  EXPECT_THAT(Ask(middleware_).Field("X-Request-Id"), MatchesRegex("[0-9a-f]{32}"));
}

TEST_F(RequestIdTest, ShowsItToTheHandler) {
  std::string seen;
  const Answered answered = Ask(middleware_, [&](Request& request, Response&) {
    seen = request.context.id;
    return absl::OkStatus();
  });
  EXPECT_EQ(answered.Field("X-Request-Id"), seen);
  EXPECT_EQ(seen.size(), 32);
}

TEST(IsSaneRequestId, BoundsLengthAndCharacters) {
  for (const char* id : {"a", "0aZ-._~+/=:@", "4bf92f35-77b3"})
    EXPECT_TRUE(IsSaneRequestId(id)) << id;
  for (const char* id : {"", "a b", "a\"", "a\n", "a,b", "\xc3\xa9", "<"}) {
    EXPECT_FALSE(IsSaneRequestId(id)) << id;
  }
  EXPECT_TRUE(IsSaneRequestId(std::string(kRequestIdBytesMax, 'a')));
  EXPECT_FALSE(IsSaneRequestId(std::string(kRequestIdBytesMax + 1, 'a')));
}

}  // namespace
}  // namespace grove::http

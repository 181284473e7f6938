#include "server/http/middleware/rate_limit.h"

#include "runtime/hub/hub_fixture.h"
#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

using Key = RateLimitOptions::Key;

class RateLimitTest : public MiddlewareFixture {
 protected:
  // On a hub whose time is invented.
  void OnHub(const std::function<void()>& body) {
    FakeClock clock;
    auto hub = *Hub::Create({.clock = &clock, .poller = std::make_unique<FakePoller>(clock)});
    RunOn(*hub, body);
  }
  static RateLimitOptions Options(int64_t burst, absl::Duration interval) {
    RateLimitOptions options;
    options.buckets = {.interval = interval, .burst = burst};
    return options;
  }
  std::string KeyOf(Key key) {
    RateLimitOptions options;
    options.key = key;
    options.header = "X-Key";
    Request request{.fields = fields_};
    request.context.client = client_;
    request.context.tenant = "acme";
    request.context.token = "ci";
    return RateLimitKey(options, request);
  }
};

TEST_F(RateLimitTest, Answers429WithRetryAfterAndAdmitsAgainThen) {
  OnHub([this] {
    const Middleware limit = RateLimit(Options(1, absl::Milliseconds(1500)));
    EXPECT_EQ(Ask(limit).status, 200);
    const Answered refused = Ask(limit);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.Field("Retry-After"), "2");
    EXPECT_EQ(handled_, 1);
    ASSERT_TRUE(Sleep(absl::Milliseconds(1500)).ok());
    EXPECT_EQ(Ask(limit).status, 200);
  });
}

TEST_F(RateLimitTest, TellsTheLimitWhereItIsTo) {
  OnHub([this] {
    RateLimitOptions options = Options(2, absl::Seconds(10));
    EXPECT_EQ(Ask(RateLimit(options)).Field("RateLimit-Limit"), "");
    options.fields = true;
    const Answered answered = Ask(RateLimit(options));
    EXPECT_EQ(answered.Field("RateLimit-Limit"), "2");
    EXPECT_EQ(answered.Field("RateLimit-Remaining"), "1");
    EXPECT_EQ(answered.Field("RateLimit-Reset"), "10");
  });
}

TEST_F(RateLimitTest, CountsForItsKey) {
  fields_ = {{"x-key", "value"}};
  EXPECT_EQ(KeyOf(Key::kClient), "192.0.2.1");
  EXPECT_EQ(KeyOf(Key::kTenant), "acme");
  EXPECT_EQ(KeyOf(Key::kToken), "ci");
  EXPECT_EQ(KeyOf(Key::kHeader), "value");
  EXPECT_EQ(KeyOf(Key::kRoute), "");
}

TEST_F(RateLimitTest, TakesAnIpv6NetworkForOneClient) {
  client_ = "2001:db8::1";
  const std::string one = KeyOf(Key::kClient);
  client_ = "2001:db8::ffff:2";
  EXPECT_EQ(KeyOf(Key::kClient), one);
  client_ = "2001:db8:0:1::1";
  EXPECT_NE(KeyOf(Key::kClient), one);
  client_ = "::ffff:192.0.2.1";
  EXPECT_EQ(KeyOf(Key::kClient), "192.0.2.1");
}

}  // namespace
}  // namespace grove::http

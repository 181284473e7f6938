#include "server/worker/shared_origins.h"

#include "runtime/hub/hub_fixture.h"

namespace grove::worker {
namespace {

using functions::OriginAnswer;
using functions::OriginBound;

// Two workers of one daemon, on one hub.
class SharedOriginsTest : public HubTest {
 protected:
  SharedOriginsTest() { config_.mutable_per_origin()->set_concurrency_max(1); }

  const http::Url url_ = *http::Url::Parse("http://a.example.org/x");
  config::v1::Fetch config_;
  metrics::Scoreboard board_ = *metrics::Scoreboard::Create(2);
};

TEST_F(SharedOriginsTest, BoundATenantAtAnOriginOverAllWorkers) {
  Run([&] {
    SharedOrigins one(board_, 0, config_), other(board_, 1, config_);
    const auto first = one.Enter("acme", url_);
    ASSERT_TRUE(first.pass.has_value());
    const auto second = other.Enter("acme", *http::Url::Parse("http://a.example.org:80/y?z"));
    EXPECT_FALSE(second.pass.has_value());
    EXPECT_EQ(second.bound, OriginBound::kConcurrency);
    EXPECT_EQ(other.stats().put_off[0], 1u);
    EXPECT_TRUE(other.Enter("umbrella", url_).pass.has_value()) << "tenants have their own";
    EXPECT_TRUE(other.Enter("acme", *http::Url::Parse("https://a.example.org/")).pass.has_value());
    one.Leave(*first.pass, {.kind = OriginAnswer::Kind::kAnswered});
    EXPECT_TRUE(other.Enter("acme", url_).pass.has_value());
    board_.Fold(1);
    EXPECT_TRUE(one.Enter("acme", url_).pass.has_value()) << "its worker is dead";
  });
}

TEST_F(SharedOriginsTest, CountOpenings) {
  Run([&] {
    SharedOrigins origins(board_, 0, config_);
    for (int i = 0; i < 5; ++i) {
      const auto entry = origins.Enter("acme", url_);
      ASSERT_TRUE(entry.pass.has_value());
      origins.Leave(*entry.pass, {.kind = OriginAnswer::Kind::kFailed});
    }
    EXPECT_EQ(origins.stats().breaker_openings, 1u);
    EXPECT_EQ(origins.Enter("acme", url_).bound, OriginBound::kBreaker);
    EXPECT_EQ(origins.stats().put_off[static_cast<size_t>(OriginBound::kBreaker)], 1u);
  });
}

}  // namespace
}  // namespace grove::worker

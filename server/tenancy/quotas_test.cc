#include "server/tenancy/quotas.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "grove/config/v1/config.pb.h"
#include "gtest/gtest.h"

namespace grove::tenancy {
namespace {

Limits Of(std::initializer_list<const char*> patterns) {
  Limits limits;
  for (const char* pattern : patterns) {
    EXPECT_EQ(CheckPattern(pattern), "") << pattern;
    Limit limit;
    limit.pattern = pattern;
    limits.Set(std::move(limit));
  }
  return limits;
}

std::string For(const Limits& limits, const char* key) {
  const Limit* found = limits.Find(key);
  return found == nullptr ? "none" : found->pattern;
}

TEST(Limits, TheMostSpecificOneHolds) {
  const Limits limits = Of({"*", "customer-*", "customer-7", "customer-7*", "*/*", "*/route-a",
                            "customer-*/route-*", "customer-*/*", "customer-7/*"});
  EXPECT_EQ(For(limits, "else"), "*");
  EXPECT_EQ(For(limits, "customer-8"), "customer-*");
  EXPECT_EQ(For(limits, "customer-"), "customer-*") << "a beginning may be all";
  EXPECT_EQ(For(limits, "customer-7"), "customer-7");
  EXPECT_EQ(For(limits, "customer-77"), "customer-7*");
  EXPECT_EQ(For(limits, "else/route-b"), "*/*");
  EXPECT_EQ(For(limits, "else/route-a"), "*/route-a");
  EXPECT_EQ(For(limits, "customer-8/route-a"), "customer-*/route-*");
  EXPECT_EQ(For(limits, "customer-8/other"), "customer-*/*");
  EXPECT_EQ(For(limits, "customer-7/route-a"), "customer-7/*") << "the first key decides";
}

TEST(Limits, OneOfOneKeyHoldsForNoTwo) {
  const Limits one = Of({"*", "a"});
  EXPECT_EQ(For(one, "a/b"), "none");
  const Limits two = Of({"*/*", "a/b"});
  EXPECT_EQ(For(two, "a"), "none");
  EXPECT_EQ(For(two, "a/b"), "a/b");
  EXPECT_EQ(For(Limits(), "a"), "none");
}

TEST(Limits, AWholeFirstKeyWithoutSuchASecondGivesWay) {
  const Limits limits = Of({"a/x", "*/y"});
  EXPECT_EQ(For(limits, "a/x"), "a/x");
  EXPECT_EQ(For(limits, "a/y"), "*/y");
}

TEST(Limits, AreReplacedAndDropped) {
  Limits limits = Of({"a", "a/b"});
  Limit more;
  more.pattern = "a";
  more.running_max = 9;
  limits.Set(more);
  EXPECT_EQ(limits.all().size(), 2u);
  EXPECT_EQ(limits.Find("a")->running_max, 9);
  EXPECT_TRUE(limits.Drop("a"));
  EXPECT_FALSE(limits.Drop("a"));
  EXPECT_EQ(For(limits, "a"), "none");
  EXPECT_EQ(For(limits, "a/b"), "a/b");
  EXPECT_TRUE(limits.Drop("a/b"));
  EXPECT_EQ(For(limits, "a/b"), "none");
}

TEST(Limits, PatternsHaveAForm) {
  for (const char* good : {"*", "a", "a*", "*/*", "a/b*", "customer:7/route.a"}) {
    EXPECT_EQ(CheckPattern(good), "") << good;
  }
  const std::string longest(kLimitKeyBytesMax, 'x');
  EXPECT_EQ(CheckPattern(longest + "*/" + longest), "");
  for (const std::string& bad :
       {std::string(""), std::string("/"), std::string("a/"), std::string("/b"),
        std::string("a/b/c"), std::string("*a"), std::string("a**"), std::string("a b"),
        std::string("a\x80"), longest + "x"}) {
    EXPECT_NE(CheckPattern(bad), "") << bad;
  }
  EXPECT_TRUE(IsLimitKey(longest));
  EXPECT_FALSE(IsLimitKey(longest + "x"));
  EXPECT_FALSE(IsLimitKey(""));
  EXPECT_FALSE(IsLimitKey("a*"));
}

std::string WrongOf(const config::v1::Quotas& quotas) {
  const auto wrong = CheckBounds(quotas);
  return wrong ? std::string(wrong->field) : "";
}

TEST(Quotas, AreWithinBounds) {
  config::v1::Quotas quotas;
  EXPECT_EQ(WrongOf(quotas), "");
  quotas.set_running_max(kRunningQuotaMax);
  EXPECT_EQ(WrongOf(quotas), "");
  quotas.set_running_max(kRunningQuotaMax + 1);
  EXPECT_EQ(WrongOf(quotas), "running_max");
  quotas.set_running_max(0);
  quotas.set_queued_max(-1);
  EXPECT_EQ(WrongOf(quotas), "queued_max");
  quotas.set_queued_max(0);
  quotas.set_queued_bytes_max(-1);
  EXPECT_EQ(WrongOf(quotas), "queued_bytes_max");
  quotas.set_queued_bytes_max(0);
  quotas.set_output_bytes_max(kOutputBytesQuotaMax + 1);
  EXPECT_EQ(WrongOf(quotas), "output_bytes_max");
  quotas.set_output_bytes_max(0);
  quotas.set_payload_bytes_max(kPayloadBytesQuotaMax + 1);
  EXPECT_EQ(WrongOf(quotas), "payload_bytes_max");
  quotas.set_payload_bytes_max(kPayloadBytesQuotaMax);
  EXPECT_EQ(QuotasOf(quotas).payload_bytes_max, kPayloadBytesQuotaMax);
  quotas.set_spawn_burst(1);
  EXPECT_EQ(WrongOf(quotas), "spawn_burst") << "of no rate";
  quotas.set_spawns_per_second(1);
  EXPECT_EQ(WrongOf(quotas), "");
  quotas.set_spawns_per_minute(1);
  EXPECT_EQ(WrongOf(quotas), "spawns_per_minute") << "both";
}

TEST(Quotas, ThoseOfHttpAreWithinBounds) {
  config::v1::Quotas quotas;
  quotas.set_http_requests_max(kHttpRequestsQuotaMax);
  quotas.set_fetches_max(kFetchesQuotaMax);
  quotas.set_http_requests_per_minute(kHttpPerMinuteMax);
  quotas.set_http_burst(kHttpBurstMax);
  EXPECT_EQ(WrongOf(quotas), "");
  EXPECT_EQ(QuotasOf(quotas).http, (HttpQuotas{.requests_max = kHttpRequestsQuotaMax,
                                               .per_minute = kHttpPerMinuteMax,
                                               .burst = kHttpBurstMax,
                                               .fetches_max = kFetchesQuotaMax}));
  quotas.set_http_requests_max(kHttpRequestsQuotaMax + 1);
  EXPECT_EQ(WrongOf(quotas), "http_requests_max");
  quotas.set_http_requests_max(0);
  quotas.set_fetches_max(-1);
  EXPECT_EQ(WrongOf(quotas), "fetches_max");
  quotas.set_fetches_max(0);
  quotas.set_http_requests_per_second(kHttpPerSecondMax + 1);
  EXPECT_EQ(WrongOf(quotas), "http_requests_per_second");
  quotas.set_http_requests_per_second(1);
  EXPECT_EQ(WrongOf(quotas), "http_requests_per_minute") << "both";
  quotas.set_http_requests_per_second(0);
  quotas.set_http_requests_per_minute(0);
  EXPECT_EQ(WrongOf(quotas), "http_burst") << "of no rate";
}

TEST(Quotas, RatesCountBySecondOrMinute) {
  EXPECT_EQ(RateOf(0, 0, 0), Rate());
  EXPECT_EQ(RateOf(4, 0, 0), (Rate{.interval_ns = 250'000'000, .burst = 4}));
  EXPECT_EQ(RateOf(0, 6, 0), (Rate{.interval_ns = 10'000'000'000, .burst = 6}));
  EXPECT_EQ(RateOf(0, 6, 1), (Rate{.interval_ns = 10'000'000'000, .burst = 1}));
  // A burst of the slowest rate is no overflow.
  const Rate slowest = RateOf(0, 1, kSpawnBurstMax);
  Gcra gcra;
  gcra.Take(slowest, int64_t{4'000'000'000} * 1'000'000'000 / 2);
  EXPECT_EQ(gcra.WaitNs(slowest, int64_t{2'000'000'000} * 1'000'000'000), 0);
  const Rate largest = RateOf(0, 1, kHttpBurstMax);
  EXPECT_GT(largest.burst, 70'000'000);
  EXPECT_EQ(Gcra().WaitNs(largest, 1), 0);
  EXPECT_GT(largest.interval_ns * largest.burst, 0);
}

}  // namespace
}  // namespace grove::tenancy

#include "server/config/effect.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config/schema.h"

namespace grove::config {
namespace {

using ::testing::HasSubstr;

bool Covers(std::string_view prefix, std::string_view key) {
  return prefix.ends_with('.') ? key.starts_with(prefix) : key == prefix;
}

TEST(Effect, StandsForEveryKeyOfTheSchema) {
  for (const SchemaRow& row : DescribeSchema()) {
    const auto rows = DescribeEffects();
    EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [&](const EffectRow& e) {
      return Covers(e.prefix, row.key);
    })) << row.key;
  }
}

TEST(Effect, OfEachRowIsSomeKeys) {
  for (const EffectRow& effect : DescribeEffects()) {
    const auto rows = DescribeSchema();
    EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [&](const SchemaRow& r) {
      return Covers(effect.prefix, r.key);
    })) << effect.prefix;
  }
}

TEST(Effect, OfTheLongestPrefixHolds) {
  EXPECT_EQ(EffectOf("runtime.fibers_max"), Effect::kReplacesWorkers);
  EXPECT_EQ(EffectOf("runtime.stuck_ms"), Effect::kNeedsRestart);
  EXPECT_EQ(EffectOf("runtime.stuck_kill_ms"), Effect::kInPlace);
}

TEST(Effect, IsFoundByIndexByNameAndForWholeEntries) {
  const Effect tenants = EffectOf("tenants[].pools[].size");
  EXPECT_NE(tenants, Effect::kNeedsRestart);
  for (const char* key : {"tenants[acme].pools[mail].size", "tenants[0].pools[2]", "tenants[acme]",
                          "tenants", "tenants[a.b].queues[c].order"}) {
    EXPECT_EQ(EffectOf(key), tenants) << key;
  }
  EXPECT_EQ(EffectOf("http.listeners[front].tls"), EffectOf("http.listeners[].address"));
  EXPECT_EQ(EffectOf("include"), EffectOf("include[]"));
}

TEST(Effect, OfWhatIsNoKeyIsTheSeverest) {
  EXPECT_EQ(EffectOf("workersx"), Effect::kNeedsRestart);
  EXPECT_EQ(EffectOf(""), Effect::kNeedsRestart);
}

TEST(Effect, IsPrintedWithItsKey) {
  EXPECT_THAT(FormatSchema(), HasSubstr("      default: 30000\n      a change: in place\n"));
}

}  // namespace
}  // namespace grove::config

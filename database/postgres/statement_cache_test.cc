#include "database/postgres/statement_cache.h"

#include <gtest/gtest.h>

namespace grove::postgres {
namespace {

TEST(StatementCacheTest, KnowsStatementsByTextAndTypes) {
  StatementCache cache(4);
  EXPECT_EQ(cache.Find("SELECT $1", {1}), nullptr);
  cache.Add("SELECT $1", {1}, "a");
  EXPECT_EQ(*cache.Find("SELECT $1", {2}), "a");
  EXPECT_EQ(cache.Find("SELECT $1", {int64_t{1}}), nullptr);
  EXPECT_EQ(cache.Find("SELECT $1", {}), nullptr);
  cache.Remove("SELECT $1", {1});
  EXPECT_EQ(cache.Find("SELECT $1", {1}), nullptr);
}

TEST(StatementCacheTest, TheOneUsedLongestAgoMakesRoom) {
  StatementCache cache(2);
  cache.Add("a", {}, "A");
  EXPECT_EQ(cache.Evict(), std::nullopt);
  cache.Add("b", {}, "B");
  EXPECT_NE(cache.Find("a", {}), nullptr);
  EXPECT_EQ(cache.Evict(), "B");
  EXPECT_EQ(cache.Evict(), std::nullopt);
  EXPECT_EQ(cache.size(), 1u);
  cache.Clear();
  EXPECT_EQ(cache.Find("a", {}), nullptr);
}

TEST(StatementCacheTest, NamesAreNewEachTime) {
  StatementCache cache(1);
  EXPECT_NE(cache.NewName(), cache.NewName());
  EXPECT_TRUE(cache.enabled());
  EXPECT_FALSE(StatementCache(0).enabled());
}

}  // namespace
}  // namespace grove::postgres

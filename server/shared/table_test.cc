#include "server/shared/table.h"

#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "gtest/gtest.h"
#include "runtime/hub/fake_clock.h"
#include "server/shared/table_memory.h"

namespace grove::shared {
namespace {

class TableTest : public testing::Test {
 protected:
  std::string Get(std::string_view key) {
    const absl::StatusOr<SharedRow> row = table_.Get(key);
    return row.ok() ? row->value : row.status().ToString();
  }

  FakeClock clock_;
  TableMemory memory_ = *TableMemory::Create({.rows = 8, .value_bytes = 64}, /*first_token=*/1);
  Table table_{&memory_, clock_};
};

TEST_F(TableTest, AValueIsThereUntilItExpiresOrIsErased) {
  EXPECT_EQ(table_.Get("k").status(), absl::NotFoundError("the shared table has no row 'k'"));
  ASSERT_TRUE(table_.Put("k", "1", absl::Seconds(10)).ok());
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(Get("k"), "1");
  EXPECT_EQ(table_.Get("k")->left, absl::Seconds(1));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(absl::IsNotFound(table_.Get("k").status()));
  ASSERT_TRUE(table_.Put("k", "2").ok());
  EXPECT_EQ(table_.Get("k")->left, absl::InfiniteDuration());
  EXPECT_TRUE(*table_.Erase("k"));
  EXPECT_FALSE(*table_.Erase("k"));
}

TEST_F(TableTest, ACounterBeginsWhereItIsToldAndKeepsItsFirstExpiry) {
  EXPECT_EQ(*table_.Add("c", 5, {.initial = 100, .expiry = absl::Seconds(10)}), 105);
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(*table_.Add("c", -6, {.initial = 100, .expiry = absl::Seconds(10)}), 99);
  EXPECT_EQ(Get("c"), "99");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(*table_.Add("c", 1), 1);
}

TEST_F(TableTest, WhatIsNoNumberIsNotAddedTo) {
  ASSERT_TRUE(table_.Put("k", "7 apples").ok());
  EXPECT_EQ(table_.Add("k", 1).status(),
            absl::FailedPreconditionError("row 'k' of the shared table holds no number"));
  ASSERT_TRUE(table_.Put("k", std::to_string(std::numeric_limits<int64_t>::max())).ok());
  EXPECT_TRUE(absl::IsOutOfRange(table_.Add("k", 1).status()));
  EXPECT_EQ(Get("k"), std::to_string(std::numeric_limits<int64_t>::max()));
}

TEST_F(TableTest, AnUpdateMakesTheNewValueOfTheOld) {
  const auto append = [](const std::optional<std::string>& before) -> absl::StatusOr<std::string> {
    return before.value_or("none") + "+";
  };
  EXPECT_EQ(*table_.Update("k", append, absl::Seconds(10)), "none+");
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(*table_.Update("k", append), "none++");
  EXPECT_EQ(table_.Get("k")->left, absl::Seconds(5));
  EXPECT_EQ(*table_.Update("k", append, absl::Seconds(10)), "none+++");
  EXPECT_EQ(table_.Get("k")->left, absl::Seconds(10));
}

TEST_F(TableTest, AnUpdateBeginsAgainIfSomebodyElseWasFaster) {
  ASSERT_TRUE(table_.Put("k", "a").ok());
  int calls = 0;
  const absl::StatusOr<std::string> after = table_.Update(
      "k", [&](const std::optional<std::string>& before) -> absl::StatusOr<std::string> {
        if (++calls == 1) {
          EXPECT_TRUE(table_.Put("k", "b").ok());
        } else if (calls == 2) {
          // Put again, what it was: it is another one all the same.
          EXPECT_TRUE(*table_.Erase("k"));
          EXPECT_TRUE(table_.Put("k", "b").ok());
        }
        return *before + "!";
      });
  EXPECT_EQ(*after, "b!");
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(Get("k"), "b!");
}

TEST_F(TableTest, AnUpdateThatIsAlwaysTooLateGivesUp) {
  int calls = 0;
  const absl::StatusOr<std::string> after =
      table_.Update("k", [&](const std::optional<std::string>&) -> absl::StatusOr<std::string> {
        EXPECT_TRUE(table_.Put("k", std::to_string(++calls)).ok());
        return "never";
      });
  EXPECT_TRUE(absl::IsAborted(after.status())) << after.status();
  EXPECT_EQ(calls, Table::kUpdateTriesMax);
  EXPECT_EQ(Get("k"), std::to_string(calls));
}

TEST_F(TableTest, AnErrorOfAnUpdateChangesNothing) {
  ASSERT_TRUE(table_.Put("k", "a").ok());
  const absl::StatusOr<std::string> after =
      table_.Update("k", [](const std::optional<std::string>&) -> absl::StatusOr<std::string> {
        return absl::NotFoundError("no");
      });
  EXPECT_EQ(after.status(), absl::NotFoundError("no"));
  EXPECT_EQ(Get("k"), "a");
}

TEST_F(TableTest, NoSumOfManyProcessesIsLost) {
  constexpr int kProcesses = 4;
  constexpr int kEach = 2000;
  for (int process = 0; process < kProcesses; ++process) {
    if (fork() != 0) continue;
    for (int i = 0; i < kEach; ++i) {
      if (!table_.Add("adds", 1).ok()) _exit(1);
      const absl::StatusOr<std::string> updated = table_.Update(
          "updates", [](const std::optional<std::string>& before) -> absl::StatusOr<std::string> {
            return std::to_string(std::stoi(before.value_or("0")) + 1);
          });
      // Four at once are not always too late; if so, it has not counted.
      if (!updated.ok() && !absl::IsAborted(updated.status())) _exit(1);
      if (!updated.ok()) table_.Add("given up", 1).IgnoreError();
    }
    _exit(0);
  }
  for (int process = 0; process < kProcesses; ++process) {
    int status = 0;
    wait(&status);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(*table_.Add("adds", 0), kProcesses * kEach);
  EXPECT_EQ(*table_.Add("updates", 0) + *table_.Add("given up", 0), kProcesses * kEach);
}

TEST_F(TableTest, AnExpiryIsAboveZero) {
  EXPECT_TRUE(absl::IsInvalidArgument(table_.Put("k", "v", absl::ZeroDuration())));
  EXPECT_TRUE(absl::IsInvalidArgument(table_.Add("k", 1, {.expiry = -absl::Seconds(1)}).status()));
  EXPECT_TRUE(absl::IsNotFound(table_.Get("k").status()));
}

TEST_F(TableTest, WhereThereIsNoneEachCallSaysSo) {
  for (const absl::Status& said :
       {NoTable().Get("k").status(), NoTable().Put("k", "v"), NoTable().Add("k", 1).status(),
        NoTable().Update("k", nullptr).status(), NoTable().Erase("k").status()}) {
    EXPECT_EQ(said, NoSharedTable());
  }
}

}  // namespace
}  // namespace grove::shared

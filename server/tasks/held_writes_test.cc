#include "server/tasks/held_writes.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

using Kind = StoreWrite::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HeldWritesTest : public ::testing::Test {
 protected:
  void Add(Kind kind, uint64_t id, size_t bytes = 0, const std::string& progress = "") {
    StoreWrite write;
    write.kind = kind;
    write.ticket = ++ticket_;
    write.task.id = {id, 0};
    write.task.spec = std::string(bytes, 's');
    write.task.progress.task = progress;
    held_.Add({write});
  }
  // "+1" inserts, "=1" updates, "-1" deletes the task 1; its progress stands behind.
  static std::vector<std::string> Told(const WriteGroup& group) {
    std::vector<std::string> told;
    for (const TaskChange& change : group.changes) {
      const char* sign = change.kind == Kind::kInsert   ? "+"
                         : change.kind == Kind::kUpdate ? "="
                                                        : "-";
      told.push_back(sign + std::to_string(change.write->task.id.high) +
                     (change.progress != nullptr ? change.progress->task : ""));
    }
    return told;
  }
  std::vector<std::string> TakeWhatFrees(int64_t insert_bytes_max) {
    const WriteGroup group = held_.NextThatFrees({}, insert_bytes_max);
    std::vector<std::string> told = Told(group);
    held_.Remove(group);
    return told;
  }

  HeldWrites held_;
  uint64_t ticket_ = 0;
};

TEST_F(HeldWritesTest, WritesToOneTaskBecomeOneChange) {
  Add(Kind::kInsert, 1, 0, "a");
  Add(Kind::kUpdate, 2, 0, "a");
  Add(Kind::kUpdate, 1, 0, "b");
  Add(Kind::kUpdate, 2, 0, "b");
  Add(Kind::kInsert, 3);
  Add(Kind::kDelete, 3);
  Add(Kind::kUpdate, 3, 0, "late");
  Add(Kind::kDelete, 4);
  Add(Kind::kInsert, 4, 0, "again");
  const WriteGroup group = held_.NextInTurn({});
  EXPECT_THAT(Told(group), ElementsAre("-3", "=2b", "+1b", "+4again"));
  held_.Remove(group);
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(held_.through(), 9u);
}

TEST_F(HeldWritesTest, GroupsInTurnKeepWithinTheirLimits) {
  for (uint64_t id = 1; id <= 5; ++id) Add(Kind::kInsert, id, 1000);
  EXPECT_EQ(held_.NextInTurn({.writes = 3}).covered.size(), 3u);
  EXPECT_EQ(held_.NextInTurn({.bytes = 3000}).covered.size(), 2u);
  held_.Remove(held_.NextInTurn({.bytes = 1}));
  EXPECT_EQ(held_.through(), 1u);
  held_.Remove(held_.NextInTurn({}));
  EXPECT_EQ(held_.through(), 5u);
  EXPECT_EQ(held_.insert_bytes(), 0);
}

TEST_F(HeldWritesTest, WhatFreesComesFirstNewTasksLast) {
  Add(Kind::kInsert, 1, 1000);
  Add(Kind::kUpdate, 2, 0, "end");
  Add(Kind::kInsert, 3, 1000);
  Add(Kind::kDelete, 4);
  Add(Kind::kUpdate, 1, 0, "b");
  EXPECT_THAT(TakeWhatFrees(2000), ElementsAre("-4"));
  EXPECT_THAT(TakeWhatFrees(2000), ElementsAre("=2end"));
  // The updates behind them count as written only when all before them is.
  EXPECT_EQ(held_.through(), 0u);
  EXPECT_THAT(TakeWhatFrees(2000), ElementsAre("+1b"));
  EXPECT_EQ(held_.through(), 2u);
  EXPECT_THAT(TakeWhatFrees(2000), ElementsAre("+3"));
  EXPECT_EQ(held_.through(), 5u);
}

TEST_F(HeldWritesTest, NewTasksWaitWhereTheyDoNotFit) {
  Add(Kind::kInsert, 1, 1000);
  EXPECT_THAT(TakeWhatFrees(1000), IsEmpty());
  EXPECT_EQ(held_.through(), 0u);
  Add(Kind::kUpdate, 2, 0, "end");
  EXPECT_THAT(TakeWhatFrees(0), ElementsAre("=2end"));
  Add(Kind::kDelete, 1);
  EXPECT_THAT(TakeWhatFrees(0), ElementsAre("-1"));
  EXPECT_EQ(held_.through(), 3u);
}

}  // namespace
}  // namespace grove::tasks

#include "server/tasks/task_index.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

TaskId Id(uint64_t number) {
  return {.high = number, .low = ~number};
}

std::unique_ptr<Task> Make(uint64_t number) {
  auto task = std::make_unique<Task>();
  task->id = Id(number);
  return task;
}

TEST(TaskIndex, FindsWhatIsThereAtEverySize) {
  constexpr uint64_t kTasks = 300;
  TaskIndex index;
  EXPECT_EQ(index.Find(Id(0)), nullptr);
  for (uint64_t i = 0; i < kTasks; ++i) {
    index.Insert(Make(i));
    ASSERT_EQ(index.size(), i + 1);
    for (uint64_t j = 0; j <= i; ++j) {
      ASSERT_NE(index.Find(Id(j)), nullptr) << j << " of " << i;
      ASSERT_EQ(index.Find(Id(j))->id, Id(j));
    }
    ASSERT_EQ(index.Find(Id(i + 1)), nullptr);
  }
  for (uint64_t i = 0; i < kTasks; i += 2) index.Erase(index.Find(Id(i)));
  EXPECT_EQ(index.size(), kTasks / 2);
  std::vector<uint64_t> left;
  index.ForEach([&left](const Task& task) { left.push_back(task.id.high); });
  std::sort(left.begin(), left.end());
  ASSERT_EQ(left.size(), kTasks / 2);
  for (uint64_t i = 0; i < kTasks; ++i) {
    EXPECT_EQ(index.Find(Id(i)) != nullptr, i % 2 == 1) << i;
    EXPECT_EQ(left[i / 2], i | 1);
  }
}

TEST(RequestIndex, FindsTasksByTheirRequestIds) {
  std::vector<std::unique_ptr<Task>> tasks;
  RequestIndex index;
  for (uint64_t i = 0; i < 100; ++i) {
    tasks.push_back(Make(i));
    tasks.back()->spec.Extras().request_id = "request-" + std::to_string(i);
    index.Insert(tasks.back().get());
  }
  EXPECT_EQ(index.Find("request-7"), tasks[7].get());
  EXPECT_EQ(index.Find("request"), nullptr);
  const std::unique_ptr<Task> second = Make(100);
  second->spec.Extras().request_id = "request-7";
  index.Insert(second.get());
  EXPECT_EQ(index.Find("request-7"), tasks[7].get()) << "the first one has it";
  index.Erase(second.get());
  EXPECT_EQ(index.Find("request-7"), tasks[7].get());
  for (const auto& task : tasks) index.Erase(task.get());
  EXPECT_EQ(index.Find("request-7"), nullptr);
  EXPECT_TRUE(index.empty());
}

}  // namespace
}  // namespace grove::tasks

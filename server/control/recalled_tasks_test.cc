#include "server/control/recalled_tasks.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "server/control/change_calls.h"
#include "server/control/driver_fixture.h"
#include "server/control/task_calls.h"

namespace grove::control {
namespace {

// What clients see of tasks that only the store has.
class RecalledTasksTest : public DriverTest {
 protected:
  // Spawns a durable task, runs it, and waits until it is evicted; its name.
  std::string Run(const std::string& label) {
    v1::TaskSpec spec = Spec(v1::DURABILITY_DURABLE);
    (*spec.mutable_labels())["which"] = label;
    const auto spawned = driver_.Spawn("", std::move(spec));
    EXPECT_TRUE(spawned.ok()) << spawned.status();
    const int starts = sent_[0].start_size();
    PersistUntil([&] { return sent_[0].start_size() > starts; });
    End(0, sent_[0].start(starts).attempt());
    PersistUntil([&] { return engine_.IsEvicted(spawned->id); });
    return spawned->name;
  }
  // A round writes, and what the store then says is a round's news again.
  void PersistUntil(absl::FunctionRef<bool()> is_done) {
    while (!is_done()) {
      driver_.AwaitRound().IgnoreError();
      store_.Persist();
    }
  }
  // Calls it and waits for its end.
  template <typename Start>
  absl::Status Ask(Start start) {
    const auto call = std::make_shared<SeenCall>();
    start(CallPtr(call));
    call->ended.Wait().IgnoreError();
    return call->how;
  }

  TaskCalls calls_{*hub_, driver_};
  ChangeCalls changes_{*hub_, driver_};
};

TEST_F(RecalledTasksTest, IsShownWhole) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const std::string name = Run("a");
    v1::GetTaskRequest request;
    request.set_name(name);
    v1::GetTaskResponse response;
    const absl::Status got = Ask([&](const CallPtr& call) { calls_.Get(call, request, response); });
    ASSERT_TRUE(got.ok()) << got;
    EXPECT_EQ(response.task().name(), name);
    EXPECT_EQ(response.task().state(), v1::TASK_STATE_SUCCEEDED);
    EXPECT_EQ(response.task().attempts_size(), 1);
    EXPECT_EQ(response.task().spec().labels().at("which"), "a");
  });
}

TEST_F(RecalledTasksTest, IsListedCountedAndWaitedFor) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const std::string first = Run("a");
    const std::string second = Run("b");
    v1::ListTasksRequest list;
    v1::ListTasksResponse listed;
    ASSERT_TRUE(Ask([&](const CallPtr& call) { calls_.List(call, list, listed); }).ok());
    ASSERT_EQ(listed.tasks_size(), 2);
    EXPECT_EQ(listed.tasks(0).name(), second);
    EXPECT_EQ(listed.tasks(1).name(), first);

    v1::CountTasksRequest count;
    (*count.mutable_filter()->mutable_labels())["which"] = "b";
    v1::CountTasksResponse counted;
    ASSERT_TRUE(Ask([&](const CallPtr& call) { calls_.Count(call, count, counted); }).ok());
    EXPECT_EQ(counted.total(), 1);

    v1::BatchWaitTasksRequest wait;
    wait.add_names(second);
    wait.add_names(first);
    v1::BatchWaitTasksResponse waited;
    ASSERT_TRUE(Ask([&](const CallPtr& call) { calls_.BatchWait(call, wait, waited); }).ok());
    ASSERT_EQ(waited.results_size(), 2);
    EXPECT_EQ(waited.results(0).task().name(), second);
    EXPECT_EQ(waited.results(1).task().name(), first);
  });
}

TEST_F(RecalledTasksTest, IsChangedByItselfAndInABatch) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const std::string first = Run("a");
    const std::string second = Run("b");
    v1::BatchChangeTasksRequest batch;
    batch.mutable_retry();
    (*batch.mutable_filter()->mutable_labels())["which"] = "b";
    batch.set_validate_only(true);
    v1::BatchChangeTasksResponse changed;
    ASSERT_TRUE(Ask([&](const CallPtr& call) { changes_.Batch(call, batch, changed); }).ok());
    EXPECT_EQ(changed.matched(), 1);
    ASSERT_EQ(changed.sample_size(), 1);
    EXPECT_EQ(changed.sample(0), second);

    const auto id = *engine_.Find(first);
    const auto call = std::make_shared<SeenCall>();
    changes_.Change(call, first, {.kind = tasks::TaskAction::Kind::kDelete}, nullptr);
    PersistUntil([&] { return call->finished(); });
    EXPECT_TRUE(call->how.ok()) << call->how;
    EXPECT_FALSE(engine_.IsEvicted(id));
  });
}

}  // namespace
}  // namespace grove::control

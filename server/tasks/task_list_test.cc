#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TaskListTest : public EngineTest {
 protected:
  v1::ListTasksRequest Request(const std::string& text) {
    v1::ListTasksRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
    return request;
  }
  std::vector<std::string> List(const std::string& text) {
    auto response = engine_->ListTasks(Request(text), now_);
    EXPECT_TRUE(response.ok()) << response.status();
    std::vector<std::string> names;
    for (const auto& task : response->tasks()) names.push_back(task.name());
    token_ = response->next_page_token();
    return names;
  }
  std::vector<std::string> Filtered(const std::string& filter) {
    return List("filter { " + filter + " }");
  }
  std::string Why(const std::string& text) {
    return RefusalReason(engine_->ListTasks(Request(text), now_).status());
  }
  // All pages of one task each.
  std::vector<std::string> Paged(const std::string& text) {
    std::vector<std::string> names;
    std::string token;
    do {
      for (auto& name : List(absl::StrCat(text, " page_size: 1 page_token: '", token, "'"))) {
        names.push_back(std::move(name));
      }
      token = token_;
    } while (!token.empty());
    return names;
  }
  TaskCounts Count(const std::string& parent, const std::string& text) {
    v1::TaskFilter filter;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &filter)) << text;
    auto query = engine_->Query(parent, filter);
    EXPECT_TRUE(query.ok()) << query.status();
    TaskCounts counts{};
    TaskCursor cursor;
    while (engine_->CountSome(*query, cursor, counts)) {
    }
    return counts;
  }
  // Runs it to its end, with this error if it is to fail.
  std::string Run(const std::string& spec, const google::rpc::Status& error = {}) {
    std::string name = Spawn(spec);
    Tick();
    internal::v1::AttemptEnded ended;
    ended.set_attempt(TakeOnlyStart());
    ended.set_outcome(error.code() == 0 ? Outcome::OUTCOME_SUCCEEDED : Outcome::OUTCOME_FAILED);
    if (error.code() != 0) *ended.mutable_error() = error;
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
    Tick();
    return name;
  }

  std::string token_;
};

TEST_F(TaskListTest, FiltersByWhatIsKnownOfATask) {
  Up(0);
  google::rpc::Status error;
  error.set_code(5);
  error.set_message("No such File");
  const std::string failed = Run("labels { key: 'route' value: 'Acme' } request_id: 'r1'", error);
  const std::string done = Run("labels { key: 'route' value: 'b' }");
  engine_->WorkerDraining(0);
  const std::string waiting = Spawn("labels { key: 'route' value: 'b' } request_id: 'zz9'");
  EXPECT_THAT(Filtered("labels { key: 'route' value: 'b' }"), ElementsAre(waiting, done));
  EXPECT_THAT(Filtered("labels { key: 'other' value: 'b' }"), IsEmpty());
  EXPECT_THAT(Filtered("states: TASK_STATE_FAILED states: TASK_STATE_QUEUED"),
              ElementsAre(waiting, failed));
  EXPECT_THAT(Filtered("function: 'echo' states: TASK_STATE_SUCCEEDED"), ElementsAre(done));
  EXPECT_THAT(Filtered("function: 'nope'"), IsEmpty());
  EXPECT_THAT(Filtered("error_code: 5"), ElementsAre(failed));
  EXPECT_THAT(Filtered("error_code: 6"), IsEmpty());
  EXPECT_THAT(Filtered("worker: 'workers/0'"), ElementsAre(done, failed));
  EXPECT_THAT(Filtered("worker: 'workers/1'"), IsEmpty());
  EXPECT_THAT(Filtered("text: 'such file'"), ElementsAre(failed)) << "in its error, any case";
  EXPECT_THAT(Filtered("text: 'acME'"), ElementsAre(failed)) << "in a label's value";
  EXPECT_THAT(Filtered("text: 'ZZ9'"), ElementsAre(waiting)) << "in its request_id";
  EXPECT_THAT(Filtered("text: '" + done.substr(done.size() - 8) + "'"), ElementsAre(done));
  EXPECT_THAT(Filtered("names: '" + done + "' names: '" + failed + "'"), ElementsAre(done, failed));
  const std::string nobody = "tenants/default/queues/mail/tasks/" + done.substr(done.size() - 26);
  EXPECT_THAT(Filtered("names: '" + nobody + "'"), IsEmpty()) << "the id alone is not the name";
}

TEST_F(TaskListTest, FiltersByTheParent) {
  Up(0);
  const std::string parent = Spawn(), other = Spawn();
  const auto child = engine_->Spawn("", Spec(), now_, fx_, {.parent_task = parent});
  EXPECT_THAT(Filtered("parent_task: '" + parent + "'"), ElementsAre(child->name));
  EXPECT_THAT(Filtered("parent_task: '" + other + "'"), IsEmpty());
  EXPECT_EQ(Get(child->name).parent_task(), parent);
  const TaskCounts counts = Count("", "parent_task: '" + parent + "'");
  EXPECT_EQ(counts[v1::TASK_STATE_QUEUED], 1);
}

TEST_F(TaskListTest, FiltersByTheReasonOfTheError) {
  Up(0);
  Spawn();
  Tick();
  const std::string cancelled = TakeStartedNames()[0];
  EXPECT_TRUE(engine_->Cancel(cancelled, "", now_, fx_).ok());
  EXPECT_THAT(Filtered("error_reason: 'TASK_CANCELLED'"), ElementsAre(cancelled));
  EXPECT_THAT(Filtered("error_reason: 'TASK'"), IsEmpty());
}

TEST_F(TaskListTest, FiltersByTimes) {
  Up(0);
  const int64_t start = now_ / kSecond;
  const std::string first = Run("");
  now_ += 10 * kSecond;
  const std::string second = Run("");
  const auto at = [start](int64_t after) {
    return "{ seconds: " + std::to_string(start + after) + " }";
  };
  EXPECT_THAT(Filtered("created_from " + at(10)), ElementsAre(second));
  EXPECT_THAT(Filtered("created_before " + at(10)), ElementsAre(first));
  EXPECT_THAT(Filtered("ended_from " + at(0) + " ended_before " + at(10)), ElementsAre(first));
  Tick();
  const std::string waiting = Spawn("delay { seconds: 9 }");
  EXPECT_THAT(Filtered("ended_before " + at(1000)), ElementsAre(second, first));
  EXPECT_EQ(Why("filter { ended_from { seconds: 999999999999999 } }"), "FILTER_INVALID");
}

TEST_F(TaskListTest, RefusesFiltersThatSayNothing) {
  Up(0);
  EXPECT_EQ(Why("filter { worker: 'workers/x' }"), "FILTER_INVALID");
  EXPECT_EQ(Why("filter { names: 'x' }"), "FILTER_INVALID");
  EXPECT_EQ(Why("filter { states: TASK_STATE_UNSPECIFIED }"), "FILTER_INVALID");
  EXPECT_EQ(Why("filter { text: '" + std::string(257, 'x') + "' }"), "FILTER_INVALID");
  EXPECT_EQ(Why("states: TASK_STATE_QUEUED filter { states: TASK_STATE_QUEUED }"),
            "FILTER_INVALID");
  EXPECT_EQ(Why("order_by: 'name'"), "ORDER_INVALID");
}

TEST_F(TaskListTest, ListsInEachOrderPageByPage) {
  Up(0);
  const std::string a = Spawn(), b = Spawn(), c = Spawn("delay { seconds: 100 }");
  Tick();
  auto starts = TakeStarts();
  std::sort(starts.begin(), starts.end(),
            [](const auto& x, const auto& y) { return x.task() < y.task(); });
  End(starts[1].attempt());
  Tick(1);
  End(starts[0].attempt());
  EXPECT_THAT(Paged(""), ElementsAre(c, b, a));
  EXPECT_THAT(Paged("order_by: 'create_time desc'"), ElementsAre(c, b, a));
  EXPECT_THAT(Paged("order_by: 'create_time'"), ElementsAre(a, b, c));
  EXPECT_THAT(Paged("order_by: 'end_time'"), ElementsAre(b, a));
  EXPECT_THAT(Paged("order_by: 'end_time desc'"), ElementsAre(a, b));
  EXPECT_THAT(Paged("parent: 'tenants/-' order_by: 'end_time desc'"), ElementsAre(a, b));
  EXPECT_THAT(Paged("order_by: 'create_time' filter { names: '" + c + "' names: '" + a + "' }"),
              ElementsAre(a, c));
}

TEST_F(TaskListTest, ATokenIsOfItsListAlone) {
  Up(0, 0);
  Spawn(), Spawn();
  List("page_size: 1 filter { text: 'tasks' }");
  const std::string token = " page_token: '" + token_ + "'";
  EXPECT_EQ(Why("filter { text: 'tasks' }" + token), "");
  EXPECT_EQ(Why("filter { text: 'queues' }" + token), "PAGE_TOKEN_INVALID");
  EXPECT_EQ(Why("filter { text: 'tasks' } order_by: 'create_time'" + token), "PAGE_TOKEN_INVALID");
  EXPECT_EQ(Why("filter { text: 'tasks' } parent: 'tenants/-'" + token), "PAGE_TOKEN_INVALID");
  EXPECT_EQ(Why("filter { text: 'tasks' } parent: 'tenants/default'" + token), "")
      << "the same by its other name";
}

TEST_F(TaskListTest, AListByEndsGoesOnAfterItsLastTaskHasGone) {
  Make("tasks { retention_ms: 10000 }");
  Up(0);
  const std::string a = Run("");
  Tick(6);
  const std::string b = Run("");
  Tick(1);
  const std::string c = Run("");
  EXPECT_THAT(List("order_by: 'end_time' page_size: 1"), ElementsAre(a));
  const std::string token = token_;
  Tick(3), Tick();
  EXPECT_THAT(List("order_by: 'end_time' page_size: 1"), ElementsAre(b)) << "the first has gone";
  EXPECT_THAT(List("order_by: 'end_time' page_size: 1 page_token: '" + token + "'"),
              ElementsAre(b));
}

TEST_F(TaskListTest, AListByEndsGoesOnAmongThoseOfOneInstant) {
  Up(0);
  const std::string a = Spawn(), b = Spawn(), c = Spawn();
  Tick();
  auto starts = TakeStarts();
  std::sort(starts.begin(), starts.end(),
            [](const auto& x, const auto& y) { return x.task() < y.task(); });
  for (const int i : {2, 0, 1}) End(starts[i].attempt());
  Tick();
  EXPECT_THAT(Paged("order_by: 'end_time'"), ElementsAre(a, b, c));
  EXPECT_THAT(Paged("order_by: 'end_time desc'"), ElementsAre(c, b, a));
  EXPECT_THAT(List("order_by: 'end_time' page_size: 1"), ElementsAre(a));
  const std::string rest = "order_by: 'end_time' page_size: 1 page_token: '" + token_ + "'";
  EXPECT_TRUE(*engine_->Change(*engine_->Find(a), {.kind = TaskAction::Kind::kDelete}, now_, fx_));
  EXPECT_THAT(List(rest), ElementsAre(b)) << "its last task has gone";
}

// What others have must show neither in tokens nor in how far a page comes.
TEST_F(TaskListTest, NeitherSeesNorCountsOthersTasks) {
  std::string other;
  Make(
      "tenants { name: 'default' queues { name: 'default' depth_max: 50000 } } "
      "tenants { name: 'acme' queues { name: 'default' depth_max: 50000 } }");
  Up(0, 0);
  const std::string first = Spawn();
  for (int i = 0; i < 3; ++i) other = Spawn("", "tenants/acme");
  const std::string last = Spawn();
  EXPECT_THAT(List("page_size: 1"), ElementsAre(last));
  EXPECT_NE(token_.find(last.substr(last.size() - 26)), std::string::npos);
  EXPECT_THAT(List("page_size: 1 page_token: '" + token_ + "'"), ElementsAre(first));
  EXPECT_EQ(token_, "");
  EXPECT_EQ(List("parent: 'tenants/-'").size(), 5u);
  EXPECT_EQ(Paged("parent: 'tenants/-' order_by: 'create_time'").size(), 5u);
  EXPECT_THAT(Filtered("names: '" + other + "'"), IsEmpty());
}

TEST_F(TaskListTest, CountsByState) {
  Make("tenants { name: 'default' queues { name: 'mail' } } tenants { name: 'acme' }");
  Up(0, 1);
  Spawn("queue: 'mail'");
  Tick();
  Spawn("queue: 'mail' labels { key: 'a' value: 'b' }"), Spawn("delay { seconds: 5 }");
  Spawn("", "tenants/acme");
  TaskCounts counts = Count("", "");
  EXPECT_EQ(counts[v1::TASK_STATE_RUNNING], 1);
  EXPECT_EQ(counts[v1::TASK_STATE_QUEUED], 1);
  EXPECT_EQ(counts[v1::TASK_STATE_SCHEDULED], 1);
  EXPECT_EQ(Count("tenants/-", "")[v1::TASK_STATE_QUEUED], 2);
  EXPECT_EQ(Count("tenants/-", "text: 'queues'")[v1::TASK_STATE_QUEUED], 2) << "by looking";
  EXPECT_EQ(Count("tenants/default/queues/mail", "")[v1::TASK_STATE_SCHEDULED], 0);
  EXPECT_EQ(Count("", "states: TASK_STATE_QUEUED")[v1::TASK_STATE_RUNNING], 0);
  EXPECT_EQ(Count("", "function: 'nope'"), TaskCounts{});
  EXPECT_EQ(Count("", "labels { key: 'a' value: 'b' }")[v1::TASK_STATE_QUEUED], 1);
}

}  // namespace
}  // namespace grove::tasks

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;

class ListingTest : public EngineTest {
 protected:
  std::vector<std::string> List(const std::string& text) {
    v1::ListTasksRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request));
    auto response = engine_->ListTasks(request, now_);
    EXPECT_TRUE(response.ok()) << response.status();
    std::vector<std::string> names;
    for (const auto& task : response->tasks()) names.push_back(task.name());
    token_ = response->next_page_token();
    return names;
  }
  std::string token_;
};

TEST_F(ListingTest, ShowsTheNewestFirstInStablePages) {
  Up(0, 0);
  const std::string a = Spawn(), b = Spawn(), c = Spawn();
  EXPECT_THAT(List("page_size: 2"), ElementsAre(c, b));
  Spawn();
  EXPECT_THAT(List("page_size: 2 page_token: '" + token_ + "'"), ElementsAre(a));
  EXPECT_EQ(token_, "");
}

TEST_F(ListingTest, FiltersByQueueStateAndFunction) {
  Make("tenants { name: 'default' queues { name: 'mail' } } tenants { name: 'acme' }");
  Up(0, 1);
  const std::string running = Spawn();
  Tick();
  const std::string mail = Spawn("queue: 'mail'"), acme = Spawn("", "tenants/acme");
  EXPECT_THAT(List(""), ElementsAre(mail, running));
  EXPECT_THAT(List("parent: 'tenants/acme'"), ElementsAre(acme));
  EXPECT_THAT(List("parent: 'tenants/default/queues/mail'"), ElementsAre(mail));
  EXPECT_THAT(List("states: TASK_STATE_RUNNING"), ElementsAre(running));
  EXPECT_THAT(List("function: 'other'"), ElementsAre());
}

TEST_F(ListingTest, RefusesBadTokensParentsAndSizes) {
  v1::ListTasksRequest request;
  request.set_page_token("x");
  EXPECT_EQ(engine_->ListTasks(request, now_).status().code(), absl::StatusCode::kInvalidArgument);
  request.Clear();
  request.set_parent("tenants/nobody");
  EXPECT_EQ(engine_->ListTasks(request, now_).status().code(), absl::StatusCode::kNotFound);
  request.set_parent("nonsense");
  EXPECT_EQ(engine_->ListTasks(request, now_).status().code(), absl::StatusCode::kInvalidArgument);
  request.Clear();
  request.set_page_size(-1);
  EXPECT_EQ(engine_->ListTasks(request, now_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ListingTest, RefusesATokenOfAnotherFilter) {
  Up(0, 0);
  Spawn(), Spawn();
  List("page_size: 1");
  v1::ListTasksRequest request;
  request.set_page_token(token_);
  EXPECT_TRUE(engine_->ListTasks(request, now_).ok());
  request.set_function("echo");
  EXPECT_EQ(RefusalReason(engine_->ListTasks(request, now_).status()), "PAGE_TOKEN_INVALID");
  request.clear_function();
  request.add_states(v1::TASK_STATE_QUEUED);
  EXPECT_EQ(RefusalReason(engine_->ListTasks(request, now_).status()), "PAGE_TOKEN_INVALID");
  request.clear_states();
  request.set_view(v1::TASK_VIEW_FULL);
  EXPECT_EQ(RefusalReason(engine_->ListTasks(request, now_).status()), "PAGE_TOKEN_INVALID");
}

TEST_F(ListingTest, CarriesPayloadsOnlyWhenAsked) {
  Up(0);
  Spawn("input: '[1]'");
  Tick();
  End(TakeOnlyStart());
  v1::ListTasksRequest request;
  v1::Task task = engine_->ListTasks(request, now_)->tasks(0);
  EXPECT_EQ(task.spec().input() + task.output(), "");
  EXPECT_EQ(task.input_size_bytes(), 3);
  EXPECT_EQ(task.output_size_bytes(), 3);
  request.set_view(v1::TASK_VIEW_OUTPUT);
  task = engine_->ListTasks(request, now_)->tasks(0);
  EXPECT_EQ(task.spec().input() + task.output(), "out");
  request.set_view(v1::TASK_VIEW_FULL);
  task = engine_->ListTasks(request, now_)->tasks(0);
  EXPECT_EQ(task.spec().input() + task.output(), "[1]out");
}

// With what the store has to add, too.
TEST_F(ListingTest, EndsAPageBeforeItGrowsBeyondItsBound) {
  Make("tasks { input_max_bytes: 10000000 }");
  Up(0, 0);
  std::vector<std::string> names;
  names.reserve(4);
  for (int i = 0; i < 4; ++i) {
    names.push_back(Spawn("durability: DURABILITY_DURABLE content_type: 'text/plain' input: '" +
                          std::string(i == 1 ? 5'000'000 : 1'500'000, 'x') + "'"));
  }
  EXPECT_THAT(List("view: TASK_VIEW_FULL"), ElementsAre(names[3], names[2]));
  const std::string second = token_;
  Persist();
  EXPECT_THAT(List("view: TASK_VIEW_FULL"), ElementsAre(names[3], names[2]));
  EXPECT_EQ(token_, second);
  EXPECT_THAT(List("view: TASK_VIEW_FULL page_token: '" + token_ + "'"), ElementsAre(names[1]));
  EXPECT_THAT(List("view: TASK_VIEW_FULL page_token: '" + token_ + "'"), ElementsAre(names[0]));
  EXPECT_EQ(List("view: TASK_VIEW_BASIC").size(), 4u);
}

TEST_F(ListingTest, PagesOverQueuesPoolsAndFunctions) {
  Make("tenants { name: 'a' queues { name: 'x' } } tenants { name: 'b' }");
  v1::ListQueuesRequest queues;
  queues.set_page_size(2);
  auto page = engine_->ListQueues(queues, now_);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->queues_size(), 2);
  queues.set_page_token(page->next_page_token());
  page = engine_->ListQueues(queues, now_);
  EXPECT_EQ(page->queues_size(), 2);
  EXPECT_EQ(page->queues(1).name(), "tenants/b/queues/default");
  EXPECT_EQ(page->next_page_token(), "");
  queues.Clear();
  queues.set_parent("tenants/a");
  EXPECT_EQ(engine_->ListQueues(queues, now_)->queues_size(), 2);
  v1::ListPoolsRequest pools;
  pools.set_parent("tenants/-");
  EXPECT_EQ(engine_->ListPools(pools)->pools_size(), 3);
  auto hello = Hello(0);
  hello.add_functions()->set_name("alpha");
  hello.mutable_functions()->rbegin()->set_slot_cost(5);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  v1::ListFunctionsRequest functions;
  functions.set_page_size(1);
  auto listed = engine_->ListFunctions(functions);
  EXPECT_EQ(listed->functions(0).name(), "functions/alpha");
  EXPECT_EQ(listed->functions(0).slot_cost(), 5);
  functions.set_page_token(listed->next_page_token());
  listed = engine_->ListFunctions(functions);
  EXPECT_EQ(listed->functions(0).name(), "functions/echo");
  EXPECT_EQ(listed->functions(0).slot_cost(), 1);
  EXPECT_EQ(listed->next_page_token(), "");
}

}  // namespace
}  // namespace grove::tasks

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
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  v1::ListFunctionsRequest functions;
  functions.set_page_size(1);
  auto listed = engine_->ListFunctions(functions);
  EXPECT_EQ(listed->functions(0).name(), "functions/alpha");
  functions.set_page_token(listed->next_page_token());
  listed = engine_->ListFunctions(functions);
  EXPECT_EQ(listed->functions(0).name(), "functions/echo");
  EXPECT_EQ(listed->next_page_token(), "");
}

}  // namespace
}  // namespace grove::tasks

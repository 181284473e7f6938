#include "server/tasks/webhook.h"

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kHook = "webhook { url: 'https://example.com/hook' } ";

class WebhookTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    Connect();
  }
  void Connect(uint64_t incarnation = 1) {
    auto hello = Hello(0, 10, incarnation);
    hello.add_functions()->set_name(std::string(kWebhookFunction));
    ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
    Tick();
  }
  internal::v1::StartAttempt Start(const std::string& name) {
    Tick();
    const auto starts = TakeStarts();
    EXPECT_EQ(starts.size(), 1u);
    if (starts.size() != 1) return {};
    EXPECT_EQ(starts[0].task(), name);
    return starts[0];
  }
  static v1::Task TaskOf(const std::string& json) {
    v1::Task task;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &task).ok()) << json;
    return task;
  }
};

TEST_F(WebhookTest, TellsOfTheEndByATaskOfItsOwn) {
  const std::string name = Spawn(StrCat(kHook, "priority: 3 input: '[1]'"));
  const std::string hook = Get(name).webhook_task();
  const v1::Task waits = Get(hook);
  EXPECT_EQ(waits.spec().function(), kWebhookFunction);
  EXPECT_THAT(waits.spec().after(), ElementsAre(name));
  EXPECT_EQ(waits.spec().priority(), 3);
  EXPECT_EQ(waits.spec().durability(), v1::DURABILITY_VOLATILE);
  EXPECT_EQ(waits.spec().retry_policy().max_attempts(), 20);
  End(Start(name).attempt(), Outcome::OUTCOME_FAILED);
  const auto start = Start(hook);
  EXPECT_EQ(start.input(), "https://example.com/hook");
  const v1::Task told = TaskOf(start.checkpoint());
  EXPECT_EQ(told.name(), name);
  EXPECT_EQ(told.state(), v1::TASK_STATE_FAILED);
  EXPECT_EQ(told.attempts_size(), 1);
  EXPECT_EQ(told.webhook_task(), hook);
  EXPECT_EQ(told.spec().webhook().url(), "https://example.com/hook");
  EXPECT_TRUE(told.spec().input().empty());
}

TEST_F(WebhookTest, SaysTheSameAgainWhenTheTaskIsGone) {
  const std::string name = Spawn(kHook);
  const std::string hook = Get(name).webhook_task();
  End(Start(name).attempt());
  const auto first = Start(hook);
  const TaskAction forget{.kind = TaskAction::Kind::kDelete};
  EXPECT_TRUE(engine_->Change(*engine_->Find(name), forget, now_, fx_).ok());
  End(first.attempt(), Outcome::OUTCOME_FAILED);
  Tick(5);
  EXPECT_EQ(Start(hook).checkpoint(), first.checkpoint());
}

TEST_F(WebhookTest, LastsOverARestart) {
  const std::string name = Spawn(StrCat(kHook, "durability: DURABILITY_DURABLE"));
  EXPECT_EQ(fx_.writes.size(), 2u);
  Persist();
  const std::string hook = Get(name).webhook_task();
  End(Start(name).attempt());
  Persist();
  TakeStarts();
  Persist();
  Make("", 2);
  Recover(Disk());
  Connect(2);
  EXPECT_EQ(Get(name).webhook_task(), hook);
  EXPECT_EQ(TaskOf(Start(hook).checkpoint()).state(), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(WebhookTest, BothAreAcceptedOrNone) {
  Make("tenants { name: 'default' queues { name: 'default' depth_max: 3 } }");
  Up(0);
  EXPECT_EQ(RefusalReason(Refused(kHook)), "UNKNOWN_FUNCTION");
  Connect();
  Spawn("delay { seconds: 9 }");
  Spawn("delay { seconds: 9 }");
  EXPECT_EQ(RefusalReason(Refused(kHook)), "QUEUE_FULL");
  EXPECT_EQ(Queue().scheduled(), 2);
  EXPECT_THAT(TakeStarts(), IsEmpty());
}

TEST_F(WebhookTest, UrlsAreChecked) {
  const auto refused = [&](const std::string& url) {
    return RefusalReason(Refused("webhook { url: '" + url + "' }"));
  };
  for (const std::string url :
       {"", "example.com", "ftp://example.com", "https://", "https:///x", "http://:80",
        "https://user@example.com", "https://a b", "https://a\\n"}) {
    EXPECT_EQ(refused(url), "WEBHOOK_URL_INVALID") << url;
  }
  EXPECT_EQ(refused("https://a/" + std::string(2048, 'x')), "WEBHOOK_URL_INVALID");
  for (const std::string url :
       {"http://localhost:80/x?y=1", "HTTPS://example.com", "http://[::1]"}) {
    EXPECT_EQ(refused(url), "") << url;
  }
}

}  // namespace
}  // namespace grove::tasks

#include "server/tasks/task_watch.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/tasks/engine_fixture.h"
#include "server/tasks/state_fixture.h"

namespace grove::tasks {
namespace {

class TaskWatchTest : public EngineTest {
 protected:
  static v1::WatchTasksRequest Asking(const std::string& text = "") {
    v1::WatchTasksRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
    return request;
  }
  std::unique_ptr<TaskWatch> Watch(const v1::WatchTasksRequest& request) {
    auto watch = engine_->Watch(request, Audience::kOperators, now_);
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  std::unique_ptr<TaskWatch> Watch(const std::string& text = "") { return Watch(Asking(text)); }

  // All messages there are; the last token is kept.
  std::vector<v1::WatchTasksResponse> Read(TaskWatch& watch) {
    std::vector<v1::WatchTasksResponse> messages;
    for (;;) {
      v1::WatchTasksResponse message;
      const TaskWatch::Step step = watch.Next(now_, message);
      if (step == TaskWatch::Step::kNothing || step == TaskWatch::Step::kEnded) return messages;
      if (step != TaskWatch::Step::kMessage) continue;
      if (!message.resume_token().empty()) token_ = message.resume_token();
      messages.push_back(std::move(message));
    }
  }
  // "changed QUEUED", "existing RUNNING", "forgotten", "gap 1", "synced".
  static std::string Text(const v1::WatchTasksResponse::Event& event) {
    const auto state = [](const v1::Task& task) {
      return " " + v1::TaskState_Name(task.state()).substr(11);
    };
    if (event.has_existing()) return "existing" + state(event.existing());
    if (event.has_changed()) return "changed" + state(event.changed());
    if (event.has_gap()) return "gap " + std::to_string(event.gap().cause());
    return event.has_synced() ? "synced" : "forgotten";
  }
  std::vector<std::string> Events(TaskWatch& watch) {
    std::vector<std::string> texts;
    for (const auto& message : Read(watch)) {
      for (const auto& event : message.events()) texts.push_back(Text(event));
    }
    return texts;
  }
  using Texts = std::vector<std::string>;

  std::string token_;
};

TEST_F(TaskWatchTest, SaysAtOnceThatItHasBegun) {
  const auto watch = Watch();
  const auto messages = Read(*watch);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].events_size(), 0);
  EXPECT_FALSE(messages[0].resume_token().empty());
  EXPECT_FALSE(watch->HasNews());
}

TEST_F(TaskWatchTest, TellsEachStateThatItSees) {
  Up(0);
  const auto watch = Watch();
  Read(*watch);
  Spawn();
  EXPECT_TRUE(watch->HasNews());
  EXPECT_EQ(Events(*watch), Texts{"changed QUEUED"});
  Tick();
  EXPECT_EQ(Events(*watch), Texts{"changed RUNNING"});
  End(TakeOnlyStart());
  EXPECT_EQ(Events(*watch), Texts{"changed SUCCEEDED"});
  EXPECT_TRUE(Read(*watch).empty());
}

TEST_F(TaskWatchTest, ChangesThatNobodyReadBecomeOne) {
  Up(0);
  const auto watch = Watch();
  Read(*watch);
  Spawn();
  Tick();
  End(TakeOnlyStart());
  EXPECT_EQ(Events(*watch), Texts{"changed SUCCEEDED"});
}

TEST_F(TaskWatchTest, TellsWhatIsDurableOnceItIsOnDisk) {
  Up(0);
  const auto watch = Watch();
  Read(*watch);
  Spawn("durability: DURABILITY_DURABLE");
  EXPECT_TRUE(Events(*watch).empty());
  Persist();
  EXPECT_EQ(Events(*watch), Texts{"changed RUNNING"});
  End(TakeOnlyStart());
  EXPECT_TRUE(Events(*watch).empty());
  Persist();
  EXPECT_EQ(Events(*watch), Texts{"changed SUCCEEDED"});
}

TEST_F(TaskWatchTest, TellsOfPausesUpdatesAndDeletes) {
  Up(0);
  const std::string name = Spawn("delay { seconds: 60 }");
  const auto watch = Watch();
  Read(*watch);
  const TaskId id = *engine_->Find(name);
  const auto change = [&](const TaskAction& action) {
    ASSERT_TRUE(*engine_->Change(id, action, now_, fx_));
  };
  change({.kind = TaskAction::Kind::kPause});
  EXPECT_EQ(Events(*watch), Texts{"changed SCHEDULED"});
  change({.kind = TaskAction::Kind::kUpdate, .priority = 3});
  EXPECT_EQ(Events(*watch), Texts{"changed SCHEDULED"});
  change({.kind = TaskAction::Kind::kCancel});
  EXPECT_EQ(Events(*watch), Texts{"changed CANCELLED"});
  change({.kind = TaskAction::Kind::kDelete});
  const auto messages = Read(*watch);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].events(0).forgotten(), name);
}

TEST_F(TaskWatchTest, TellsWhatIsThereFirstTheOldestFirst) {
  Up(0, 1);
  Spawn();
  Tick();
  Spawn();
  Spawn("delay { seconds: 60 }");
  const auto watch = Watch("with_existing: true");
  EXPECT_EQ(Events(*watch),
            (Texts{"existing RUNNING", "existing QUEUED", "existing SCHEDULED", "synced"}));
  Spawn();
  EXPECT_EQ(Events(*watch), Texts{"changed QUEUED"});
}

TEST_F(TaskWatchTest, MessagesAreBoundedAndATokenComesWithTheLastOfWhatIsThere) {
  Up(0, 1);
  for (int i = 0; i < 2 * kWatchEventsMax; ++i) Spawn("delay { seconds: 60 }");
  const auto watch = Watch("with_existing: true");
  const auto messages = Read(*watch);
  ASSERT_GE(messages.size(), 2u);
  int events = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    EXPECT_LE(messages[i].events_size(), kWatchEventsMax + 1);
    EXPECT_EQ(messages[i].resume_token().empty(), i + 1 < messages.size());
    events += messages[i].events_size();
  }
  EXPECT_EQ(events, 2 * kWatchEventsMax + 1);
}

TEST_F(TaskWatchTest, WhatChangesWhileTheExistingAreToldIsToldAfterThem) {
  Up(0, 1);
  for (int i = 0; i < 2 * kWatchEventsMax; ++i) Spawn("delay { seconds: 60 }");
  const auto watch = Watch("with_existing: true");
  v1::WatchTasksResponse message;
  ASSERT_EQ(watch->Next(now_, message), TaskWatch::Step::kMessage);
  Spawn();
  const Texts events = Events(*watch);
  EXPECT_EQ(events[events.size() - 2], "synced");
  EXPECT_EQ(events.back(), "changed QUEUED");
}

TEST_F(TaskWatchTest, AFilterIsForTheTaskAsItIsTold) {
  Up(0);
  const auto watch = Watch("filter { states: TASK_STATE_SUCCEEDED }");
  Read(*watch);
  Spawn("labels { key: 'a' value: 'b' }");
  Tick();
  EXPECT_TRUE(Events(*watch).empty());
  End(TakeOnlyStart());
  EXPECT_EQ(Events(*watch), Texts{"changed SUCCEEDED"});
}

TEST_F(TaskWatchTest, AQueueIsWatchedAlone) {
  Make(
      "tenants { name: 'default' queues { name: 'a' pool: 'default' } "
      "queues { name: 'b' pool: 'default' } }");
  Up(0);
  const auto watch = Watch("parent: 'tenants/default/queues/a'");
  Read(*watch);
  Spawn("queue: 'b'");
  EXPECT_TRUE(Events(*watch).empty());
  Spawn("queue: 'a'");
  EXPECT_EQ(Events(*watch), Texts{"changed QUEUED"});
}

TEST_F(TaskWatchTest, ATokenGoesOnWhereItsMessageEnded) {
  Up(0, 1);
  auto watch = Watch("with_existing: true");
  Read(*watch);
  Spawn("delay { seconds: 60 }");
  watch.reset();
  Spawn();
  auto request = Asking("with_existing: true");
  request.set_resume_token(token_);
  watch = Watch(request);
  EXPECT_EQ(Events(*watch), (Texts{"changed SCHEDULED", "changed QUEUED"}));
}

TEST_F(TaskWatchTest, AResumedWatchSaysAtOnceThatItHasBegun) {
  auto watch = Watch();
  Read(*watch);
  v1::WatchTasksRequest request;
  request.set_resume_token(token_);
  watch = Watch(request);
  EXPECT_TRUE(watch->HasNews());
  EXPECT_EQ(Read(*watch).size(), 1u);
}

TEST_F(TaskWatchTest, ATokenThatIsTooOldIsAGap) {
  auto watch = Watch();
  Read(*watch);
  watch.reset();
  now_ += kChangesKeptUs;
  v1::WatchTasksRequest request;
  request.set_resume_token(token_);
  watch = Watch(request);
  EXPECT_EQ(Events(*watch), Texts{"gap 1"});
}

TEST_F(TaskWatchTest, AGapIsFollowedByWhatIsThere) {
  Up(0, 1);
  auto watch = Watch("with_existing: true");
  Read(*watch);
  watch.reset();
  Make("", 2);
  Up(0, 1);
  Spawn("delay { seconds: 60 }");
  auto request = Asking("with_existing: true");
  request.set_resume_token(token_);
  watch = Watch(request);
  EXPECT_EQ(Events(*watch), (Texts{"gap 2", "existing SCHEDULED", "synced"}));
}

TEST_F(TaskWatchTest, ATokenOfAnotherWatchIsRefused) {
  auto watch = Watch();
  Read(*watch);
  for (const char* other :
       {"parent: 'tenants/-'", "view: TASK_VIEW_FULL", "filter { function: 'echo' }"}) {
    auto request = Asking(other);
    request.set_resume_token(token_);
    EXPECT_EQ(RefusalReason(engine_->Watch(request, Audience::kOperators, now_).status()),
              "RESUME_TOKEN_INVALID")
        << other;
  }
  v1::WatchTasksRequest request;
  request.set_resume_token(token_ + "0");
  EXPECT_TRUE(
      absl::IsInvalidArgument(engine_->Watch(request, Audience::kOperators, now_).status()));
}

TEST_F(TaskWatchTest, OfNothingThatIsThereIsRefused) {
  EXPECT_TRUE(absl::IsNotFound(
      engine_->Watch(Asking("parent: 'tenants/nobody'"), Audience::kOperators, now_).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      engine_->Watch(Asking("parent: 'x'"), Audience::kOperators, now_).status()));
}

TEST_F(TaskWatchTest, OneTenantsTasksAreNotToldToAnother) {
  Make("tenants { name: 'amber' } tenants { name: 'borage' }");
  Up(0, 1);
  const auto amber = Watch("parent: 'tenants/amber' with_existing: true");
  const auto all = Watch("parent: 'tenants/-' with_existing: true");
  Read(*amber);
  Read(*all);
  Spawn("", "tenants/borage");
  EXPECT_TRUE(Events(*amber).empty());
  EXPECT_EQ(Events(*all), Texts{"changed QUEUED"});
}

TEST_F(TaskWatchTest, EndsWithItsTenant) {
  Make("tenants { name: 'amber' }");
  const auto watch = Watch("parent: 'tenants/amber'");
  Read(*watch);
  engine_->ForgetTenant(*directory_->FindTenant("amber"));
  EXPECT_TRUE(watch->HasNews());
  v1::WatchTasksResponse message;
  EXPECT_EQ(watch->Next(now_, message), TaskWatch::Step::kEnded);
  EXPECT_EQ(RefusalReason(watch->status()), "TENANT_NOT_FOUND");
}

// With as many changes as no test could spawn tasks.
class LongWatchTest : public StateTest {
 protected:
  std::unique_ptr<TaskWatch> Watch(const std::string& function) {
    v1::WatchTasksRequest request;
    request.mutable_filter()->set_function(function);
    return *TaskWatch::Begin(state_, request, Audience::kOperators, state_.now_us);
  }
  TaskWatch::Step Next(TaskWatch& watch) { return watch.Next(state_.now_us, message_); }
  // The next message, whatever it takes.
  void Read(TaskWatch& watch) {
    while (Next(watch) != TaskWatch::Step::kMessage) ASSERT_TRUE(watch.HasNews());
  }

  v1::WatchTasksResponse message_;
};

TEST_F(LongWatchTest, AReaderThatIsTooSlowMeetsAGap) {
  const auto watch = Watch("echo");
  Read(*watch);
  for (size_t i = 0; i <= kChangesOfLogMax; ++i) state_.changes.Note(0, TaskId{1, i}, 0);
  Read(*watch);
  ASSERT_EQ(message_.events_size(), 1);
  EXPECT_EQ(message_.events(0).gap().cause(), v1::WatchTasksResponse::Gap::CAUSE_READER_TOO_SLOW);
  EXPECT_FALSE(message_.resume_token().empty());
  Enqueue(state_, Add(), /*to_front=*/false);
  Read(*watch);
  EXPECT_EQ(message_.events(0).changed().state(), v1::TASK_STATE_QUEUED);
}

TEST_F(LongWatchTest, TheTokenMovesOnWithoutEvents) {
  const auto watch = Watch("another");
  Read(*watch);
  const std::string first = message_.resume_token();
  Enqueue(state_, Add(), /*to_front=*/false);
  EXPECT_EQ(Next(*watch), TaskWatch::Step::kNothing);
  for (uint64_t i = 0; i < kTokenStrideMax; ++i) Enqueue(state_, Add(), /*to_front=*/false);
  Read(*watch);
  EXPECT_EQ(message_.events_size(), 0);
  EXPECT_NE(message_.resume_token(), first);
}

}  // namespace
}  // namespace grove::tasks

// Random operations on tasks that come after others, stand in sequences and suspend themselves,
// beside what a reader of their documents expects: who may start, and who must not be kept.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

constexpr int kSteps = 1200;
constexpr int kCapacity = 6;
constexpr const char* kSequences[] = {"", "", "a", "b"};

struct ModelTask {
  std::vector<std::string> after;
  bool needs_success = false;
  std::string sequence;
  bool halts = false;
  bool durable = false;
  bool has_started = false;
  // What its last attempt has suspended itself for, while it is.
  std::vector<std::string> suspended_for;
};

class RelationsModelTest : public EngineTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    Up(0, kCapacity);
  }

  int Draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string DrawTask() {
    // Mostly one of the newest.
    const int back = Draw(Draw(4) == 0 ? 40 : 6);
    if (static_cast<size_t>(back) >= tasks_.size()) return "";
    return std::prev(tasks_.end(), back + 1)->first;
  }
  v1::TaskState Told(const std::string& name) {
    const auto id = engine_->Find(name);
    if (!id.ok()) return v1::TASK_STATE_UNSPECIFIED;
    if (const auto end = engine_->EndOf(*id)) return *end;
    return engine_->Get(*id, v1::TASK_VIEW_BASIC, now_)->state();
  }
  bool IsOver(const std::string& name) {
    const auto id = engine_->Find(name);
    return !id.ok() || engine_->IsSettled(*id);
  }
  bool HasFailed(const std::string& name) {
    return IsOver(name) && Told(name) > v1::TASK_STATE_SUCCEEDED;
  }
  bool WasOver(const std::string& name) const { return over_.contains(name); }
  bool HasSucceededOnce(const std::string& name) const { return WasOver(name) && over_.at(name); }
  bool Runs(const std::string& name) const {
    return std::any_of(live_.begin(), live_.end(),
                       [&](const auto& each) { return each.second == name; });
  }
  // Whether `other` has to be mended, or to end, before what is behind it.
  bool Bars(const std::string& other) {
    return !IsOver(other) || (tasks_.at(other).halts && HasFailed(other));
  }

  // --- Operations

  void DoSpawn() {
    ModelTask task;
    std::string text = "retry_policy { max_attempts: 2 } ";
    for (int i = Draw(3); i > 0; --i) {
      const std::string other = DrawTask();
      if (other.empty() || !engine_->Find(other).ok()) continue;
      task.after.push_back(other);
      text += StrCat("after: '", other, "' ");
    }
    task.needs_success = Draw(2) == 0;
    if (task.needs_success) text += "after_condition: AFTER_CONDITION_SUCCEEDED ";
    task.sequence = kSequences[Draw(4)];
    task.halts = Draw(3) == 0;
    if (!task.sequence.empty()) {
      text +=
          StrCat("sequence { key: '", task.sequence,
                 "' on_failure: ", task.halts ? "ON_FAILURE_HALT" : "ON_FAILURE_CONTINUE", " } ");
    } else {
      task.halts = false;
    }
    task.durable = Draw(2) == 0;
    if (task.durable) text += "durability: DURABILITY_DURABLE ";
    if (Draw(6) == 0) text += "delay { seconds: 2 } ";
    const std::string name = Spawn(text);
    tasks_[name] = std::move(task);
  }
  void DoEnd() {
    if (live_.empty()) return;
    const auto attempt = std::next(live_.begin(), Draw(static_cast<int>(live_.size())));
    Outcome ended;
    ended.set_attempt(attempt->first);
    ended.set_outcome(Draw(3) == 0 ? Outcome::OUTCOME_FAILED : Outcome::OUTCOME_SUCCEEDED);
    ModelTask& task = tasks_.at(attempt->second);
    if (Draw(4) == 0) {
      ended.set_outcome(Outcome::OUTCOME_SUSPENDED);
      const std::string other = DrawTask();
      const bool awaits = !other.empty() && other > attempt->second && engine_->Find(other).ok() &&
                          tasks_.at(other).sequence != task.sequence;
      if (awaits) {
        ended.mutable_suspended()->add_tasks(other);
        task.suspended_for = {other};
      }
      if (!awaits || Draw(2) == 0) ended.mutable_suspended()->set_for_us(kSecond);
    }
    live_.erase(attempt);
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
  }
  void DoChange() {
    const std::string name = DrawTask();
    if (name.empty() || !engine_->Find(name).ok()) return;
    constexpr TaskAction::Kind kKinds[] = {TaskAction::Kind::kCancel, TaskAction::Kind::kRetry,
                                           TaskAction::Kind::kRetry, TaskAction::Kind::kDelete,
                                           TaskAction::Kind::kRetry};
    const TaskAction action{.kind = kKinds[Draw(std::size(kKinds))]};
    const TaskId id = *engine_->Find(name);
    if (engine_->IsEvicted(id)) RecallAll();
    engine_->Change(id, action, now_, fx_).status().IgnoreError();
    for (const uint64_t attempt : TakeCancels()) {
      // Sometimes the attempt stops later.
      if (Draw(2) == 0)
        stopping_.push_back(attempt);
      else
        Stop(attempt);
    }
  }
  void Stop(uint64_t attempt) {
    if (live_.erase(attempt) == 0) return;
    Outcome stopped;
    stopped.set_attempt(attempt);
    stopped.set_outcome(Outcome::OUTCOME_CANCELLED);
    engine_->AttemptEnded(0, std::move(stopped), now_, fx_);
  }
  // Control is another; with `dies` what was in memory alone is gone. The worker is new too.
  void DoRestart(bool dies) {
    if (!dies) Persist();
    std::vector<StoredTask> kept = Disk();
    if (!dies) engine_->ForEachVolatile([&](const StoredTask& task) { kept.push_back(task); });
    std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    Make("", ++starts_);
    Recover(kept);
    live_.clear();
    stopping_.clear();
    for (auto it = tasks_.begin(); it != tasks_.end();) {
      // What was not on disk yet never was.
      const bool is_lost = !engine_->Find(it->first).ok() && it->second.durable;
      const v1::Task shown = Get(it->first);
      it->second.has_started &= !shown.attempts().empty();
      it->second.suspended_for.assign(shown.suspended_for().begin(), shown.suspended_for().end());
      it = is_lost ? tasks_.erase(it) : std::next(it);
    }
    Up(0, kCapacity, starts_);
  }
  void DoSomething() {
    const int what = Draw(100);
    if (what < 35) return DoSpawn();
    if (what < 70) return DoEnd();
    if (what < 80) return DoChange();
    if (what < 83 && !stopping_.empty()) {
      Stop(stopping_.back());
      stopping_.pop_back();
      return;
    }
    if (what < 93) return Persist();
    if (what < 95) return DoRestart(Draw(2) == 0);
    now_ += 1 + Draw(2'000'000);
  }

  // --- What has to hold

  void CheckStart(const internal::v1::StartAttempt& start) {
    const ModelTask& task = tasks_.at(start.task());
    if (!task.has_started) {
      for (const std::string& other : task.after) {
        // Whoever tries that one again later does not take back what it has let go.
        EXPECT_TRUE(IsOver(other) || WasOver(other)) << start.task() << " comes after " << other;
        EXPECT_FALSE(task.needs_success && HasFailed(other) && !HasSucceededOnce(other))
            << start.task() << " comes after " << other;
      }
    }
    if (task.sequence.empty()) return;
    for (const auto& [name, other] : tasks_) {
      if (name == start.task() || other.sequence != task.sequence) continue;
      EXPECT_FALSE(Runs(name)) << start.task() << " beside " << name;
      if (name > start.task() || task.has_started) continue;
      if (!IsOver(name) && WasOver(name)) continue;
      EXPECT_FALSE(Bars(name)) << start.task() << " before " << name;
    }
  }
  void TakeNewStarts() {
    Tick();
    for (const auto& start : TakeStarts()) {
      CheckStart(start);
      ModelTask& task = tasks_.at(start.task());
      task.has_started = true;
      task.suspended_for.clear();
      live_[start.attempt()] = start.task();
      ++started_;
    }
  }
  // Why it may be SCHEDULED without a time.
  bool IsKept(const std::string& name, const ModelTask& task) {
    const auto pends = [&](const std::string& other) { return !IsOver(other); };
    if (!task.has_started && std::any_of(task.after.begin(), task.after.end(), pends)) return true;
    if (std::any_of(task.suspended_for.begin(), task.suspended_for.end(), pends)) return true;
    return !task.sequence.empty() && std::any_of(tasks_.begin(), tasks_.end(), [&](auto& each) {
      const auto& [other, of] = each;
      if (other == name || of.sequence != task.sequence) return false;
      // One with a later id may have the turn while it waits for its next attempt.
      return Runs(other) || (Bars(other) && (other < name || of.has_started));
    });
  }
  void CheckNobodyIsKept() {
    for (const auto& [name, task] : tasks_) {
      const v1::Task shown = Get(name);
      if (shown.waiting_reason() == "its end is being written to disk") continue;
      if (shown.state() == v1::TASK_STATE_SCHEDULED) {
        ASSERT_NE(shown.wait().cause(), v1::WaitExplanation::CAUSE_UNSPECIFIED) << name;
        if (!shown.has_schedule_time()) {
          ASSERT_TRUE(IsKept(name, task)) << name << ": " << shown.waiting_reason();
        }
      }
      if (task.has_started || !task.needs_success || shown.name().empty()) continue;
      for (const std::string& other : task.after) {
        if (HasFailed(other) && !HasSucceededOnce(other)) {
          ASSERT_GT(shown.state(), v1::TASK_STATE_SUCCEEDED)
              << name << " comes after " << other << ", which has failed";
        }
      }
    }
  }

  void NoteEnds() {
    for (const auto& [name, task] : tasks_) {
      if (IsOver(name)) over_[name] |= Told(name) == v1::TASK_STATE_SUCCEEDED;
    }
  }
  // So that they are few enough to be looked at each time.
  void Forget() {
    const auto over = std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& each) {
      return !Bars(each.first) && !Runs(each.first);
    });
    if (tasks_.size() > 60 && over != tasks_.end()) tasks_.erase(over);
  }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
  uint64_t starts_ = 1;
  size_t started_ = 0;
  std::map<std::string, ModelTask> tasks_;
  std::map<uint64_t, std::string> live_;
  std::vector<uint64_t> stopping_;
  // Those that had ended for good once, and whether they had succeeded.
  std::map<std::string, bool> over_;
};

TEST_P(RelationsModelTest, TheEngineDoesAsTheModelSays) {
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    SCOPED_TRACE(StrCat("step ", step));
    DoSomething();
    TakeNewStarts();
    CheckNobodyIsKept();
    NoteEnds();
    Forget();
  }
  EXPECT_GT(started_, 50u) << "too little happens for a test";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RelationsModelTest, ::testing::Range(1, 13));

}  // namespace
}  // namespace grove::tasks

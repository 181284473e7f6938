// Random operations on the engine beside a model of quotas and limits that is as simple as can be:
// lists of tasks and attempts, counted anew at each look.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/bounds_fixture.h"

namespace grove::tasks {
namespace {

constexpr int kSteps = 1500;
constexpr int kCapacity = 12;
constexpr const char* kTenants[] = {"default", "acme"};
// So that any of them is often full.
constexpr const char* kKeys[] = {"", "", "a", "a/x", "a/x", "a/y", "b", "b/x", "rated", "rated/x"};
constexpr const char* kPatterns[] = {"*", "a", "a*", "b", "*/*", "a/*", "*/x", "a/x"};

// One each `us`, and `burst` at once: tokens, as a book describes them.
struct Tokens {
  int64_t us;
  int64_t burst;
  int64_t have_us = us * burst;
  int64_t as_of_us = 0;

  void Refill(int64_t now_us) {
    if (as_of_us > 0) have_us = std::min(us * burst, have_us + now_us - as_of_us);
    as_of_us = now_us;
  }
  // Also where there is none.
  void Take() { have_us = std::max<int64_t>(have_us, 0) - us; }
};

struct ModelTask {
  size_t tenant = 0;
  std::string key;
  int64_t cost = 1;
  int64_t bytes = 0;
  // It is SCHEDULED or QUEUED, as of the last look.
  bool waits = true;
};

struct ModelSpawn {
  size_t tenant = 0;
  std::string key;
  int64_t at_us = 0;
};

struct ModelAttempt {
  std::string task;
  ModelTask of;
};

class LimitsModelTest : public BoundsTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    Begin(1);
    Up(0, kCapacity);
  }

  void Begin(uint64_t start) {
    Make(
        "tenants { name: 'default' queues { name: 'default' } queues { name: 'urgent' order: "
        "ORDER_PRIORITY } pools { name: 'default' size: 8 } } tenants { name: 'acme' }",
        start);
    for (const char* tenant : kTenants) {
      SetLimit("pattern: 'rated' spawns_per_second: 2 spawn_burst: 3", tenant);
    }
  }

  int Draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  bool HasCosts() const { return GetParam() % 2 == 1; }

  // --- The model's own words
  // ----------------------------------------------------------------------

  static std::vector<std::string> LevelsOf(const std::string& key) {
    if (key.empty()) return {};
    const size_t slash = key.find('/');
    if (slash == key.npos) return {key};
    return {key.substr(0, slash), key};
  }
  // 0: it does not match; more: how specific it is.
  static int64_t Match(std::string_view pattern, std::string_view part) {
    if (pattern == part) return 1000;
    if (!pattern.ends_with('*')) return 0;
    pattern.remove_suffix(1);
    return part.starts_with(pattern) ? 1 + static_cast<int64_t>(pattern.size()) : 0;
  }
  const tenancy::Limit* LimitFor(size_t tenant, const std::string& key) const {
    const tenancy::Limit* best = nullptr;
    int64_t best_match = 0;
    for (const auto& [pattern, limit] : directory_->LimitsOf(tenant).all()) {
      const std::vector<std::string_view> of = StrSplit(pattern, '/');
      const std::vector<std::string_view> parts = StrSplit(key, '/');
      if (of.size() != parts.size()) continue;
      int64_t match = Match(of[0], parts[0]);
      if (match > 0 && of.size() == 2) {
        const int64_t second = Match(of[1], parts[1]);
        match = second == 0 ? 0 : match * 10'000 + second;
      }
      if (match > best_match) std::tie(best, best_match) = std::pair(&limit, match);
    }
    return best;
  }
  static bool IsOf(const ModelTask& task, size_t tenant, const std::string& key) {
    const std::vector<std::string> levels = LevelsOf(task.key);
    return task.tenant == tenant &&
           (key.empty() || std::count(levels.begin(), levels.end(), key) > 0);
  }
  int64_t Waiting(size_t tenant, const std::string& key) const {
    int64_t count = 0;
    for (const auto& [name, task] : tasks_) count += IsOf(task, tenant, key) && task.waits;
    return count;
  }
  int64_t SlotsOf(size_t tenant, const std::string& key) const {
    int64_t slots = 0;
    for (const auto& [id, attempt] : live_) {
      if (IsOf(attempt.of, tenant, key)) slots += attempt.of.cost;
    }
    return slots;
  }
  int64_t Bytes(size_t tenant) const {
    int64_t bytes = 0;
    for (const auto& [name, task] : tasks_) {
      if (task.tenant == tenant && task.waits) bytes += task.bytes;
    }
    return bytes;
  }
  bool Fits(const ModelTask& task) const {
    const auto fits = [&](int64_t used, int64_t max) {
      return max == 0 || used + task.cost <= max;
    };
    if (!fits(SlotsOf(task.tenant, ""), directory_->QuotasOf(task.tenant).running_max)) {
      return false;
    }
    if (SlotsOf(task.tenant, "") + task.cost > pools_[task.tenant]) return false;
    const std::vector<std::string> levels = LevelsOf(task.key);
    return std::all_of(levels.begin(), levels.end(), [&](const std::string& level) {
      const tenancy::Limit* limit = LimitFor(task.tenant, level);
      return limit == nullptr || fits(SlotsOf(task.tenant, level), limit->running_max);
    });
  }
  Tokens& BucketOf(size_t tenant, const std::string& level) {
    return buckets_.try_emplace({tenant, level}, Tokens{500'000, 3}).first->second;
  }
  // As SpawnTask would say.
  std::string ExpectedRefusal(const ModelTask& task) {
    const tenancy::Quotas& quotas = directory_->QuotasOf(task.tenant);
    if (quotas.queued_max > 0 && Waiting(task.tenant, "") >= quotas.queued_max) {
      return "QUOTA_QUEUED";
    }
    for (const std::string& level : LevelsOf(task.key)) {
      const tenancy::Limit* limit = LimitFor(task.tenant, level);
      if (limit != nullptr && limit->queued_max > 0 &&
          Waiting(task.tenant, level) >= limit->queued_max) {
        return "LIMIT_QUEUED";
      }
    }
    if (quotas.queued_bytes_max > 0 && Bytes(task.tenant) + task.bytes > quotas.queued_bytes_max) {
      return "QUOTA_QUEUED_BYTES";
    }
    if (LevelsOf(task.key).empty() || LevelsOf(task.key)[0] != "rated") return "";
    Tokens& bucket = BucketOf(task.tenant, "rated");
    bucket.Refill(now_);
    return bucket.have_us < bucket.us ? "LIMIT_SPAWN_RATE" : "";
  }

  // --- Operations
  // ---------------------------------------------------------------------------------

  void DoSpawn() {
    ModelTask task{.tenant = static_cast<size_t>(Draw(2)),
                   .key = kKeys[Draw(std::size(kKeys))],
                   .cost = HasCosts() ? 1 + Draw(3) : 1,
                   .bytes = 2 + Draw(30)};
    const std::string more = StrCat(
        "slot_cost: ", task.cost, " input: '", std::string(task.bytes, '1'), "' ",
        "retry_policy { max_attempts: 2 } ", Draw(5) == 0 ? "delay { seconds: 1 } " : "",
        task.tenant == 0 && Draw(2) == 0 ? StrCat("queue: 'urgent' priority: ", Draw(10)) : "");
    const std::string expected = ExpectedRefusal(task);
    const auto spawned = engine_->Spawn(StrCat("tenants/", kTenants[task.tenant]),
                                        Spec(Keys(task.key) + more), now_, fx_);
    ASSERT_EQ(RefusalReason(spawned.status()), expected) << task.key;
    if (!spawned.ok()) return;
    tasks_[spawned->name] = task;
    spawns_[spawned->name] = {task.tenant, task.key, now_};
    if (task.key.starts_with("rated")) BucketOf(task.tenant, "rated").Take();
  }
  // What a control that finds these tasks makes of when they were accepted.
  void CountSpawnsAgain() {
    buckets_.clear();
    std::vector<ModelSpawn> spawns;
    for (const auto& [name, spawn] : spawns_) spawns.push_back(spawn);
    std::stable_sort(spawns.begin(), spawns.end(),
                     [](const auto& a, const auto& b) { return a.at_us < b.at_us; });
    for (const ModelSpawn& spawn : spawns) {
      if (!spawn.key.starts_with("rated")) continue;
      Tokens& bucket = BucketOf(spawn.tenant, "rated");
      bucket.Refill(spawn.at_us);
      bucket.Take();
    }
  }
  void DoEnd() {
    if (live_.empty()) return;
    const auto attempt = std::next(live_.begin(), Draw(static_cast<int>(live_.size())));
    Outcome ended;
    ended.set_attempt(attempt->first);
    ended.set_outcome(Draw(4) == 0 ? Outcome::OUTCOME_FAILED : Outcome::OUTCOME_SUCCEEDED);
    live_.erase(attempt);
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
  }
  void DoChange() {
    if (tasks_.empty()) return;
    const auto task = std::next(tasks_.begin(), Draw(static_cast<int>(tasks_.size())));
    TaskAction action;
    const TaskAction::Kind kinds[] = {TaskAction::Kind::kCancel, TaskAction::Kind::kPause,
                                      TaskAction::Kind::kResume, TaskAction::Kind::kResume,
                                      TaskAction::Kind::kUpdate, TaskAction::Kind::kRetry};
    action.kind = kinds[Draw(std::size(kinds))];
    if (action.kind == TaskAction::Kind::kUpdate && Draw(2) == 0) return DoMove(*task);
    if (action.kind == TaskAction::Kind::kUpdate) action.priority = Draw(10);
    engine_->Change(*engine_->Find(task->first), action, now_, fx_).status().IgnoreError();
  }
  // To another limit key. Its tenant's quotas count it already, and so may the first part.
  void DoMove(std::pair<const std::string, ModelTask>& task) {
    const TaskAction action{.kind = TaskAction::Kind::kUpdate,
                            .limit_key = kKeys[Draw(std::size(kKeys))]};
    const std::vector<std::string> had = LevelsOf(task.second.key);
    std::string expected = task.second.waits ? "" : "TASK_RUNNING";
    for (const std::string& level : LevelsOf(*action.limit_key)) {
      const tenancy::Limit* limit = LimitFor(task.second.tenant, level);
      const bool is_full = limit != nullptr && limit->queued_max > 0 &&
                           Waiting(task.second.tenant, level) >= limit->queued_max;
      if (task.second.waits && is_full && std::count(had.begin(), had.end(), level) == 0) {
        expected = "LIMIT_QUEUED";
      }
    }
    const bool is_other = *action.limit_key != task.second.key;
    const auto changed = engine_->Change(*engine_->Find(task.first), action, now_, fx_);
    ASSERT_EQ(RefusalReason(changed.status()), is_other ? expected : "");
    if (changed.ok()) spawns_[task.first].key = task.second.key = *action.limit_key;
  }
  void DoBound() {
    const char* tenant = kTenants[Draw(2)];
    const std::string bounds = StrCat("running_max: ", Draw(6), " queued_max: ", Draw(12));
    switch (Draw(5)) {
      case 0:
        return SetQuotas(StrCat(bounds, " queued_bytes_max: ", Draw(3) == 0 ? 0 : Draw(300)),
                         tenant);
      case 1:
        return DropLimit(kPatterns[Draw(std::size(kPatterns))], tenant);
      case 2:
        pools_[0] = 1 + Draw(10);
        ASSERT_TRUE(engine_->ResizePool("tenants/default/pools/default", pools_[0]).ok());
        return;
      default:
        return SetLimit(StrCat("pattern: '", kPatterns[Draw(std::size(kPatterns))], "' ", bounds),
                        tenant);
    }
  }
  // Control is another; the worker goes on, and stops what nobody knows any more.
  void DoRestart() {
    std::vector<StoredTask> kept;
    engine_->ForEachVolatile([&](const StoredTask& task) { kept.push_back(task); });
    std::vector<std::pair<tenancy::Quotas, tenancy::Limits>> bounds;
    for (size_t i = 0; i < 2; ++i) {
      bounds.emplace_back(directory_->QuotasOf(i), directory_->LimitsOf(i));
    }
    Begin(++starts_);
    for (size_t i = 0; i < 2; ++i) {
      directory_->SetQuotas(i, bounds[i].first);
      for (const auto& [pattern, limit] : bounds[i].second.all()) directory_->SetLimit(i, limit);
      engine_->Rebound(i, now_);
    }
    ASSERT_TRUE(engine_->ResizePool("tenants/default/pools/default", pools_[0]).ok());
    Recover(kept);
    CountSpawnsAgain();
    internal::v1::Hello hello = Hello(0, kCapacity);
    for (const auto& [attempt, of] : live_) hello.add_running(attempt);
    ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
    for (auto it = live_.begin(); it != live_.end();) {
      const bool goes_on = StateOf(it->second.task) == v1::TASK_STATE_RUNNING;
      Outcome stopped;
      stopped.set_attempt(it->first);
      stopped.set_outcome(Outcome::OUTCOME_CANCELLED);
      if (!goes_on) engine_->AttemptEnded(0, std::move(stopped), now_, fx_);
      it = goes_on ? std::next(it) : live_.erase(it);
    }
  }
  void DoSomething() {
    const int what = Draw(100);
    if (what < 45) return DoSpawn();
    if (what < 75) return DoEnd();
    if (what < 87) return DoChange();
    if (what < 95) return DoBound();
    if (what < 96) return DoRestart();
    now_ += 1 + Draw(2'000'000);
  }

  // --- What has to hold
  // ---------------------------------------------------------------------------

  void TakeNewStarts() {
    Tick();
    for (const auto& start : TakeStarts()) {
      const ModelTask& task = tasks_.at(start.task());
      EXPECT_TRUE(Fits(task)) << start.task() << " of " << task.key << " was started";
      live_[start.attempt()] = {start.task(), task};
    }
    for (auto it = tasks_.begin(); it != tasks_.end();) {
      const v1::TaskState state = StateOf(it->first);
      it->second.waits = state != v1::TASK_STATE_RUNNING;
      it = state > v1::TASK_STATE_RUNNING ? tasks_.erase(it) : std::next(it);
    }
  }
  void CheckCounts() {
    for (size_t tenant = 0; tenant < 2; ++tenant) {
      const TenantLoad load = engine_->LoadOf(tenant);
      ASSERT_EQ(load.running_slots, SlotsOf(tenant, ""));
      ASSERT_EQ(load.queued + load.scheduled, Waiting(tenant, ""));
      ASSERT_EQ(load.queued_bytes, Bytes(tenant));
      std::map<std::string, std::pair<int64_t, int64_t>> expected;
      for (const char* key : kKeys) {
        for (const std::string& level : LevelsOf(key)) {
          const std::pair used = {SlotsOf(tenant, level), Waiting(tenant, level)};
          if (used.first + used.second > 0) expected[level] = used;
        }
      }
      std::map<std::string, std::pair<int64_t, int64_t>> told;
      for (const v1::LimitUsage& key : Usage("", kTenants[tenant])) {
        told[key.key()] = {key.running(), key.queued()};
        const tenancy::Limit* limit = LimitFor(tenant, key.key());
        ASSERT_EQ(key.pattern(), limit == nullptr ? "" : limit->pattern) << key.key();
      }
      ASSERT_EQ(told, expected);
    }
  }
  // Where every task takes one slot, whatever could start has started.
  void CheckNothingIsHeldUp() {
    if (HasCosts() || live_.size() >= kCapacity) return;
    for (const auto& [name, task] : tasks_) {
      const v1::Task shown = Get(name);
      if (shown.state() != v1::TASK_STATE_QUEUED || shown.paused()) continue;
      ASSERT_FALSE(Fits(task)) << name << " of " << task.key << ": " << shown.waiting_reason();
      ASSERT_NE(shown.wait().cause(), v1::WaitExplanation::CAUSE_UNSPECIFIED);
    }
  }

  std::mt19937 random_{static_cast<unsigned>(GetParam())};
  uint64_t starts_ = 1;
  std::map<std::string, ModelTask> tasks_;  // that have not ended
  std::map<uint64_t, ModelAttempt> live_;   // that hold slots
  std::map<std::string, ModelSpawn> spawns_;
  int64_t pools_[2] = {8, tenancy::kPoolSizeDefault};
  std::map<std::pair<size_t, std::string>, Tokens> buckets_;
};

TEST_P(LimitsModelTest, TheEngineDoesAsTheModelSays) {
  size_t started = 0;
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    SCOPED_TRACE(StrCat("step ", step));
    DoSomething();
    const size_t before = live_.size();
    TakeNewStarts();
    started += live_.size() > before;
    CheckCounts();
    CheckNothingIsHeldUp();
  }
  EXPECT_GT(started, 50u) << "too little happens for a test";
}

INSTANTIATE_TEST_SUITE_P(Seeds, LimitsModelTest, ::testing::Range(1, 9));

}  // namespace
}  // namespace grove::tasks

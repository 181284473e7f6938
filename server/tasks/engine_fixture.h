// EngineTest: a task engine with invented time, workers and store.
#ifndef GROVE_SERVER_TASKS_ENGINE_FIXTURE_H_
#define GROVE_SERVER_TASKS_ENGINE_FIXTURE_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/tasks/engine.h"
#include "server/tasks/payload_ledger.h"
#include "server/tasks/refusal.h"
#include "server/tasks/resolved_tasks.h"
#include "server/tenancy/directory.h"

namespace grove::tasks {

class EngineTest : public ::testing::Test {
 protected:
  static constexpr int64_t kSecond = 1000000;
  using Outcome = internal::v1::AttemptEnded;

  void SetUp() override { Make(""); }

  // A fresh engine; `config` is a text-format grove.config.v1.Config.
  void Make(const std::string& config, uint64_t start_number = 1) {
    config::v1::Config parsed;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(config, &parsed)) << config;
    auto directory = tenancy::Directory::Create(parsed);
    ASSERT_TRUE(directory.ok()) << directory.status();
    engine_.reset();
    directory_ = std::make_unique<tenancy::Directory>(*std::move(directory));
    EngineOptions options;
    options.tasks = parsed.tasks();
    FillTasks(options.tasks);
    options.self_check = SelfCheck::kAfterEveryEvent;
    options.start_number = start_number;
    options.daemon_number = daemon_number_;
    options.workers = workers_;
    options.seed = start_number;
    options.payloads = &payloads_;
    options.recent_ends_bytes = recent_ends_bytes_;
    engine_ = std::make_unique<TaskEngine>(directory_.get(), options);
    fx_.Clear();
  }

  static internal::v1::Hello Hello(int worker, int64_t capacity = 10, uint64_t incarnation = 1) {
    internal::v1::Hello hello;
    hello.set_worker(worker);
    hello.set_pid(1000 + worker);
    hello.set_incarnation(incarnation);
    hello.set_capacity(capacity);
    hello.add_functions()->set_name("echo");
    return hello;
  }
  void Up(int worker, int64_t capacity = 10, uint64_t incarnation = 1) {
    ASSERT_TRUE(engine_->WorkerUp(Hello(worker, capacity, incarnation), now_, fx_).ok());
    Tick();
  }

  static v1::TaskSpec Spec(const std::string& text = "") {
    v1::TaskSpec spec;
    spec.set_function("echo");
    spec.set_durability(v1::DURABILITY_VOLATILE);
    EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &spec)) << text;
    return spec;
  }
  // Spawns without a Tick(); returns the name.
  std::string Spawn(const std::string& text = "", const std::string& parent = "") {
    auto spawned = engine_->Spawn(parent, Spec(text), now_, fx_);
    EXPECT_TRUE(spawned.ok()) << spawned.status();
    return spawned.ok() ? spawned->name : "";
  }
  absl::Status Refused(const std::string& text, const std::string& parent = "") {
    return engine_->Spawn(parent, Spec(text), now_, fx_).status();
  }

  void Tick(int64_t seconds = 0) {
    now_ += seconds * kSecond;
    engine_->Tick(now_, fx_);
  }
  void Persist() {
    if (!fx_.writes.empty()) written_ = fx_.writes.back().ticket;
    for (StoreWrite& write : fx_.writes) disk_.push_back(std::move(write));
    fx_.writes.clear();
    engine_->Persisted({.status = absl::OkStatus(), .through = written_}, now_, fx_);
    Tick();
  }

  // What a store would hold after the writes so far.
  std::vector<StoredTask> Disk() {
    std::map<TaskId, StoredTask> rows;
    for (const StoreWrite& write : disk_) {
      if (write.kind == StoreWrite::Kind::kInsert) rows[write.task.id] = write.task;
      if (write.kind == StoreWrite::Kind::kUpdate)
        rows[write.task.id].progress = write.task.progress;
      if (write.kind == StoreWrite::Kind::kDelete) rows.erase(write.task.id);
    }
    std::vector<StoredTask> tasks;
    tasks.reserve(rows.size());
    for (auto& [id, task] : rows) tasks.push_back(task);
    return tasks;
  }
  RecoveryReport Recover(const std::vector<StoredTask>& stored) {
    for (const StoredTask& task : stored) engine_->Recover(task, now_);
    return engine_->EndRecovery(now_);
  }
  // The store gives what it was asked for: what is on disk of it.
  void Load() {
    std::vector<StoredTask> found;
    const std::vector<TaskId> asked = std::exchange(fx_.loads, {});
    for (StoredTask& task : Disk()) {
      if (std::count(asked.begin(), asked.end(), task.id) > 0) found.push_back(std::move(task));
    }
    engine_->Loaded(asked, std::move(found), now_, fx_);
    Tick();
  }

  // What was sent since the last call, over all workers.
  std::vector<internal::v1::StartAttempt> TakeStarts() {
    std::vector<internal::v1::StartAttempt> starts;
    for (auto& [worker, to] : fx_.to_workers) {
      for (auto& frame : to.frames) {
        starts.insert(starts.end(), frame.start().begin(), frame.start().end());
        frame.clear_start();
      }
    }
    return starts;
  }
  std::vector<std::string> TakeStartedNames() {
    std::vector<std::string> names;
    for (const auto& start : TakeStarts()) names.push_back(start.task());
    return names;
  }
  std::vector<uint64_t> TakeCancels() {
    std::vector<uint64_t> ids;
    for (auto& [worker, to] : fx_.to_workers) {
      for (auto& frame : to.frames) {
        for (const auto& cancel : frame.cancel()) ids.push_back(cancel.attempt());
        frame.clear_cancel();
      }
    }
    return ids;
  }
  std::vector<uint64_t> TakeAcknowledged() {
    std::vector<uint64_t> ids;
    for (auto& [worker, to] : fx_.to_workers) {
      for (auto& frame : to.frames) {
        ids.insert(ids.end(), frame.acknowledged().begin(), frame.acknowledged().end());
        frame.clear_acknowledged();
      }
    }
    return ids;
  }
  uint64_t TakeOnlyStart() {
    const auto starts = TakeStarts();
    EXPECT_EQ(starts.size(), 1u);
    return starts.empty() ? 0 : starts[0].attempt();
  }

  // The worker has begun it.
  void Begin(uint64_t attempt, int worker = 0) {
    internal::v1::AttemptStarted started;
    started.set_attempt(attempt);
    started.set_fiber(9);
    engine_->AttemptStarted(worker, started, now_);
  }
  void End(uint64_t attempt, Outcome::Outcome outcome = Outcome::OUTCOME_SUCCEEDED, int worker = 0,
           const std::string& output = "out") {
    Outcome ended;
    ended.set_attempt(attempt);
    ended.set_outcome(outcome);
    ended.set_output(output);
    engine_->AttemptEnded(worker, std::move(ended), now_, fx_);
    Tick();
  }

  // Whatever only the store has is at hand for two turns.
  void RecallAll() { engine_->Recall(Disk(), now_); }
  v1::Task Get(const std::string& name) {
    auto id = engine_->Find(name);
    if (!id.ok()) return {};
    if (engine_->IsEvicted(*id)) RecallAll();
    return *engine_->Get(*id, v1::TASK_VIEW_FULL, now_);
  }
  v1::TaskState StateOf(const std::string& name) { return Get(name).state(); }
  v1::Queue Queue(const std::string& queue = "default") {
    return *engine_->GetQueue("tenants/default/queues/" + queue, now_);
  }
  v1::Pool Pool() { return *engine_->GetPool("tenants/default/pools/default"); }
  bool HasEnded(const std::string& name) {
    const TaskId id = *engine_->Find(name);
    return std::count(fx_.ended.begin(), fx_.ended.end(), id) == 1;
  }

  int64_t now_ = 1700000000 * kSecond;
  std::unique_ptr<tenancy::Directory> directory_;
  // As a control has it that has read the folder.
  PayloadLedger payloads_{{.retention_us = 100 * kSecond}};
  std::unique_ptr<TaskEngine> engine_;
  Effects fx_;
  uint32_t daemon_number_ = 0;
  int32_t workers_ = 0;
  int64_t recent_ends_bytes_ = kRecentEndsBytes;
  uint64_t written_ = 0;
  std::vector<StoreWrite> disk_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_FIXTURE_H_

// DriverTest: an engine and its driver on a hub of invented time, with a store that the test plays.
#ifndef GROVE_SERVER_CONTROL_DRIVER_FIXTURE_H_
#define GROVE_SERVER_CONTROL_DRIVER_FIXTURE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/offload/offload.h"
#include "server/control/call.h"
#include "server/control/engine_driver.h"
#include "server/metrics/scoreboard.h"
#include "server/tasks/memory_store.h"
#include "server/tasks/payload_ledger.h"
#include "server/tasks/resolved_tasks.h"
#include "server/tasks/store.h"
#include "server/tenancy/directory.h"

namespace grove::control {

// A call whose end the test sees.
class SeenCall final : public Call {
 public:
  void Finish(const absl::Status& status) override {
    if (ended.ready()) return;
    how = status;
    ended.Set();
  }
  bool finished() const override { return ended.ready(); }
  absl::Time deadline() const override { return absl::InfiniteFuture(); }
  std::string_view requested_by() const override { return "token ci"; }

  Event ended;
  absl::Status how;
};

// Keeps what it is given; says that it is on disk when the test tells it to, or at its end.
class ScriptedStore final : public tasks::TaskStore {
 public:
  absl::Status Load(const tasks::StoreRetention&,
                    absl::FunctionRef<void(tasks::StoredTask)>) override {
    return absl::OkStatus();
  }
  absl::Status LoadEnded(const tasks::StoreRetention&,
                         absl::FunctionRef<void(const tasks::EndedRecord&)>) override {
    return absl::OkStatus();
  }
  absl::Status LoadQueues(absl::FunctionRef<void(tasks::StoredQueue)>) override {
    return absl::OkStatus();
  }
  uint64_t start_number() const override { return 1; }
  void Start(ReportCallback report) override { report_ = std::move(report); }
  void Write(std::vector<tasks::StoreWrite> writes) override {
    written_.insert(written_.end(), writes.begin(), writes.end());
    rows_.Write(std::move(writes));
  }
  absl::Status Stop() override {
    Persist();
    return absl::OkStatus();
  }

  // Answer at once, from what was written.
  void Read(std::vector<tasks::TaskId> tasks, ReadCallback done) override {
    rows_.Read(std::move(tasks), std::move(done));
  }
  void FindEnded(tasks::EndedQuery query, FindCallback done) override {
    rows_.FindEnded(std::move(query), std::move(done));
  }

  void Report(const tasks::StoreReport& report) { report_(report); }
  void Persist() { Report({.through = written_.empty() ? 0 : written_.back().ticket}); }
  const std::vector<tasks::StoreWrite>& written() const { return written_; }

 private:
  tasks::MemoryStore rows_;
  ReportCallback report_;
  std::vector<tasks::StoreWrite> written_;
};

class DriverTest : public HubTest {
 protected:
  DriverTest() {
    driver_.set_sender([this](int32_t worker, const internal::v1::ControlFrame& frame) {
      sent_[worker].MergeFrom(frame);
    });
  }

  // Runs `body` beside the driver.
  void Drive(absl::AnyInvocable<void()> body) {
    EXPECT_TRUE(hub_->Run([&] {
                      FiberHandle driver =
                          *Spawn("engine-driver", [this] { return driver_.Run(); });
                      body();
                      driver.Cancel();
                      driver.Join().IgnoreError();
                    })
                    .ok());
  }

  static internal::v1::Hello Hello(int worker) {
    internal::v1::Hello hello;
    hello.set_worker(worker);
    hello.set_pid(1000 + worker);
    hello.set_incarnation(1);
    hello.set_capacity(10);
    hello.add_functions()->set_name("echo");
    return hello;
  }
  // Puts the clocks forward: the hub's, and the wall's.
  void Pass(absl::Duration time) {
    wall_us_ += absl::ToInt64Microseconds(time);
    Sleep(time).IgnoreError();
  }
  static v1::TaskSpec Spec(v1::Durability durability = v1::DURABILITY_VOLATILE) {
    v1::TaskSpec spec;
    spec.set_function("echo");
    spec.set_durability(durability);
    return spec;
  }
  void End(int32_t worker, uint64_t attempt) {
    internal::v1::WorkerFrame frame;
    frame.add_ended()->set_attempt(attempt);
    frame.mutable_ended(0)->set_outcome(internal::v1::AttemptEnded::OUTCOME_SUCCEEDED);
    driver_.FromWorker(worker, frame);
  }

  tasks::EngineOptions Options() {
    tasks::EngineOptions options;
    options.payloads = &payloads_;
    tasks::FillTasks(options.tasks);
    options.self_check = tasks::SelfCheck::kAfterEveryEvent;
    // Durable ones leave as soon as their ends were told.
    options.recent_ends_bytes = 0;
    return options;
  }

  tenancy::Directory directory_ = *tenancy::Directory::Create({});
  tasks::PayloadLedger payloads_{{.retention_us = 3'600'000'000}};
  tasks::TaskEngine engine_{&directory_, Options()};
  ScriptedStore store_;
  // The wall clock: stands unless the test sets it.
  WallMicros wall_us_ = WallMicros{1'700'000'000} * 1'000'000;
  metrics::Scoreboard scoreboard_ = *metrics::Scoreboard::Create(1);
  EngineDriver driver_{*hub_, engine_, store_, scoreboard_.series(), [this] { return wall_us_; }};
  // What went to each worker.
  std::map<int32_t, internal::v1::ControlFrame> sent_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_DRIVER_FIXTURE_H_

// SchedulesTest: schedules on a hub of invented time, with a store in memory that may fail or wait.
#ifndef GROVE_SERVER_CONTROL_SCHEDULES_FIXTURE_H_
#define GROVE_SERVER_CONTROL_SCHEDULES_FIXTURE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proto/well_known_times.h"
#include "server/control/driver_fixture.h"
#include "server/control/live_schedules.h"
#include "server/control/schedule_calls.h"
#include "server/schedules/schedule_store.h"
#include "server/tasks/refusal.h"

namespace grove::control {

// Keeps what it is given, or fails; says so at once, or when the test tells it to.
class ScriptedScheduleStore final : public schedules::ScheduleStore {
 public:
  absl::StatusOr<std::vector<schedules::StoredSchedule>> Load() override {
    std::vector<schedules::StoredSchedule> all;
    for (const auto& [key, stored] : kept) all.push_back(stored);
    return all;
  }
  void Write(schedules::ScheduleChange change, Done done) override {
    ++writes;
    if (fails.ok()) Apply(change);
    if (waits) {
      waiting.push_back(std::move(done));
    } else {
      done(fails);
    }
  }
  void Stop() override {}

  void Apply(const schedules::ScheduleChange& change) {
    for (const auto& key : change.drops) kept.erase(key);
    for (const auto& put : change.puts) {
      schedules::StoredSchedule& stored = kept[put.key];
      stored.key = put.key;
      if (put.settings) stored.settings = *put.settings;
      stored.runs = put.runs;
      stored.seen_us = put.seen_us;
    }
  }
  void Answer() {
    waits = false;
    for (Done& done : std::exchange(waiting, {})) done(fails);
  }

  std::map<schedules::ScheduleKey, schedules::StoredSchedule> kept;
  absl::Status fails;
  int writes = 0;
  bool waits = false;
  std::vector<Done> waiting;
};

class SchedulesTest : public DriverTest {
 protected:
  SchedulesTest() { Begin(); }

  // What a control does at its start, with what is kept.
  void Begin() {
    calls_.reset();
    // The driver, which outlives it here, may still call it.
    if (live_ != nullptr) before_.push_back(std::move(live_));
    live_ = std::make_unique<LiveSchedules>(*hub_, directory_, driver_, schedule_store_,
                                            scoreboard_.series(), [this] { return wall_us_; });
    live_->set_payloads(&payloads_);
    live_->Restore(*schedule_store_.Load());
    calls_ = std::make_unique<ScheduleCalls>(directory_, driver_, *live_, 1 << 20);
  }

  // Beside the driver and the schedules' fiber, with a worker.
  void DriveAll(absl::AnyInvocable<void()> body) {
    Drive([&] {
      ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
      RunLive(std::move(body));
    });
  }
  void RunLive(absl::AnyInvocable<void()> body) {
    FiberHandle live = *Spawn("schedules", [this] { return live_->Run(); });
    body();
    live.Cancel();
    live.Join().IgnoreError();
  }
  // Lets everybody do what is to be done at once.
  void Settle() { Pass(absl::Milliseconds(1)); }

  static tenancy::Principal Operator() {
    return {.name = "token root", .roles = {tenancy::Role::kAdmin}};
  }
  static tenancy::Principal Of(const std::string& tenant) {
    return {.name = "token of " + tenant, .tenant = tenant, .roles = {tenancy::Role::kWriter}};
  }

  // Every minute, a volatile task.
  static v1::Schedule EveryMinute() {
    v1::Schedule schedule;
    schedule.mutable_interval()->mutable_every()->set_seconds(60);
    *schedule.mutable_spec() = Spec();
    return schedule;
  }
  absl::StatusOr<v1::Schedule> Create(const std::string& id, const v1::Schedule& schedule) {
    v1::CreateScheduleRequest request;
    request.set_parent("tenants/default");
    request.set_schedule_id(id);
    *request.mutable_schedule() = schedule;
    auto made = calls_->Create(Operator(), request);
    if (!made.ok()) return made.status();
    return made->schedule();
  }
  absl::StatusOr<v1::Schedule> Get(const std::string& id) {
    v1::GetScheduleRequest request;
    request.set_name(NameOf(id));
    auto found = calls_->Get(Operator(), request);
    if (!found.ok()) return found.status();
    return found->schedule();
  }
  static std::string NameOf(const std::string& id) { return "tenants/default/schedules/" + id; }

  // The oldest first.
  std::vector<v1::Task> Tasks() {
    v1::ListTasksRequest request;
    request.set_order_by("create_time");
    const auto listed = engine_.ListTasks(request, driver_.Now());
    EXPECT_TRUE(listed.ok()) << listed.status();
    return {listed->tasks().begin(), listed->tasks().end()};
  }
  // Ends the attempt that was started so many starts after the first.
  void EndStarted(int index) { End(0, sent_[0].start(index).attempt()); }

  template <typename Response>
  static std::string ReasonOf(const absl::StatusOr<Response>& response) {
    return tasks::RefusalReason(response.status());
  }

  ScriptedScheduleStore schedule_store_;
  std::vector<std::unique_ptr<LiveSchedules>> before_;
  std::unique_ptr<LiveSchedules> live_;
  std::unique_ptr<ScheduleCalls> calls_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SCHEDULES_FIXTURE_H_

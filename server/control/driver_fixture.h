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
#include "server/control/engine_driver.h"
#include "server/tasks/resolved_tasks.h"
#include "server/tasks/store.h"
#include "server/tenancy/directory.h"

namespace grove::control {

// Keeps what it is given; says that it is on disk when the test tells it to, or at its end.
class ScriptedStore final : public tasks::TaskStore {
 public:
  absl::StatusOr<std::vector<tasks::StoredTask>> LoadAll() override {
    return std::vector<tasks::StoredTask>();
  }
  uint64_t start_number() const override { return 1; }
  void Start(PersistedCallback persisted) override { persisted_ = std::move(persisted); }
  void Write(std::vector<tasks::StoreWrite> writes) override {
    for (tasks::StoreWrite& write : writes) written_.push_back(std::move(write));
  }
  absl::Status Stop() override {
    Persist();
    return absl::OkStatus();
  }

  void Persist() { persisted_(absl::OkStatus(), written_.empty() ? 0 : written_.back().ticket); }
  const std::vector<tasks::StoreWrite>& written() const { return written_; }

 private:
  PersistedCallback persisted_;
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

  static tasks::EngineOptions Options() {
    tasks::EngineOptions options;
    tasks::FillTasks(options.tasks);
    options.self_check = tasks::SelfCheck::kAfterEveryEvent;
    return options;
  }

  const tenancy::Directory directory_ = *tenancy::Directory::Create({});
  tasks::TaskEngine engine_{&directory_, Options()};
  ScriptedStore store_;
  EngineDriver driver_{*hub_, engine_, store_};
  // What went to each worker.
  std::map<int32_t, internal::v1::ControlFrame> sent_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_DRIVER_FIXTURE_H_

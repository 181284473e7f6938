#include "server/control/inside_calls.h"

#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/hub/fiber.h"
#include "server/control/driver_fixture.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using internal::v1::ControlFrame;
using internal::v1::InsideSpawned;
using internal::v1::InsideWaited;
using internal::v1::WorkerFrame;

constexpr auto kVolatile = v1::DURABILITY_VOLATILE;
constexpr auto kDurable = v1::DURABILITY_DURABLE;

class InsideCallsTest : public DriverTest {
 protected:
  InsideCallsTest() {
    inside_.set_sender([this](int32_t worker, const ControlFrame& frame) {
      for (const InsideSpawned& answer : frame.inside_spawned()) spawned_[answer.id()] = answer;
      for (const InsideWaited& answer : frame.inside_waited()) waited_[answer.id()] = answer;
      EXPECT_EQ(worker, 0);
      ++frames_;
    });
    inside_.set_auditor([this](const InsideSpawns& spawns) { audited_.push_back(spawns); });
  }

  void WithWorker(absl::AnyInvocable<void()> body) {
    Drive([&] {
      ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
      body();
    });
  }
  static void AddSpawn(WorkerFrame& frame, uint64_t id, v1::Durability durability,
                       const std::string& task = "", const std::string& tenant = "default") {
    internal::v1::InsideSpawn& asked = *frame.add_inside_spawns();
    asked.set_id(id);
    asked.mutable_caller()->set_tenant(tenant);
    asked.mutable_caller()->set_task(task);
    asked.set_child(true);
    *asked.mutable_spec() = Spec(durability);
    asked.mutable_spec()->set_request_id(absl::StrCat("inside-", id));
  }
  void Spawn(uint64_t id, v1::Durability durability, const std::string& task = "",
             const std::string& tenant = "default") {
    WorkerFrame frame;
    AddSpawn(frame, id, durability, task, tenant);
    inside_.Take(0, frame);
    driver_.AwaitRound().IgnoreError();
  }
  void Wait(uint64_t id, const std::string& task, const std::string& tenant = "default") {
    WorkerFrame frame;
    internal::v1::InsideWait& asked = *frame.add_inside_waits();
    asked.set_id(id);
    asked.mutable_caller()->set_tenant(tenant);
    asked.set_task(task);
    inside_.Take(0, frame);
  }
  // Ends what runs on worker 0.
  void EndAll() {
    for (const internal::v1::StartAttempt& start : sent_[0].start()) End(0, start.attempt());
    sent_[0].clear_start();
    driver_.AwaitRound().IgnoreError();
  }
  v1::Task Get(const std::string& name) {
    return *engine_.Get(*engine_.Find(name), v1::TASK_VIEW_FULL, driver_.Now());
  }

  InsideCalls inside_{driver_};
  std::map<uint64_t, InsideSpawned> spawned_;
  std::map<uint64_t, InsideWaited> waited_;
  int frames_ = 0;
  std::vector<InsideSpawns> audited_;
};

TEST_F(InsideCallsTest, AVolatileSpawnIsAnsweredAtOnceAndADurableOneWithItsGroup) {
  WithWorker([&] {
    Spawn(1, kVolatile);
    ASSERT_EQ(spawned_.count(1), 1u);
    EXPECT_EQ(Get(spawned_[1].name()).spec().function(), "echo");
    Spawn(2, kDurable);
    Spawn(3, kDurable);
    EXPECT_EQ(spawned_.count(2), 0u);
    EXPECT_EQ(inside_.open_calls(0), 2u);
    store_.Persist();
    driver_.AwaitRound().IgnoreError();
    EXPECT_TRUE(spawned_[2].has_name());
    EXPECT_TRUE(spawned_[3].has_name());
    EXPECT_EQ(inside_.open_calls(0), 0u);
  });
}

TEST_F(InsideCallsTest, AskedAgainItMakesNoSecondTask) {
  WithWorker([&] {
    Spawn(1, kDurable);
    inside_.LinkEnded(0);
    EXPECT_EQ(inside_.open_calls(0), 0u);
    store_.Persist();
    driver_.AwaitRound().IgnoreError();
    EXPECT_EQ(spawned_.size(), 0u) << "nobody listens";
    Spawn(1, kDurable);
    const std::string name = spawned_[1].name();
    EXPECT_NE(name, "");
    Spawn(1, kDurable);
    EXPECT_EQ(spawned_[1].name(), name);
    v1::ListTasksRequest all;
    EXPECT_EQ(engine_.ListTasks(all, driver_.Now())->tasks_size(), 1);
  });
}

TEST_F(InsideCallsTest, AFramesSpawnsAreAnsweredInOneAndAuditedByCaller) {
  WithWorker([&] {
    const std::string task = "tenants/default/queues/default/tasks/01J0000000000000000000000A";
    WorkerFrame frame;
    AddSpawn(frame, 1, kVolatile);
    AddSpawn(frame, 2, kVolatile);
    frame.mutable_inside_spawns(1)->mutable_spec()->set_function("nosuch");
    AddSpawn(frame, 3, kVolatile, task);
    inside_.Take(0, frame);
    EXPECT_EQ(frames_, 1);
    EXPECT_TRUE(spawned_[1].has_name());
    EXPECT_EQ(spawned_[2].refusal().reason(), "UNKNOWN_FUNCTION");
    EXPECT_EQ(Get(spawned_[3].name()).parent_task(), task);
    EXPECT_EQ(Get(spawned_[1].name()).parent_task(), "");
    ASSERT_EQ(audited_.size(), 2u);
    EXPECT_EQ(audited_[0].asked, 2);
    EXPECT_EQ(audited_[0].refused, 1);
    EXPECT_EQ(audited_[0].first_refusal.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(audited_[1].task, task);
  });
}

TEST_F(InsideCallsTest, NothingIsSpawnedWhileTheGateIsShut) {
  WithWorker([&] {
    inside_.set_gate([] { return tasks::Refusal(absl::StatusCode::kUnavailable, "SHUT", "now"); });
    Spawn(1, kVolatile);
    EXPECT_EQ(spawned_[1].refusal().reason(), "SHUT");
    EXPECT_EQ(engine_.Counters(driver_.Now()).tasks_held, 0u);
  });
}

TEST_F(InsideCallsTest, AnotherTenantsDoesNotExist) {
  WithWorker([&] {
    Spawn(1, kVolatile);
    Spawn(2, kVolatile, "", "nobody");
    EXPECT_EQ(spawned_[2].refusal().reason(), "TENANT_NOT_FOUND");
    Spawn(3, kVolatile, "tenants/other/queues/default/tasks/1");
    EXPECT_EQ(spawned_[3].refusal().reason(), "PARENT_OF_OTHER_TENANT");
    WorkerFrame frame;
    AddSpawn(frame, 4, kVolatile);
    frame.mutable_inside_spawns(0)->mutable_spec()->set_queue("tenants/other/queues/default");
    inside_.Take(0, frame);
    EXPECT_EQ(spawned_[4].refusal().reason(), "QUEUE_NOT_FOUND");
    Wait(5, spawned_[1].name(), "nobody");
    EXPECT_EQ(waited_[5].refusal().reason(), "TASK_NOT_FOUND");
    EXPECT_EQ(waited_[5].refusal().code(), static_cast<int>(absl::StatusCode::kNotFound));
  });
}

TEST_F(InsideCallsTest, AWaitIsAnsweredWhenTheTaskHasEnded) {
  WithWorker([&] {
    Spawn(1, kVolatile);
    Wait(2, spawned_[1].name());
    EXPECT_EQ(waited_.size(), 0u);
    EndAll();
    EXPECT_EQ(waited_[2].state(), v1::TASK_STATE_SUCCEEDED);
    Wait(3, spawned_[1].name());
    EXPECT_EQ(waited_[3].state(), v1::TASK_STATE_SUCCEEDED);
    EXPECT_EQ(inside_.open_calls(0), 0u);
  });
}

TEST_F(InsideCallsTest, AWaitThatIsForgottenIsNotAnswered) {
  WithWorker([&] {
    Spawn(1, kVolatile);
    Wait(2, spawned_[1].name());
    EXPECT_EQ(driver_.ends().waits(), 1u);
    WorkerFrame frame;
    frame.add_inside_forgotten(2);
    frame.add_inside_forgotten(77);
    inside_.Take(0, frame);
    EXPECT_EQ(driver_.ends().waits(), 0u);
    EndAll();
    EXPECT_EQ(waited_.size(), 0u);
  });
}

TEST_F(InsideCallsTest, AControlThatHandsOverAnswersNothing) {
  WithWorker([&] {
    const int fd = memfd_create("volatile", MFD_CLOEXEC);
    ASSERT_TRUE(driver_.HandOver(fd).ok());
    close(fd);
    WorkerFrame frame;
    AddSpawn(frame, 1, kVolatile);
    inside_.Take(0, frame);
    EXPECT_EQ(frames_, 0);
  });
}

TEST_F(InsideCallsTest, ADrainingOneRefuses) {
  WithWorker([&] {
    driver_.Drain(1);
    WorkerFrame frame;
    AddSpawn(frame, 1, kVolatile);
    inside_.Take(0, frame);
    EXPECT_EQ(spawned_[1].refusal().reason(), "DRAINING");
    EXPECT_GT(spawned_[1].refusal().retry_after_ms(), 0);
  });
}

TEST_F(InsideCallsTest, WhatATenantsRequestsRanIsInTheLedger) {
  WithWorker([&] {
    WorkerFrame frame;
    frame.add_usage()->set_tenant("default");
    frame.mutable_usage(0)->set_http_us(2'500'000);
    frame.add_usage()->set_tenant("nobody");
    frame.mutable_usage(1)->set_http_us(1);
    driver_.FromWorker(0, frame);
    driver_.FromWorker(0, frame);
    const auto fairness = engine_.GetFairness({}, driver_.Now());
    ASSERT_EQ(fairness->shares_size(), 1);
    EXPECT_EQ(fairness->shares(0).tenant(), "tenants/default");
    EXPECT_EQ(fairness->shares(0).http_time_total().seconds(), 5);
    EXPECT_EQ(fairness->shares(0).http_time_10s().seconds(), 5);
    EXPECT_EQ(fairness->shares(0).worker_time_total().seconds(), 0);
    Pass(absl::Seconds(20));
    v1::GetFairnessRequest own;
    own.set_parent("tenants/default");
    const auto later = engine_.GetFairness(own, driver_.Now());
    EXPECT_EQ(later->shares(0).http_time_total().seconds(), 5);
    EXPECT_EQ(later->shares(0).http_time_10s().seconds(), 0);
    metrics::SharedSeries& series = scoreboard_.series();
    metrics::SeriesIndex names(series.tenants.directory());
    EXPECT_EQ(series.tenant_cells.of[names.Find("default")][metrics::TenantTimeCell::kHttp],
              5'000'000u);
    EXPECT_FALSE(names.Knows("nobody"));
  });
}

}  // namespace
}  // namespace grove::control

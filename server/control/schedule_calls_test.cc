#include "server/control/schedule_calls.h"

#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/schedules_fixture.h"

namespace grove::control {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;
using v1::Schedule;

class ScheduleCallsTest : public SchedulesTest {
 protected:
  absl::StatusOr<Schedule> Update(Schedule schedule, const std::vector<std::string>& mask) {
    v1::UpdateScheduleRequest request;
    schedule.set_name(NameOf("s"));
    *request.mutable_schedule() = std::move(schedule);
    for (const std::string& path : mask) request.mutable_update_mask()->add_paths(path);
    auto updated = calls_->Update(Operator(), request);
    if (!updated.ok()) return updated.status();
    return updated->schedule();
  }
  absl::StatusOr<Schedule> Pause(const std::string& reason) {
    v1::PauseScheduleRequest request;
    request.set_name(NameOf("s"));
    request.set_reason(reason);
    auto paused = calls_->Pause(Operator(), request);
    if (!paused.ok()) return paused.status();
    return paused->schedule();
  }
  absl::StatusOr<Schedule> Resume() {
    v1::ResumeScheduleRequest request;
    request.set_name(NameOf("s"));
    auto resumed = calls_->Resume(Operator(), request);
    if (!resumed.ok()) return resumed.status();
    return resumed->schedule();
  }
  absl::StatusOr<v1::RunScheduleResponse> RunNow(const std::string& request_id = "") {
    v1::RunScheduleRequest request;
    request.set_name(NameOf("s"));
    request.set_request_id(request_id);
    return calls_->Run(Operator(), request);
  }
  absl::Status Delete(const std::string& etag = "") {
    v1::DeleteScheduleRequest request;
    request.set_name(NameOf("s"));
    request.set_etag(etag);
    return calls_->Delete(Operator(), request).status();
  }
  // Its name.
  std::string AddPayload(uint64_t id, int64_t bytes = 5, const std::string& tenant = "default") {
    tasks::PayloadRecord record{.tenant = tenant, .id = {1, id}, .size_bytes = bytes};
    record.create_us = wall_us_;
    payloads_.Add(record);
    return record.name();
  }
  static Schedule WithPayload(const std::string& name) {
    Schedule schedule = EveryMinute();
    schedule.mutable_spec()->set_input_payload(name);
    return schedule;
  }
  const internal::v1::StartAttempt& Started(int index) { return sent_[0].start(index); }
  // How many payloads are to go now.
  size_t Leaving() {
    return payloads_.TakeLeaving(wall_us_, [](uint64_t) { return true; }).size();
  }
  std::vector<std::string> List(const std::string& parent, int page_size) {
    std::vector<std::string> names;
    v1::ListSchedulesRequest request;
    request.set_parent(parent);
    request.set_page_size(page_size);
    do {
      const auto page = calls_->List(Operator(), request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const Schedule& schedule : page->schedules()) names.push_back(schedule.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }
};

TEST_F(ScheduleCallsTest, OneIsWrittenAndThenThere) {
  DriveAll([&] {
    EXPECT_EQ(ReasonOf(Get("s")), "SCHEDULE_NOT_FOUND");
    const auto made = Create("s", EveryMinute());
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->name(), NameOf("s"));
    EXPECT_EQ(made->state(), Schedule::STATE_ACTIVE);
    EXPECT_EQ(made->etag(), "1");
    EXPECT_EQ(made->next_run_times_size(), 5);
    EXPECT_EQ(proto::ToMicros(made->create_time()), wall_us_);
    EXPECT_EQ(Get("s")->SerializeAsString(), made->SerializeAsString());
    EXPECT_EQ(schedule_store_.kept.size(), 1u);
    EXPECT_EQ(ReasonOf(Create("s", EveryMinute())), "SCHEDULE_EXISTS");
  });
  Begin();
  EXPECT_EQ(Get("s")->etag(), "1");
}

TEST_F(ScheduleCallsTest, WhatCannotBeWrittenHasNotHappened) {
  DriveAll([&] {
    schedule_store_.fails = absl::ResourceExhaustedError("no room");
    EXPECT_EQ(ReasonOf(Create("s", EveryMinute())), "STORE_FULL");
    EXPECT_EQ(ReasonOf(Get("s")), "SCHEDULE_NOT_FOUND");
    schedule_store_.fails = absl::OkStatus();
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    schedule_store_.fails = absl::UnavailableError("broken");
    EXPECT_EQ(ReasonOf(Pause("x")), "STORE_UNAVAILABLE");
    EXPECT_EQ(ReasonOf(Update(EveryMinute(), {"jitter"})), "STORE_UNAVAILABLE");
    EXPECT_EQ(tasks::RefusalReason(Delete()), "STORE_UNAVAILABLE");
    EXPECT_EQ(Get("s")->state(), Schedule::STATE_ACTIVE);
    EXPECT_EQ(Get("s")->etag(), "1");
    // It goes on as it was.
    schedule_store_.fails = absl::OkStatus();
    Pass(absl::Seconds(41));
    EXPECT_EQ(Tasks().size(), 1u);
  });
}

TEST_F(ScheduleCallsTest, APayloadLivesAsLongAsAScheduleNamesIt) {
  const std::string first = AddPayload(1);
  const std::string second = AddPayload(2);
  DriveAll([&] {
    ASSERT_TRUE(Create("s", WithPayload(first)).ok());
    EXPECT_EQ(Get("s")->spec().input_payload(), first);
    Pass(absl::Seconds(41));
    ASSERT_EQ(Tasks().size(), 1u);
    EXPECT_EQ(payloads_.Find(first)->tasks, 1);
    EXPECT_EQ(payloads_.Find(first)->schedules, 1);
    EXPECT_EQ(Started(0).input_payload().size_bytes(), 5);
    // Those of its tasks hold it, too.
    ASSERT_TRUE(Update(WithPayload(second), {"spec"}).ok());
    EXPECT_EQ(payloads_.Find(first)->schedules, 0);
    EXPECT_EQ(payloads_.Find(first)->tasks, 1);
    EXPECT_EQ(payloads_.Find(second)->schedules, 1);
    // Another change leaves it as it is.
    ASSERT_TRUE(Pause("x").ok());
    EXPECT_EQ(payloads_.Find(second)->schedules, 1);
    EXPECT_EQ(Leaving(), 0u);
    ASSERT_TRUE(Delete().ok());
    EXPECT_EQ(payloads_.Find(second)->schedules, 0);
    EXPECT_EQ(Leaving(), 1u) << "the second, which no task has";
  });
}

TEST_F(ScheduleCallsTest, APayloadOfAScheduleOutlastsARestart) {
  const std::string payload = AddPayload(1);
  DriveAll([&] { ASSERT_TRUE(Create("s", WithPayload(payload)).ok()); });
  // As the next control's, which has just read its folder.
  payloads_.UndoHoldForSchedule(payload);
  Begin();
  EXPECT_EQ(payloads_.Find(payload)->schedules, 1);
  // Also while the config lacks its tenant, which may come back.
  schedules::StoredSchedule& kept = schedule_store_.kept.begin()->second;
  kept.key = {"gone", "s"};
  payloads_.UndoHoldForSchedule(payload);
  Begin();
  EXPECT_EQ(ReasonOf(Get("s")), "SCHEDULE_NOT_FOUND");
  EXPECT_EQ(payloads_.Find(payload)->schedules, 1);
}

TEST_F(ScheduleCallsTest, AChangeThatCannotBeWrittenHoldsNoPayload) {
  const std::string first = AddPayload(1);
  const std::string second = AddPayload(2);
  DriveAll([&] {
    schedule_store_.fails = absl::UnavailableError("broken");
    EXPECT_FALSE(Create("s", WithPayload(first)).ok());
    EXPECT_EQ(payloads_.Find(first)->schedules, 0);
    EXPECT_GT(payloads_.Find(first)->expire_us, 0) << "it expires as before";
    schedule_store_.fails = absl::OkStatus();
    ASSERT_TRUE(Create("s", WithPayload(first)).ok());
    schedule_store_.fails = absl::UnavailableError("broken");
    EXPECT_FALSE(Update(WithPayload(second), {"spec"}).ok());
    EXPECT_FALSE(Delete().ok());
    EXPECT_EQ(payloads_.Find(first)->schedules, 1);
    EXPECT_EQ(payloads_.Find(second)->schedules, 0);
    EXPECT_EQ(Leaving(), 0u);
    schedule_store_.fails = absl::OkStatus();
  });
}

TEST_F(ScheduleCallsTest, APayloadHasToBeTheTenantsAndToFit) {
  const std::string payload = AddPayload(1);
  const std::string others = AddPayload(2, 5, "acme");
  const std::string large = AddPayload(3, (1 << 20) + 1);
  DriveAll([&] {
    EXPECT_EQ(ReasonOf(Create("s", WithPayload(others))), "PAYLOAD_NOT_FOUND");
    EXPECT_EQ(ReasonOf(Create("s", WithPayload("tenants/default/payloads/never"))),
              "PAYLOAD_NOT_FOUND");
    EXPECT_EQ(ReasonOf(Create("s", WithPayload("never"))), "NAME_INVALID");
    Schedule both = WithPayload(payload);
    both.mutable_spec()->set_input("1");
    EXPECT_EQ(ReasonOf(Create("s", both)), "INPUT_AMBIGUOUS");
    const auto too_large = Create("s", WithPayload(large));
    EXPECT_EQ(ReasonOf(too_large), "INPUT_TOO_LARGE") << "\"echo\" reads it whole";
    EXPECT_THAT(std::string(too_large.status().message()),
                StartsWith("schedule.spec.input_payload: has 1048577 bytes"));
    internal::v1::Hello hello = Hello(1);
    hello.mutable_functions(0)->set_name("streams");
    hello.mutable_functions(0)->set_streams_input(true);
    ASSERT_TRUE(driver_.WorkerUp(hello).ok());
    Schedule streamed = WithPayload(large);
    streamed.mutable_spec()->set_function("streams");
    EXPECT_TRUE(Create("s", streamed).ok());
  });
}

TEST_F(ScheduleCallsTest, ATrialMakesNone) {
  DriveAll([&] {
    v1::CreateScheduleRequest request;
    request.set_schedule_id("s");
    *request.mutable_schedule() = EveryMinute();
    request.set_validate_only(true);
    const auto tried = calls_->Create(Operator(), request);
    ASSERT_TRUE(tried.ok()) << tried.status();
    EXPECT_EQ(tried->schedule().next_run_times_size(), 5);
    EXPECT_EQ(ReasonOf(Get("s")), "SCHEDULE_NOT_FOUND");
    EXPECT_EQ(schedule_store_.writes, 0);
  });
}

TEST_F(ScheduleCallsTest, WhatCannotBeIsRefusedWithItsField) {
  const auto with = [](auto change) {
    Schedule schedule = EveryMinute();
    change(schedule);
    return schedule;
  };
  const struct {
    const char* reason;
    const char* begins;
    Schedule schedule;
  } cases[] = {
      {"CRON_INVALID",
       "schedule.cron_expressions[0]: ", with([](auto& s) { s.add_cron_expressions("x"); })},
      {"SCHEDULE_NEVER_RUNS", "schedule.cron_expressions[0]: ", with([](auto& s) {
         s.add_cron_expressions("0 0 30 2 *");
       })},
      {"TIME_ZONE_UNKNOWN",
       "schedule.time_zone: ", with([](auto& s) { s.set_time_zone("Nowhere"); })},
      {"REMAINING_RUNS_NEGATIVE",
       "schedule.remaining_runs: ", with([](auto& s) { s.set_remaining_runs(-1); })},
      {"FUNCTION_REQUIRED", "schedule.spec.function: ", with([](auto& s) { s.clear_spec(); })},
      {"UNKNOWN_FUNCTION", "schedule.spec.function: ", with([](auto& s) {
         s.mutable_spec()->set_function("nonsense");
       })},
      {"INPUT_NOT_JSON",
       "schedule.spec.input: ", with([](auto& s) { s.mutable_spec()->set_input("{"); })},
      {"INPUT_TOO_LARGE", "schedule.spec.input: ", with([](auto& s) {
         s.mutable_spec()->set_input(std::string(100'000, '1'));
       })},
      {"QUEUE_NOT_FOUND", "there is no tenants/default/queues/none",
       with([](auto& s) { s.mutable_spec()->set_queue("none"); })},
  };
  DriveAll([&] {
    for (const auto& each : cases) {
      const auto made = Create("s", each.schedule);
      EXPECT_EQ(ReasonOf(made), each.reason) << made.status();
      EXPECT_THAT(std::string(made.status().message()), StartsWith(each.begins));
    }
    EXPECT_EQ(ReasonOf(Create("Not-A-Name", EveryMinute())), "NAME_INVALID");
    EXPECT_EQ(schedule_store_.writes, 0);
  });
}

TEST_F(ScheduleCallsTest, BeforeAWorkerHasComeAnyFunctionMayBe) {
  Drive([&] {
    Schedule schedule = EveryMinute();
    schedule.mutable_spec()->set_function("later");
    EXPECT_TRUE(Create("s", schedule).ok());
  });
}

TEST_F(ScheduleCallsTest, ListsGoByPages) {
  DriveAll([&] {
    ASSERT_TRUE(directory_.AddTenant("acme", 1).ok());
    driver_.Grow();
    for (const char* id : {"b", "a", "c"}) ASSERT_TRUE(Create(id, EveryMinute()).ok());
    v1::CreateScheduleRequest request;
    request.set_parent("tenants/acme");
    request.set_schedule_id("z");
    *request.mutable_schedule() = EveryMinute();
    request.mutable_schedule()->mutable_spec()->set_input("{}");
    ASSERT_TRUE(calls_->Create(Operator(), request).ok());
    EXPECT_THAT(List("tenants/default", 2), ElementsAre(NameOf("a"), NameOf("b"), NameOf("c")));
    EXPECT_THAT(List("tenants/-", 1),
                ElementsAre("tenants/acme/schedules/z", NameOf("a"), NameOf("b"), NameOf("c")));
    v1::ListSchedulesRequest list;
    list.set_parent("tenants/acme");
    EXPECT_EQ(calls_->List(Operator(), list)->schedules(0).spec().input(), "");
    list.set_page_token("made-up");
    EXPECT_EQ(ReasonOf(calls_->List(Operator(), list)), "PAGE_TOKEN_INVALID");
    list.set_page_size(-1);
    EXPECT_EQ(ReasonOf(calls_->List(Operator(), list)), "PAGE_SIZE_NEGATIVE");
    list.set_parent("tenants/none");
    list.clear_page_size();
    EXPECT_EQ(ReasonOf(calls_->List(Operator(), list)), "TENANT_NOT_FOUND");
  });
}

TEST_F(ScheduleCallsTest, ATenantHasSoManyAndNoMore) {
  DriveAll([&] {
    for (size_t i = 0; i < schedules::kSchedulesPerTenantMax; ++i) {
      ASSERT_TRUE(Create(StrCat("s", i), EveryMinute()).ok());
    }
    EXPECT_EQ(ReasonOf(Create("more", EveryMinute())), "TOO_MANY_SCHEDULES");
  });
}

TEST_F(ScheduleCallsTest, InputsOfATenantAreBoundedTogether) {
  DriveAll([&] {
    Schedule large = EveryMinute();
    large.mutable_spec()->set_input("\"" + std::string(65'000, 'x') + "\"");
    std::string reason;
    size_t made = 0;
    for (; reason.empty() && made < schedules::kSchedulesPerTenantMax; ++made) {
      reason = ReasonOf(Create(StrCat("s", made), large));
    }
    EXPECT_EQ(reason, "TOO_MANY_SCHEDULES");
    EXPECT_EQ(made, 259u);
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    EXPECT_EQ(ReasonOf(Update(large, {"spec"})), "TOO_MANY_SCHEDULES");
  });
}

TEST_F(ScheduleCallsTest, AnUpdateChangesWhatItNames) {
  DriveAll([&] {
    Schedule schedule = EveryMinute();
    schedule.set_remaining_runs(5);
    ASSERT_TRUE(Create("s", schedule).ok());
    Schedule sent;
    sent.mutable_interval()->mutable_every()->set_seconds(3600);
    sent.set_remaining_runs(1);
    sent.set_etag("1");
    const auto updated = Update(sent, {"interval"});
    ASSERT_TRUE(updated.ok()) << updated.status();
    EXPECT_EQ(updated->interval().every().seconds(), 3600);
    EXPECT_EQ(updated->remaining_runs(), 5);
    EXPECT_EQ(updated->spec().function(), "echo");
    EXPECT_EQ(updated->etag(), "2");
    EXPECT_EQ(ReasonOf(Update(sent, {"interval"})), "ETAG_MISMATCH");
    sent.clear_etag();
    EXPECT_EQ(ReasonOf(Update(sent, {})), "FIELD_MASK_INVALID");
    EXPECT_EQ(ReasonOf(Update(sent, {"state"})), "FIELD_MASK_INVALID");
    EXPECT_EQ(ReasonOf(Update(Schedule(), {"interval"})), "SCHEDULE_TIMES_REQUIRED");
    Pass(absl::Minutes(5));
    EXPECT_EQ(Tasks().size(), 0u);
  });
  Begin();
  EXPECT_EQ(Get("s")->interval().every().seconds(), 3600);
}

TEST_F(ScheduleCallsTest, ATrialOfAnUpdateChangesNothing) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    v1::UpdateScheduleRequest request;
    request.mutable_schedule()->set_name(NameOf("s"));
    request.mutable_schedule()->mutable_interval()->mutable_every()->set_seconds(3600);
    request.mutable_update_mask()->add_paths("interval");
    request.set_validate_only(true);
    EXPECT_EQ(calls_->Update(Operator(), request)->schedule().interval().every().seconds(), 3600);
    EXPECT_EQ(Get("s")->interval().every().seconds(), 60);
  });
}

TEST_F(ScheduleCallsTest, APausedOneSpawnsNothingUntilItIsResumed) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    EXPECT_EQ(ReasonOf(Pause(std::string(2000, 'x'))), "REASON_TOO_LONG");
    const auto paused = Pause("upkeep");
    ASSERT_TRUE(paused.ok()) << paused.status();
    EXPECT_EQ(paused->state(), Schedule::STATE_PAUSED);
    EXPECT_EQ(paused->pause_reason(), "upkeep");
    EXPECT_EQ(paused->etag(), "2");
    Pass(absl::Minutes(5));
    EXPECT_EQ(Tasks().size(), 0u);
  });
  Begin();
  DriveAll([&] {
    Pass(absl::Minutes(5));
    EXPECT_EQ(Tasks().size(), 0u);
    EXPECT_EQ(Resume()->state(), Schedule::STATE_ACTIVE);
    EXPECT_EQ(Resume()->etag(), "3");
    Pass(absl::Minutes(1));
    EXPECT_EQ(Tasks().size(), 1u);
    EXPECT_EQ(Get("s")->missed_total(), 0);
  });
}

TEST_F(ScheduleCallsTest, ARunByHandIsThereAtOnce) {
  DriveAll([&] {
    Schedule schedule = EveryMinute();
    schedule.set_remaining_runs(1);
    ASSERT_TRUE(Create("s", schedule).ok());
    ASSERT_TRUE(Pause("").ok());
    const auto first = RunNow("again");
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(first->task().spec().labels().at("grove.schedule"), "s");
    EXPECT_EQ(RunNow("again")->task().name(), first->task().name());
    EXPECT_NE(RunNow()->task().name(), first->task().name());
    EXPECT_EQ(ReasonOf(RunNow(std::string(41, 'x'))), "REQUEST_ID_INVALID");
    EXPECT_EQ(Get("s")->spawned_total(), 2);
    EXPECT_EQ(Get("s")->remaining_runs(), 1);
    EXPECT_TRUE(Get("s")->recent_runs(0).manual());
    driver_.Drain(1);
    EXPECT_EQ(ReasonOf(RunNow()), "DRAINING");
  });
}

TEST_F(ScheduleCallsTest, ADeletedOneIsGoneAndItsTasksGoOn) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    Pass(absl::Seconds(41));
    EXPECT_EQ(tasks::RefusalReason(Delete("7")), "ETAG_MISMATCH");
    EXPECT_TRUE(Delete("1").ok());
    EXPECT_EQ(tasks::RefusalReason(Delete()), "SCHEDULE_NOT_FOUND");
    EXPECT_TRUE(schedule_store_.kept.empty());
    Pass(absl::Minutes(5));
    ASSERT_EQ(Tasks().size(), 1u);
    EXPECT_EQ(Tasks()[0].state(), v1::TASK_STATE_RUNNING);
    EndStarted(0);
  });
}

TEST_F(ScheduleCallsTest, AnothersIsNotThere) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    v1::GetScheduleRequest get;
    get.set_name(NameOf("s"));
    EXPECT_EQ(ReasonOf(calls_->Get(Of("acme"), get)), "SCHEDULE_NOT_FOUND");
    EXPECT_TRUE(calls_->Get(Of("default"), get).ok());
    get.set_name("nonsense");
    EXPECT_EQ(ReasonOf(calls_->Get(Of("acme"), get)), "NAME_INVALID");
  });
}

TEST_F(ScheduleCallsTest, ATenantThatIsBeingDeletedGetsNone) {
  DriveAll([&] {
    directory_.SetDraining(*directory_.FindTenant("default"));
    EXPECT_EQ(ReasonOf(Create("s", EveryMinute())), "TENANT_DRAINING");
  });
}

}  // namespace
}  // namespace grove::control

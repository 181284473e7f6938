#include "server/test_kit/test_application.h"

#include "gtest/gtest.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "server/functions/fetch.h"

namespace grove::test_kit {
namespace {

TEST(TestApplicationTest, AnswersRequestsByHandlersWithSettingsAndKeepsWhatTheySpawn) {
  Application application("shop");
  const auto greeting =
      application.settings().Text("greeting", {.description = "said", .default_value = "hi"});
  const CounterMetric orders =
      application.metrics().Counter({.name = "orders_total", .help = "Orders."});
  application.AddHandlerFactory("order", [&](WorkerServices& services) -> http::Handler {
    return [&](http::Request& request, http::Response& response) {
      orders.Add();
      const absl::StatusOr<std::string> body = request.ReadWholeBody(100);
      if (!body.ok()) return body.status();
      const auto task = services.tasks.Spawn({.function = "price", .input = *body});
      if (!task.ok()) return task.status();
      return response.Send(201, "text/plain", services.settings[greeting]);
    };
  });
  application.AddRoute("POST", "/orders", "order");
  application.AddFunction("price", [](TaskContext& context) -> absl::StatusOr<Output> {
    return Output{std::string(context.input()) + "!", "text/plain"};
  });
  TestApplication test(application,
                       "{application: {greeting: hello}, http: {middleware: [{request_id: {}}]}}");
  const absl::Status status = test.Run([&] {
    const TestAnswer answer = test.Request("POST", "/orders", "book");
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.Field("content-type"), "text/plain");
    EXPECT_NE(answer.Field("X-Request-Id"), "");
    EXPECT_EQ(test.Request("GET", "/none").status, 404);
    EXPECT_EQ(test.Request("GET", "/orders").status, 405);
    ASSERT_EQ(test.spawned().tasks().size(), 1);
    const SpawnedTasks::Task task = test.spawned().tasks()[0];
    EXPECT_EQ(task.request.function, "price");
    const absl::StatusOr<TaskResult> result =
        test.spawned().Wait(task.name, absl::InfiniteDuration());
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->output, "book!");
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(orders.With({}).value(), 1);
}

TEST(TestApplicationTest, RunsFunctionsAsAWorkerDoes) {
  Application application("a");
  application.AddFunction("late", [](TaskContext& context) -> absl::StatusOr<Output> {
    context.ReportProgress(0.5, "half");
    EXPECT_TRUE(context.Checkpoint("here").ok());
    return Sleep(absl::Hours(1));
  });
  application.AddFunction("later", [](TaskContext&) -> absl::StatusOr<Output> {
    return RetryAfter(absl::Seconds(7), "busy");
  });
  application.AddFunction(
      "never", [](TaskContext&) -> absl::StatusOr<Output> { return NeverAgain("gone"); });
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    const TestAttempt late = test.Call("late", "", {.timeout = absl::Minutes(1)});
    EXPECT_EQ(late.outcome, TestOutcome::kTimedOut);
    EXPECT_EQ(late.progress, 0.5);
    EXPECT_EQ(late.progress_message, "half");
    EXPECT_EQ(late.checkpoint, "here");
    EXPECT_EQ(test.Call("later", "").retry_after, absl::Seconds(7));
    EXPECT_TRUE(test.Call("never", "").never_again);
    EXPECT_EQ(test.Call("unknown", "").outcome, TestOutcome::kFailed);
    const uint64_t attempt = test.Begin("late", "");
    Yield();
    test.Cancel(attempt, "not wanted");
    const TestAttempt cancelled = test.Await(attempt);
    EXPECT_EQ(cancelled.outcome, TestOutcome::kCancelled);
    EXPECT_EQ(cancelled.status.message(), "not wanted");
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, ASpawnedTaskRunsOnceForAllWhoWait) {
  Application application("a");
  int runs = 0;
  application.AddFunction("count", [&](TaskContext&) -> absl::StatusOr<Output> {
    ++runs;
    return Output{};
  });
  application.AddFunction("late", [](TaskContext&) -> absl::StatusOr<Output> {
    if (absl::Status slept = Sleep(absl::Hours(1)); !slept.ok()) return slept;
    return Output{};
  });
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    TaskClient& tasks = test.services().tasks;
    const auto first = tasks.Spawn({.function = "count", .queue = "mail", .request_id = "r"});
    EXPECT_EQ(*first, "tenants/default/queues/mail/tasks/1");
    EXPECT_EQ(*tasks.Spawn({.function = "count", .queue = "mail", .request_id = "r"}), *first);
    EXPECT_EQ(test.spawned().tasks().size(), 1);
    EXPECT_EQ(runs, 0);
    EXPECT_TRUE(tasks.Wait(*first).ok());
    EXPECT_EQ(tasks.Wait(*first)->end, TaskEnd::kSucceeded);
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(tasks.Wait("tenants/default/tasks/9").status().code(), absl::StatusCode::kNotFound);
    const auto late = tasks.Spawn({.function = "late", .timeout = absl::Minutes(30)});
    EXPECT_EQ(ReasonOf(tasks.Wait(*late, absl::Seconds(1)).status()), "WAIT_OVER");
    EXPECT_EQ(tasks.Wait(*late)->end, TaskEnd::kTimedOut);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, HooksSurroundItAndPeriodicWorkIsDueByItsClock) {
  Application application("a");
  std::string seen;
  application.OnStart("open", [&](WorkerServices&) {
    seen += "start ";
    return absl::OkStatus();
  });
  application.OnStop("close", [&](WorkerServices&) {
    seen += "stop";
    return absl::OkStatus();
  });
  application.AddPeriodic("sweep", absl::Minutes(2), [&](WorkerServices&) {
    seen += "sweep ";
    return absl::OkStatus();
  });
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    test.Advance(absl::Minutes(5));
    EXPECT_EQ(seen, "start sweep sweep ");
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen, "start sweep sweep stop");
}

TEST(TestApplicationTest, FetchesAreAskedOfThePeer) {
  Application application("a");
  application.AddFunction("rate", [](TaskContext& context) -> absl::StatusOr<Output> {
    const absl::StatusOr<functions::FetchResult> answer =
        context.services().fetch.Fetch({.url = "https://rates.example/eur"});
    if (!answer.ok()) return answer.status();
    if (answer->status != 200) return absl::UnavailableError(answer->body);
    return Output{answer->body, "text/plain"};
  });
  TestApplication test(application, "fetch: {timeout_ms: 5000, body_max_bytes: 1024}");
  test.peer()
      .On("GET", "https://rates.example/eur")
      .Answer(200, "1.08")
      .Answer(200, "late")
      .Delay(absl::Seconds(6))
      .Answer(200, std::string(1025, 'x'));
  const absl::Status status = test.Run([&] {
    EXPECT_EQ(test.Call("rate", "").output, "1.08");
    EXPECT_EQ(test.Call("rate", "").status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(test.Call("rate", "").status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(test.peer().requests().size(), 3u);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, AFetchThatNoScriptAnswersFailsTheRun) {
  Application application("a");
  application.AddPeriodic("ask", absl::Minutes(1), [](WorkerServices& services) {
    return services.fetch.Fetch({.url = "http://metrics.example/push"}).status();
  });
  TestApplication test(application);
  const absl::Status status = test.Run([&] { test.Advance(absl::Minutes(1)); });
  EXPECT_EQ(status.message(),
            "asked of FakeHttpPeer, and answered by no script: GET http://metrics.example/push");
}

v1::Schedule CronSchedule(std::string cron, std::string zone = "") {
  v1::Schedule schedule;
  schedule.add_cron_expressions(std::move(cron));
  schedule.set_time_zone(std::move(zone));
  schedule.mutable_spec()->set_function("report");
  schedule.mutable_spec()->set_input("yesterday");
  return schedule;
}

TEST(TestApplicationTest, ASchedulesTasksAreSpawnedAndRunWhenTheWallsClockSaysSo) {
  Application application("a");
  TestApplication test(application);
  std::vector<std::string> runs;
  application.AddFunction("report", [&](TaskContext& context) -> absl::StatusOr<Output> {
    runs.push_back(absl::FormatTime("%a %H:%M", test.now(), absl::UTCTimeZone()) + " of " +
                   std::string(context.input()));
    return Output{};
  });
  test.set_begin(absl::FromUnixSeconds(1774656000));  // Saturday, the 28th of March 2026, 00:00
  const absl::Status status = test.Run([&] {
    // The clocks of Berlin are put forward on the 29th.
    ASSERT_TRUE(test.AddSchedule("nightly", CronSchedule("30 3 * * *", "Europe/Berlin")).ok());
    test.Advance(absl::Hours(48));
    EXPECT_EQ(runs, (std::vector<std::string>{"Sat 02:30 of yesterday", "Sun 01:30 of yesterday"}));
    EXPECT_EQ(test.spawned().tasks()[0].request.labels[0].second, "nightly");
    const absl::StatusOr<v1::Schedule> seen = test.GetSchedule("nightly");
    EXPECT_EQ(seen->spawned_total(), 2);
    EXPECT_EQ(seen->recent_runs(0).task_state(), v1::TASK_STATE_SUCCEEDED);
    EXPECT_EQ(seen->next_run_times(0).seconds(), 1774834200);
    EXPECT_TRUE(absl::IsAlreadyExists(test.AddSchedule("nightly", CronSchedule("@daily"))));
    EXPECT_TRUE(absl::IsInvalidArgument(test.AddSchedule("never", CronSchedule("0 0 30 2 *"))));
    EXPECT_TRUE(absl::IsNotFound(test.GetSchedule("other").status()));
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, SchedulesThatTheCodeDeclaresRunToo) {
  Application application("a");
  std::vector<std::string> runs;
  application.AddFunction("report", [&](TaskContext& context) -> absl::StatusOr<Output> {
    runs.push_back(std::string(context.input()));
    return Output{};
  });
  application.AddSchedule("hourly", {.cron = {"@hourly"}},
                          {.function = "report", .input = "the hour's"});
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    test.Advance(absl::Hours(2));
    EXPECT_EQ(runs, (std::vector<std::string>{"the hour's", "the hour's"}));
    EXPECT_EQ(test.GetSchedule("hourly")->spawned_total(), 2);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, AScheduleKeepsToItsPolicies) {
  Application application("a");
  int cancelled = 0;
  application.AddFunction("report", [&](TaskContext& context) -> absl::StatusOr<Output> {
    const absl::Status slept = Sleep(absl::Minutes(90));
    if (context.cancelled()) ++cancelled;
    if (!slept.ok()) return slept;
    return absl::UnavailableError("no report today");
  });
  TestApplication test(application, "tasks: {default_timeout_ms: 86400000}");
  const absl::Status status = test.Run([&] {
    v1::Schedule cancelling = CronSchedule("@hourly");
    cancelling.set_overlap_policy(v1::Schedule::OVERLAP_POLICY_CANCEL_RUNNING);
    v1::Schedule pausing = CronSchedule("@hourly");
    pausing.set_pause_on_failure(true);
    ASSERT_TRUE(test.AddSchedule("cancelling", cancelling).ok());
    ASSERT_TRUE(test.AddSchedule("pausing", pausing).ok());
    test.Advance(absl::Minutes(190));
    // It has begun at one, skipped two, and failed at half past two.
    const absl::StatusOr<v1::Schedule> paused = test.GetSchedule("pausing");
    EXPECT_EQ(paused->state(), v1::Schedule::STATE_PAUSED);
    EXPECT_EQ(paused->skipped_total(), 1);
    EXPECT_EQ(paused->failed_total(), 1);
    // Of those of one, two and three the last one runs.
    EXPECT_EQ(cancelled, 2);
    EXPECT_EQ(test.GetSchedule("cancelling")->running_tasks_size(), 1);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, RunAllRunsWhatIsSpawnedMeanwhileToo) {
  Application application("a");
  int left = 3;
  application.AddFunction("chain", [&](TaskContext& context) -> absl::StatusOr<Output> {
    if (--left > 0) {
      const auto next = context.services().tasks.Spawn({.function = "chain"});
      if (!next.ok()) return next.status();
    }
    return Output{};
  });
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    EXPECT_TRUE(test.services().tasks.Spawn({.function = "chain"}).ok());
    EXPECT_EQ(test.spawned().RunAll(), 3u);
    EXPECT_EQ(left, 0);
    EXPECT_EQ(test.spawned().RunAll(), 0u);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, WhoComesWhileATaskRunsWaitsForTheSameRun) {
  Application application("a");
  int runs = 0;
  application.AddFunction("slow", [&](TaskContext&) -> absl::StatusOr<Output> {
    ++runs;
    const absl::Status slept = Sleep(absl::Minutes(1));
    if (!slept.ok()) return slept;
    return Output{};
  });
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    const std::string task = *test.services().tasks.Spawn({.function = "slow"});
    FiberGroup both;
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(
          both.Spawn("wait", [&] { EXPECT_TRUE(test.spawned().Wait(task, absl::Hours(1)).ok()); })
              .ok());
    }
    EXPECT_TRUE(both.Join().ok());
    EXPECT_EQ(runs, 1);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, RowsAndLocksExpireByItsClock) {
  Application application("a");
  WorkerServices* services = nullptr;
  application.OnStart("keeps", [&](WorkerServices& given) {
    services = &given;
    return absl::OkStatus();
  });
  TestApplication test(application);
  const absl::Status status = test.Run([&] {
    EXPECT_EQ(*services->table.Add("hits", 1, {.expiry = absl::Minutes(1)}), 1);
    EXPECT_EQ(*services->table.Add("hits", 1), 2);
    const auto held = services->locks.Lock("leader", absl::Minutes(1));
    EXPECT_TRUE(held.ok()) << held.status();
    EXPECT_TRUE(absl::IsAborted(services->locks.TryLock("leader", absl::Minutes(1)).status()));
    EXPECT_TRUE(Sleep(absl::Minutes(1)).ok());
    EXPECT_TRUE(absl::IsNotFound(services->table.Get("hits").status()));
    EXPECT_TRUE(services->locks.TryLock("leader", absl::Minutes(1)).ok());
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TestApplicationTest, WithoutRowsThereIsNoSharedTable) {
  Application application("a");
  absl::Status said;
  application.OnStart("asks", [&](WorkerServices& services) {
    said = services.table.Put("k", "v");
    return absl::OkStatus();
  });
  TestApplication test(application, "shared_table: {rows_max: 0}");
  EXPECT_TRUE(test.Run([] {}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(said)) << said;
}

TEST(TestApplicationTest, WhatDoesNotStartSaysWhy) {
  Application application("a");
  application.OnStart("open", [](WorkerServices&) { return absl::NotFoundError("no database"); });
  bool ran = false;
  TestApplication failing(application);
  EXPECT_EQ(failing.Run([&] { ran = true; }).message(), "start hook \"open\": no database");
  TestApplication unknown(application, "application: {colour: red}");
  EXPECT_FALSE(unknown.Run([&] { ran = true; }).ok());
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace grove::test_kit

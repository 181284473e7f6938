#include "server/test_kit/test_application.h"

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"

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

#include "client/cli/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/time/time.h"
#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

const View kView{absl::FromUnixSeconds(1000)};

v1::Task Queued() {
  v1::Task task;
  task.set_name("tenants/default/queues/mail/tasks/01J");
  task.mutable_spec()->set_function("echo");
  task.set_state(v1::TASK_STATE_QUEUED);
  task.mutable_create_time()->set_seconds(997);
  task.set_waiting_reason("pool default is full");
  return task;
}

TEST(RenderTasks, ShowsStateAgeAndWhyATaskWaits) {
  List<v1::Task> tasks;
  *tasks.Add() = Queued();
  EXPECT_EQ(RenderTasks(tasks, kView),
            "TASK      FUNCTION  STATE   AGE     RUN  ATTEMPTS  NOTE\n"
            "mail/01J  echo      QUEUED  3s ago  -    0         pool default is full\n");
}

TEST(RenderTask, ListsItsAttempts) {
  v1::Task task = Queued();
  task.set_state(v1::TASK_STATE_FAILED);
  task.mutable_error()->set_code(2);
  task.mutable_error()->set_message("boom\n");
  auto& attempt = *task.add_attempts();
  attempt.set_number(1);
  attempt.set_state(v1::Attempt::STATE_FAILED);
  attempt.set_worker("workers/0");
  attempt.mutable_start_time()->set_seconds(998);
  attempt.mutable_end_time()->set_seconds(999);
  task.set_parent_task("tenants/default/queues/mail/tasks/01A");
  const std::string text = RenderTask(task, kView);
  EXPECT_NE(text.find("parent:   tenants/default/queues/mail/tasks/01A\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("error:    boom\\n (UNKNOWN)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1        FAILED  0       0    -      2s ago   1.00s"), std::string::npos)
      << text;
}

TEST(RenderQueues, NamesTheTenant) {
  List<v1::Queue> queues;
  queues.Add()->set_name("tenants/acme/queues/mail");
  EXPECT_NE(RenderQueues(queues, kView).find("\nacme/mail  "), std::string::npos);
}

TEST(RenderQueues, ShowsDeadLettersAndForHowLongTheyAreKept) {
  List<v1::Queue> queues;
  v1::Queue& queue = *queues.Add();
  queue.set_name("tenants/acme/queues/mail");
  queue.set_ended(7);
  queue.set_dead_letters(3);
  queue.mutable_retention()->set_seconds(60);
  queue.mutable_dead_letter_retention()->set_seconds(7200);
  const std::string text = RenderQueues(queues, kView);
  EXPECT_NE(text.find("ENDED  DEAD LETTERS  KEPT FOR  DEAD FOR"), std::string::npos) << text;
  EXPECT_NE(text.find("7      3             " + DurationText(absl::Seconds(60))), std::string::npos)
      << text;
  EXPECT_NE(text.find(DurationText(absl::Seconds(7200))), std::string::npos) << text;
}

TEST(RenderWorkers, NotesWhichOneKeepsDying) {
  List<v1::Worker> workers;
  v1::Worker& worker = *workers.Add();
  worker.set_last_exit("crash: signal 11 (Segmentation fault)");
  worker.set_quick_deaths(1);
  EXPECT_EQ(RenderWorkers(workers, kView).find("died"), std::string::npos);
  worker.set_quick_deaths(5);
  EXPECT_NE(RenderWorkers(workers, kView)
                .find("  died 5 times in a row (crash: signal 11 (Segmentation fault))\n"),
            std::string::npos);
  worker.mutable_restart_delay()->set_seconds(3);
  worker.mutable_restart_delay()->set_nanos(200'000'000);
  EXPECT_NE(RenderWorkers(workers, kView).find("  restarts in 3.20s, died 5 times in a row ("),
            std::string::npos)
      << RenderWorkers(workers, kView);
}

TEST(RenderWorkers, SaysOfOneAtTheGatewayWhoseItIs) {
  List<v1::Worker> workers;
  v1::Worker& worker = *workers.Add();
  worker.set_name("workers/256");
  worker.set_tenant("tenants/acme");
  worker.set_tasks_running(3);
  const auto line = [&] {
    const std::string text = RenderWorkers(workers, kView);
    return text.substr(text.find('\n') + 1);
  };
  EXPECT_THAT(line(), testing::HasSubstr("  runs tasks of acme\n"));
  EXPECT_THAT(line(), testing::Not(testing::HasSubstr("ago")));
  worker.set_host("here");
  worker.set_runtime("python 3.11");
  EXPECT_THAT(line(), testing::HasSubstr("  runs tasks of acme, on here, python 3.11\n"));
}

TEST(RenderStacks, ShowsAFiberPerBlockWithItsFunctions) {
  List<v1::Fiber> fibers;
  for (const char* name : {"workers/0/fibers/17", "workers/1/fibers/2"}) {
    v1::Fiber& fiber = *fibers.Add();
    fiber.set_name(name);
    fiber.set_display_name("main");
    fiber.set_state(v1::Fiber::STATE_PARKED);
  }
  fibers.Mutable(0)->add_stack("grove::Event::Wait()+0x5e");
  fibers.Mutable(0)->add_stack("(more \x1b frames)");
  fibers.Mutable(0)->set_stack_used_bytes(8192);
  fibers.Mutable(0)->set_stack_bytes(65536);
  const std::string text = RenderStacks(fibers, kView);
  EXPECT_NE(text.find("0/17\n"), std::string::npos) << text;
  EXPECT_NE(text.find("touched\n    grove::Event::Wait()+0x5e\n    (more "), std::string::npos)
      << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_LT(text.find("\n\n"), text.find("1/2\n")) << text;
}

}  // namespace
}  // namespace grove::client::cli

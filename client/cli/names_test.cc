#include "client/cli/names.h"

#include <gtest/gtest.h>

namespace grove::client::cli {
namespace {

TEST(TaskName, CompletesShortForms) {
  const std::string whole = "tenants/acme/queues/default/tasks/01J";
  for (const char* typed : {"01J", "tasks/01J", "default/01J", "queues/default/tasks/01J",
                            "tenants/acme/queues/default/tasks/01J"}) {
    EXPECT_EQ(*TaskName(typed, "acme"), whole) << typed;
  }
  EXPECT_EQ(*TaskName("mail/01J", "acme"), "tenants/acme/queues/mail/tasks/01J");
}

TEST(TaskName, RefusesWhatIsNoName) {
  for (const char* typed : {"", "/", "a/b/c", "mail/", "tenants/acme/tasks/1", "a//b"}) {
    EXPECT_FALSE(TaskName(typed, "default").ok()) << typed;
  }
}

TEST(QueueName, CompletesShortForms) {
  EXPECT_EQ(*QueueName("mail", "acme"), "tenants/acme/queues/mail");
  EXPECT_EQ(*QueueName("queues/mail", "acme"), "tenants/acme/queues/mail");
  EXPECT_EQ(*QueueName("zeta/mail", "acme"), "tenants/zeta/queues/mail");
  EXPECT_EQ(*QueueName("tenants/b/queues/mail", "acme"), "tenants/b/queues/mail");
  EXPECT_FALSE(QueueName("tenants/b/pools/mail", "acme").ok());
}

TEST(ScheduleName, CompletesShortForms) {
  EXPECT_EQ(*ScheduleName("nightly", "acme"), "tenants/acme/schedules/nightly");
  EXPECT_EQ(*ScheduleName("zeta/nightly", "acme"), "tenants/zeta/schedules/nightly");
  EXPECT_FALSE(ScheduleName("tenants/b/queues/mail", "acme").ok());
}

TEST(FiberName, TakesWorkerAndId) {
  EXPECT_EQ(*FiberName("0/17"), "workers/0/fibers/17");
  EXPECT_EQ(*FiberName("workers/3/fibers/1"), "workers/3/fibers/1");
  for (const char* bad : {"", "17", "0/", "/17", "0/x", "x/17", "workers/0", "workers/0/fibers/",
                          "workers/0/threads/1", "0/1/2"}) {
    EXPECT_FALSE(FiberName(bad).ok()) << bad;
  }
}

TEST(WorkerName, TakesANumber) {
  EXPECT_EQ(*WorkerName("0"), "workers/0");
  EXPECT_EQ(*WorkerName("workers/12"), "workers/12");
  EXPECT_FALSE(WorkerName("-1").ok());
  EXPECT_FALSE(WorkerName("one").ok());
}

TEST(OperationName, IsItsNumber) {
  EXPECT_EQ(*OperationName("12"), "operations/12");
  EXPECT_EQ(*OperationName("operations/12"), "operations/12");
  for (const char* typed : {"", "0", "-1", "01", "operations/", "reload"}) {
    EXPECT_FALSE(OperationName(typed).ok()) << typed;
  }
}

TEST(ShortTaskName, IsAcceptedByTaskName) {
  const std::string whole = "tenants/acme/queues/mail/tasks/01J";
  EXPECT_EQ(ShortTaskName(whole), "mail/01J");
  EXPECT_EQ(*TaskName(ShortTaskName(whole), "acme"), whole);
  EXPECT_EQ(ShortTaskName("odd"), "odd");
}

}  // namespace
}  // namespace grove::client::cli

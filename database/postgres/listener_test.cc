#include "database/postgres/listener.h"

#include <memory>
#include <string>

#include "database/postgres/server_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::postgres {
namespace {

class ListenerTest : public PostgresTest {};

TEST_F(ListenerTest, HearsNotificationsInTheirOrder) {
  Run([&] {
    auto connector = *Connector::Create();
    auto sender = *connector->Connect(server_->Options());
    Listener listener(*connector, server_->Options(), {"jobs", "Odd \"name"});
    EXPECT_EQ(listener.Next()->kind, Listened::Kind::kListening);
    auto sends = *Spawn("sends", [&] {
      for (const char* payload : {"1", "2"}) {
        EXPECT_TRUE(sender->Query("SELECT pg_notify('jobs', $1)", {payload}).ok());
      }
      EXPECT_TRUE(sender->ExecuteScript("NOTIFY \"Odd \"\"name\"").ok());
    });
    absl::StatusOr<Listened> heard = listener.Next();
    ASSERT_TRUE(heard.ok());
    EXPECT_EQ(heard->kind, Listened::Kind::kNotification);
    EXPECT_EQ(heard->channel, "jobs");
    EXPECT_EQ(heard->payload, "1");
    EXPECT_EQ(heard->backend_pid, sender->backend_pid());
    EXPECT_EQ(listener.Next()->payload, "2");
    EXPECT_EQ(listener.Next()->channel, "Odd \"name");
    EXPECT_TRUE(sends.Join().ok());
  });
}

TEST_F(ListenerTest, ATimeoutLeavesItListening) {
  Run([&] {
    auto connector = *Connector::Create();
    auto sender = *connector->Connect(server_->Options());
    Listener listener(*connector, server_->Options(), {"jobs"});
    EXPECT_TRUE(listener.Next().ok());
    {
      Timeout timeout(absl::Milliseconds(5));
      EXPECT_TRUE(absl::IsDeadlineExceeded(listener.Next().status()));
    }
    EXPECT_TRUE(sender->ExecuteScript("NOTIFY jobs").ok());
    EXPECT_EQ(listener.Next()->channel, "jobs");
    EXPECT_EQ(listener.connects(), 1u);
  });
}

TEST_F(ListenerTest, AServerThatWasKilledIsListenedToAgainAndThatIsTold) {
  Run([&] {
    auto connector = *Connector::Create();
    ListenerOptions options;
    options.pause.first = absl::Milliseconds(1);
    Listener listener(*connector, server_->Options(), {"jobs"}, options);
    EXPECT_TRUE(listener.Next().ok());
    server_->Kill();
    auto starts = *Spawn("starts", [&] {
      while (listener.last_failure().ok()) (void)Sleep(absl::Milliseconds(1));
      server_->Start();
    });
    absl::StatusOr<Listened> next = listener.Next();
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(next->kind, Listened::Kind::kListening);
    EXPECT_EQ(listener.connects(), 2u);
    EXPECT_TRUE(starts.Join().ok());
  });
}

TEST_F(ListenerTest, AQuietServerIsAskedWhetherItIsThere) {
  Run([&] {
    auto connector = *Connector::Create();
    auto sender = *connector->Connect(server_->Options());
    ListenerOptions options;
    options.ping_after = absl::Milliseconds(1);
    Listener listener(*connector, server_->Options(), {"jobs"}, options);
    EXPECT_TRUE(listener.Next().ok());
    auto sends = *Spawn("sends", [&] {
      (void)Sleep(absl::Milliseconds(20));
      EXPECT_TRUE(sender->ExecuteScript("NOTIFY jobs").ok());
    });
    EXPECT_EQ(listener.Next()->kind, Listened::Kind::kNotification);
    EXPECT_EQ(listener.connects(), 1u);
    EXPECT_TRUE(sends.Join().ok());
  });
}

TEST_F(ListenerTest, WhatWillNotChangeIsTold) {
  Run([&] {
    auto connector = *Connector::Create();
    ConnectionOptions options = server_->Options();
    options.password = "wrong";
    Listener listener(*connector, options, {"jobs"});
    EXPECT_TRUE(absl::IsUnauthenticated(listener.Next().status()));
  });
}

}  // namespace
}  // namespace grove::postgres

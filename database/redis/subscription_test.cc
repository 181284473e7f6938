#include "database/redis/subscription.h"

#include <string>

#include "database/redis/redis_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::redis {
namespace {

using Peer = FakeRedis::Peer;

std::string Confirmed(std::string_view kind, std::string_view channel, int number) {
  return absl::StrCat(">3\r\n+", std::string(kind), "\r\n+", std::string(channel), "\r\n:", number,
                      "\r\n");
}

std::string Published(std::string_view channel, std::string_view payload) {
  return absl::StrCat(">3\r\n+message\r\n+", std::string(channel), "\r\n+", std::string(payload),
                      "\r\n");
}

class SubscriptionTest : public HubTest {
 protected:
  void With(std::function<void(Peer&, int)> serve, SubscribeOptions options,
            std::function<void(FakeRedis&, Subscription&)> body) {
    Run([&] {
      FakeRedis server(std::move(serve));
      std::unique_ptr<Client> client = *Client::Create({.server = server.Options()});
      absl::StatusOr<std::unique_ptr<Subscription>> subscription =
          client->Subscribe(std::move(options));
      ASSERT_TRUE(subscription.ok()) << subscription.status();
      body(server, **subscription);
      subscription->reset();
      client->Close();
    });
  }
};

TEST_F(SubscriptionTest, OpensOnceAllIsConfirmedAndKeepsWhatCameMeanwhile) {
  const auto serve = [](Peer& peer, int) {
    EXPECT_EQ(peer.Next(), "SUBSCRIBE a");
    EXPECT_EQ(peer.Next(), "PSUBSCRIBE b.*");
    peer.Say(Confirmed("subscribe", "a", 1) + Published("a", "early"));
    peer.Say(Confirmed("psubscribe", "b.*", 2));
    peer.Say(">4\r\n+pmessage\r\n+b.*\r\n+b.1\r\n+late\r\n");
    peer.Hang();
  };
  With(serve, {.channels = {"a"}, .patterns = {"b.*"}}, [](FakeRedis&, Subscription& messages) {
    absl::StatusOr<Message> first = messages.Next();
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(first->channel + first->pattern + first->payload, "aearly");
    absl::StatusOr<Message> second = messages.Next();
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(second->channel + " " + second->pattern + " " + second->payload, "b.1 b.* late");
    EXPECT_EQ(messages.stats().messages, 2u);
  });
}

TEST_F(SubscriptionTest, AReconnectIsTold) {
  const auto serve = [](Peer& peer, int number) {
    (void)peer.Next();
    peer.Say(Confirmed("subscribe", "a", 1) + Published("a", std::to_string(number)));
    if (number == 1) peer.Hang();
  };
  With(serve, {.channels = {"a"}}, [](FakeRedis& server, Subscription& messages) {
    EXPECT_EQ(messages.Next()->payload, "0");
    EXPECT_EQ(messages.Next()->kind, Message::Kind::kReconnected);
    EXPECT_EQ(messages.Next()->payload, "1");
    EXPECT_EQ(messages.stats().reconnects, 1u);
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST_F(SubscriptionTest, AFullQueueHoldsTheServerAndLosesNothing) {
  const auto serve = [](Peer& peer, int) {
    (void)peer.Next();
    peer.Say(Confirmed("subscribe", "a", 1));
    for (int i = 0; i < 20; ++i) peer.Say(Published("a", std::to_string(i)));
    peer.Hang();
  };
  With(serve, {.channels = {"a"}, .queue_max = 3}, [](FakeRedis&, Subscription& messages) {
    EXPECT_TRUE(Sleep(absl::Milliseconds(1)).ok());
    EXPECT_EQ(messages.stats().queued, 3u);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(messages.Next()->payload, std::to_string(i));
  });
}

TEST_F(SubscriptionTest, ASilentServerIsAskedAndThenGivenUp) {
  std::vector<std::string> asked;
  const auto serve = [&](Peer& peer, int number) {
    (void)peer.Next();
    peer.Say(Confirmed("subscribe", "a", 1));
    asked.push_back(peer.Next());
    if (number == 0) peer.Say(">2\r\n+pong\r\n+\r\n");
    if (number == 0) asked.push_back(peer.Next());
    peer.Hang();
  };
  With(serve, {.channels = {"a"}}, [&](FakeRedis& server, Subscription& messages) {
    const MonotonicNanos began = hub_->now();
    EXPECT_EQ(messages.Next()->kind, Message::Kind::kReconnected);
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(asked, (std::vector<std::string>{"PING", "PING"}));
    // 30 s of silence, an answer, 30 s of silence, 30 s without an answer, a pause.
    EXPECT_GE(absl::Nanoseconds(hub_->now() - began), absl::Seconds(90));
    EXPECT_LE(absl::Nanoseconds(hub_->now() - began), absl::Seconds(91));
  });
}

TEST_F(SubscriptionTest, ATimeoutOfNextLosesNoMessage) {
  Event go;
  const auto serve = [&](Peer& peer, int) {
    (void)peer.Next();
    peer.Say(Confirmed("subscribe", "a", 1));
    EXPECT_TRUE(go.Wait().ok());
    peer.Say(Published("a", "x"));
    peer.Hang();
  };
  With(serve, {.channels = {"a"}}, [&](FakeRedis&, Subscription& messages) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(
        WithTimeout(absl::Seconds(1), [&] { return messages.Next(); }).status()));
    go.Set();
    EXPECT_EQ(messages.Next()->payload, "x");
  });
}

TEST_F(SubscriptionTest, WhatTheServerRefusesIsTheLastWord) {
  const auto serve = [](Peer& peer, int number) {
    (void)peer.Next();
    peer.Say(number == 0 ? Confirmed("subscribe", "a", 1) : "-NOPERM no access to a\r\n");
  };
  With(serve, {.channels = {"a"}}, [](FakeRedis&, Subscription& messages) {
    EXPECT_TRUE(absl::IsPermissionDenied(messages.Next().status()));
    EXPECT_TRUE(absl::IsOutOfRange(messages.Next().status()));
  });
}

TEST_F(SubscriptionTest, NeedsSomethingToSubscribeTo) {
  Run([] {
    std::unique_ptr<Client> client = *Client::Create();
    EXPECT_TRUE(absl::IsInvalidArgument(client->Subscribe({}).status()));
    EXPECT_TRUE(
        absl::IsInvalidArgument(client->Subscribe({.channels = {"a"}, .queue_max = 0}).status()));
  });
}

}  // namespace
}  // namespace grove::redis

#include "zeromq/authenticator.h"

#include <memory>
#include <utility>

#include "gmock/gmock.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"
#include "zeromq/monitor.h"
#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

using Kind = MonitorEvent::Kind;
using ::testing::HasSubstr;

// A server that an authenticator guards, and clients with keys of their own.
class AuthenticatorTest : public SocketTest {
 protected:
  void RunGuarded(AuthenticatorOptions options, const std::function<void()>& body) {
    Run([&] {
      doorman_ = *Authenticator::Open(*context_, std::move(options));
      FiberHandle serving = *Spawn("zap", [&] { return doorman_->Run(); });
      body();
      monitor_ = nullptr;
      server_ = nullptr;
      doorman_->Close();
      EXPECT_TRUE(serving.Join().ok());
      doorman_ = nullptr;
    });
  }
  void Serve(const std::string& domain = "",
             absl::Duration handshake_timeout = SocketOptions().handshake_timeout) {
    server_ = Open(SocketType::kPull,
                   {.handshake_timeout = handshake_timeout,
                    .curve_server = CurveServer{keys_.secret_key, doorman_.get(), domain}});
    monitor_ = *Monitor::Open(*server_);
    address_ = *server_->Bind("tcp://127.0.0.1:*");
  }
  std::unique_ptr<Socket> Client(const CurveKeys& keys) {
    auto client = Open(SocketType::kPush, {.linger = absl::ZeroDuration(),
                                           .curve_client = CurveClient{keys_.public_key, keys}});
    EXPECT_TRUE(client->Connect(address_).ok());
    return client;
  }
  // How the next handshake ends.
  MonitorEvent NextHandshake() {
    for (;;) {
      absl::StatusOr<MonitorEvent> event = monitor_->Next();
      if (!event.ok()) {
        ADD_FAILURE() << event.status();
        return {};
      }
      for (const Kind kind : {Kind::kHandshakeSucceeded, Kind::kHandshakeFailedAuth,
                              Kind::kHandshakeFailedNoDetail, Kind::kHandshakeFailedProtocol}) {
        if (event->kind == kind) return *event;
      }
    }
  }

  const CurveKeys keys_ = *CurveKeys::Generate();
  const CurveKeys alice_ = *CurveKeys::Generate();
  const CurveKeys mallory_ = *CurveKeys::Generate();
  std::unique_ptr<Authenticator> doorman_;
  std::unique_ptr<Socket> server_;
  std::unique_ptr<Monitor> monitor_;
  std::string address_;
};

TEST_F(AuthenticatorTest, LetsInTheKeysItKnowsAndCountsTheOthers) {
  RunGuarded({.keys = {alice_.public_key}}, [&] {
    Serve();
    auto wrong = Client(mallory_);
    const MonitorEvent refused = NextHandshake();
    EXPECT_EQ(refused.kind, Kind::kHandshakeFailedAuth);
    EXPECT_EQ(refused.value, 400u);
    wrong->Close();
    auto right = Client(alice_);
    EXPECT_TRUE(right->Send("it is me").ok());
    absl::StatusOr<Message> message = server_->Receive();
    ASSERT_TRUE(message.ok()) << message.status();
    EXPECT_EQ(message->at(0), "it is me");
    EXPECT_EQ(message->at(0).Property("User-Id"), alice_.public_key);
    EXPECT_EQ(doorman_->stats().allowed, 1u);
    EXPECT_EQ(doorman_->stats().refused, 1u);
    EXPECT_EQ(doorman_->stats().malformed, 0u);
  });
}

TEST_F(AuthenticatorTest, AKeyMayBeAllowedLaterInOneDomainAndForgotten) {
  RunGuarded({}, [&] {
    Serve("orders");
    EXPECT_TRUE(doorman_->Allow(alice_.public_key, "news").ok());
    auto client = Client(alice_);
    EXPECT_EQ(NextHandshake().kind, Kind::kHandshakeFailedAuth);
    client->Close();
    EXPECT_TRUE(doorman_->Allow(alice_.public_key, "orders").ok());
    client = Client(alice_);
    EXPECT_EQ(NextHandshake().kind, Kind::kHandshakeSucceeded);
    doorman_->Forget(alice_.public_key, "orders");
    // Its connection stands, another is refused.
    EXPECT_TRUE(client->Send("still here").ok());
    EXPECT_EQ(Text(server_->Receive()), "still here");
    auto again = Client(alice_);
    EXPECT_EQ(NextHandshake().kind, Kind::kHandshakeFailedAuth);
    EXPECT_TRUE(absl::IsInvalidArgument(doorman_->Allow("short")));
    EXPECT_TRUE(absl::IsInvalidArgument(doorman_->Allow(std::string(40, '"'))));
  });
}

TEST_F(AuthenticatorTest, AsksTheJudgeForWhomItDoesNotKnow) {
  std::vector<ClientRequest> asked;
  Event was_asked;
  Event may_answer;
  const auto judge = [&](const ClientRequest& client) -> absl::Status {
    asked.push_back(client);
    was_asked.Set();
    if (absl::Status waited = may_answer.Wait(); !waited.ok()) return waited;
    return client.key == alice_.public_key ? absl::OkStatus()
                                           : absl::NotFoundError("nobody knows it");
  };
  RunGuarded({.judge = judge}, [&] {
    Serve("orders");
    auto client = Client(alice_);
    EXPECT_TRUE(was_asked.Wait().ok());
    EXPECT_EQ(doorman_->stats().allowed, 0u);
    EXPECT_EQ(asked[0].domain, "orders");
    EXPECT_EQ(asked[0].address, "127.0.0.1");
    EXPECT_EQ(asked[0].key, alice_.public_key);
    may_answer.Set();
    EXPECT_EQ(NextHandshake().kind, Kind::kHandshakeSucceeded);
    auto other = Client(mallory_);
    EXPECT_EQ(NextHandshake().value, 400u);
    EXPECT_EQ(doorman_->stats().refused, 1u);
  });
}

TEST_F(AuthenticatorTest, WhomTheJudgeCannotTellComesAgain) {
  int times = 0;
  const auto judge = [&](const ClientRequest&) -> absl::Status {
    ++times;
    // As a directory that does not answer, then one that is away, then one that is there.
    if (times == 1) return Sleep(absl::Hours(1));
    return times == 2 ? absl::UnavailableError("no directory") : absl::OkStatus();
  };
  RunGuarded({.judge = judge, .judge_time_max = absl::Seconds(5)}, [&] {
    // Where libzmq does not hang up at once.
    Serve("", absl::Seconds(1));
    auto client = Client(alice_);
    EXPECT_TRUE(client->Send("at last").ok());
    EXPECT_EQ(Text(server_->Receive()), "at last");
    EXPECT_EQ(doorman_->stats().put_off, 2u);
    // A handshake that a loaded machine does not end in time is judged again.
    EXPECT_GE(doorman_->stats().allowed, 1u);
  });
}

TEST_F(AuthenticatorTest, NobodyComesInWhileItDoesNotRun) {
  Run([&] {
    doorman_ = *Authenticator::Open(*context_, {.keys = {alice_.public_key}});
    Serve();
    auto client = Client(alice_);
    EXPECT_TRUE(client->Send("too early").ok());
    while (monitor_->Next()->kind != Kind::kAccepted) continue;
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(server_->Receive().status()));
    }
    FiberHandle serving = *Spawn("zap", [&] { return doorman_->Run(); });
    EXPECT_EQ(Text(server_->Receive()), "too early");
    serving.Cancel();
    EXPECT_TRUE(absl::IsCancelled(serving.Join()));
    monitor_ = nullptr;
    server_ = nullptr;
    doorman_ = nullptr;
  });
}

TEST_F(AuthenticatorTest, ThereIsOneForAContext) {
  RunGuarded({}, [&] {
    const absl::Status second = Authenticator::Open(*context_, {}).status();
    EXPECT_TRUE(absl::IsUnavailable(second)) << second;
    EXPECT_THAT(std::string(second.message()), HasSubstr("has an authenticator already"));
    EXPECT_TRUE(
        absl::IsInvalidArgument(Authenticator::Open(*context_, {.keys = {"short"}}).status()));
  });
}

TEST_F(AuthenticatorTest, JudgesClientsOfServersThatDoNotNameItToo) {
  RunGuarded({.keys = {alice_.public_key}}, [&] {
    server_ = Open(SocketType::kPull, {.curve_server = CurveServer{keys_.secret_key}});
    monitor_ = *Monitor::Open(*server_);
    address_ = *server_->Bind("tcp://127.0.0.1:*");
    auto wrong = Client(mallory_);
    EXPECT_EQ(NextHandshake().kind, Kind::kHandshakeFailedAuth);
    wrong->Close();
    auto right = Client(alice_);
    EXPECT_EQ(NextHandshake().kind, Kind::kHandshakeSucceeded);
  });
}

TEST_F(AuthenticatorTest, RefusesAServerOfAClosedOne) {
  RunGuarded({}, [&] {
    doorman_->Close();
    EXPECT_TRUE(absl::IsFailedPrecondition(
        Socket::Open(*context_, SocketType::kRep,
                     {.curve_server = CurveServer{keys_.secret_key, doorman_.get()}})
            .status()));
  });
}

TEST_F(AuthenticatorTest, MustOutliveTheSocketsThatNameIt) {
  RunGuarded({}, [&] {
    Serve();
    EXPECT_DEATH(doorman_ = nullptr, "while sockets that name it are open");
  });
}

}  // namespace
}  // namespace grove::zeromq

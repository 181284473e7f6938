#include "server/http/websocket/websocket_handler.h"

#include "gtest/gtest.h"
#include "http/websocket/frame_writer.h"
#include "http/websocket/message_transcript.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using websocket::ClientClose;
using websocket::ClientFrame;
using websocket::CloseFrame;
using websocket::Unmasked;

constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

std::string Opening(std::string_view more = {}) {
  return StrCat(
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
      more, "\r\n");
}

class WebSocketTest : public ServerFixture {
 protected:
  // Every test's function.
  void Route(WebSocketFunction function) {
    Handle("", "/ws", WebSocketHandler(ws_options_, std::move(function)));
  }
  void RouteEcho() {
    Route([this](WebSocket& socket, const Request&) -> absl::Status {
      for (;;) {
        absl::StatusOr<std::optional<Message>> message = socket.Receive();
        last_ = message.status();
        if (!message.ok()) return message.status();
        if (!message->has_value()) return absl::OkStatus();
        if (absl::Status sent = socket.Send((*message)->type, (*message)->payload); !sent.ok()) {
          return sent;
        }
      }
    });
  }
  // A client whose WebSocket is open.
  Client Open(std::string_view more = {}, std::string_view answer = {}) {
    Client client = Connect();
    client.Send(Opening(more));
    // No byte more: a close frame may follow at once.
    std::string head;
    char c = 0;
    while (!head.ends_with("\r\n\r\n") && client.socket().Read({&c, 1}).value_or(0) == 1) head += c;
    EXPECT_EQ(head, StrCat(kSwitched, answer, "\r\n"));
    return client;
  }
  // All that comes until the server closes.
  static std::string Finish(Client& client) { return client.ReadAll(); }

  WebSocketOptions ws_options_;
  absl::Status last_;
};

TEST_F(WebSocketTest, EchoesTextAndBinaryAndCloses) {
  RouteEcho();
  Run([&] {
    Client client = Open();
    client.Send(ClientFrame(0x81, "Hello") + ClientFrame(0x82, "\xff"));
    EXPECT_EQ(client.ReadUntil("\xff"), Unmasked(0x81, "Hello") + Unmasked(0x82, "\xff"));
    client.Send(ClientClose(1000, "done"));
    EXPECT_EQ(Finish(client), CloseFrame(1000, "done"));
  });
  EXPECT_EQ(stats_.handler_failures, 0u);
  EXPECT_EQ(stats_.ResponsesWith(101), 1u);
}

TEST_F(WebSocketTest, ReadsFramesThatCameWithTheHandshake) {
  RouteEcho();
  Run([&] {
    Client client = Connect();
    client.Send(Opening() + ClientFrame(0x81, "early") + ClientFrame(0x88, ""));
    EXPECT_EQ(client.ReadAll(),
              StrCat(kSwitched, "\r\n", Unmasked(0x81, "early"), Unmasked(0x88, "")));
  });
}

TEST_F(WebSocketTest, OpensBehindPipelinedRequestsAndByteByByte) {
  RouteEcho();
  Handle("GET", "/", [](Request&, Response& response) { return response.Send(200, "", "hi"); });
  Run([&] {
    Client client = Connect();
    for (const char c : "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + Opening() +
                            ClientFrame(0x81, "slow") + ClientFrame(0x88, "")) {
      client.Send({&c, 1});
      Yield();
    }
    const std::string all = client.ReadAll();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 200 OK\r\n")) << all;
    EXPECT_TRUE(
        all.ends_with(StrCat(kSwitched, "\r\n", Unmasked(0x81, "slow"), Unmasked(0x88, ""))))
        << all;
  });
}

// Proxies may have begun to tunnel: nothing that follows is taken for a request.
TEST_F(WebSocketTest, RefusesOtherRequestsAndCloses) {
  RouteEcho();
  Run([&] {
    const std::string plain = Connect().Ask("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(StatusOf(plain), "HTTP/1.1 400 Bad Request");
    EXPECT_NE(plain.find("\r\nConnection: close\r\n"), std::string::npos);
    std::string old = Opening();
    old.replace(old.find(": 13"), 4, ": 12");
    const std::string answer = Connect().Ask(old);
    EXPECT_EQ(StatusOf(answer), "HTTP/1.1 426 Upgrade Required");
    EXPECT_NE(answer.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos);
    EXPECT_NE(answer.find("\r\nUpgrade: websocket\r\n"), std::string::npos);
    EXPECT_NE(answer.find("\r\nConnection: close, Upgrade\r\n"), std::string::npos);
    std::string post = Opening();
    post.replace(0, 3, "PUT");
    EXPECT_NE(Connect().Ask(post).find("Allow: GET\r\n"), std::string::npos);
  });
}

TEST_F(WebSocketTest, RefusesAHandshakeWithABody) {
  RouteEcho();
  Run([&] {
    Client client = Connect();
    EXPECT_EQ(StatusOf(client.Ask(Opening("Content-Length: 3\r\n") + "abc")),
              "HTTP/1.1 400 Bad Request");
  });
}

TEST_F(WebSocketTest, AnswersPingsWhileTheFunctionIsElsewhere) {
  Event go;
  Route([&](WebSocket&, const Request&) { return go.Wait(); });
  Run([&] {
    Client client = Open();
    client.Send(ClientFrame(0x01, "a") + ClientFrame(0x89, "?") + ClientFrame(0x8a, "unasked"));
    EXPECT_EQ(client.ReadOnce(), Unmasked(0x8a, "?"));
    go.Set();
    EXPECT_EQ(client.ReadOnce(), CloseFrame(1000, ""));
    client.Send(ClientClose(1000));
    EXPECT_EQ(Finish(client), "");
  });
}

TEST_F(WebSocketTest, FailsAViolationWithItsCode) {
  ws_options_.limits.message_bytes_max = 100;
  RouteEcho();
  struct Case {
    std::string bytes;
    uint16_t code;
    absl::StatusCode status;
  };
  const Case cases[] = {
      {Unmasked(0x81, "unmasked"), 1002, absl::StatusCode::kInvalidArgument},
      {ClientFrame(0xc1, "rsv"), 1002, absl::StatusCode::kInvalidArgument},
      {ClientFrame(0x83, "opcode"), 1002, absl::StatusCode::kInvalidArgument},
      {ClientFrame(0x80, "continuation"), 1002, absl::StatusCode::kInvalidArgument},
      {ClientFrame(0x88, "1"), 1002, absl::StatusCode::kInvalidArgument},
      {ClientClose(1005), 1002, absl::StatusCode::kInvalidArgument},
      {ClientFrame(0x81, "\xff"), 1007, absl::StatusCode::kInvalidArgument},
      {ClientFrame(0x82, std::string(101, 'x')), 1009, absl::StatusCode::kResourceExhausted},
  };
  Run([&] {
    for (const Case& c : cases) {
      Client client = Open();
      client.Send(ClientFrame(0x81, "ok") + c.bytes);
      const std::string got = Finish(client);
      const std::string close = CloseFrame(c.code, "").substr(2);
      ASSERT_GE(got.size(), 8u);
      EXPECT_TRUE(got.starts_with(Unmasked(0x81, "ok") + "\x88") ||
                  got.substr(2).starts_with(close))
          << testing::PrintToString(got);
      EXPECT_NE(got.find(close), std::string::npos) << c.code;
      EXPECT_EQ(last_.code(), c.status) << last_;
    }
  });
  EXPECT_EQ(stats_.handler_failures, 0u) << "the client's fault";
}

TEST_F(WebSocketTest, TellsTheFunctionThatTheClientIsGone) {
  RouteEcho();
  Run([&] {
    {
      Client client = Open();
      client.Send(ClientFrame(0x81, "cut off").substr(0, 9));
    }
    while (stats_.open > 0) Yield();
  });
  EXPECT_EQ(last_.code(), absl::StatusCode::kUnavailable) << last_;
  EXPECT_EQ(stats_.handler_failures, 0u);
}

TEST_F(WebSocketTest, SaysNothingToAClientThatLeftWithoutACloseFrame) {
  RouteEcho();
  Run([&] {
    Client client = Open();
    ASSERT_TRUE(client.socket().ShutdownWrite().ok());
    EXPECT_EQ(Finish(client), "") << "1011 would blame the function";
  });
  EXPECT_EQ(last_.code(), absl::StatusCode::kUnavailable) << last_;
}

TEST_F(WebSocketTest, ClosesWith1011WhenTheFunctionFailsOrThrows) {
  std::string how;
  Route([&](WebSocket&, const Request&) -> absl::Status {
    if (how == "error") return absl::InternalError("broken");
    if (how == "throw") throw std::runtime_error("thrown");
    throw 1;
  });
  std::vector<std::string> failures;
  options_.on_failure = [&](const Request& request, const absl::Status& failure) {
    failures.push_back(StrCat(request.path, " ", failure.message()));
  };
  Run([&] {
    for (how = "error"; how != "end"; how = how == "error"   ? "throw"
                                            : how == "throw" ? "int"
                                                             : "end") {
      Client client = Open();
      EXPECT_EQ(client.ReadOnce(), CloseFrame(1011, ""));
      client.Send(ClientClose(1011));
      EXPECT_EQ(Finish(client), "");
    }
  });
  ASSERT_EQ(failures.size(), 3u);
  EXPECT_EQ(failures[0], "/ws broken");
  EXPECT_NE(failures[1].find("thrown"), std::string::npos) << failures[1];
}

TEST_F(WebSocketTest, ClosesWithTheFunctionsCode) {
  Route([](WebSocket& socket, const Request&) -> absl::Status {
    EXPECT_EQ(socket.Close(1005).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(socket.Close(4000, "\xff").code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(socket.Close(4000, std::string(124, 'x')).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(socket.Close(4000, "enough").ok());
    EXPECT_TRUE(socket.Close(4001, "again").ok());
    EXPECT_EQ(socket.SendText("late").code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(socket.Receive()->has_value());
    return absl::OkStatus();
  });
  Run([&] {
    Client client = Open();
    EXPECT_EQ(client.ReadOnce(), CloseFrame(4000, "enough"));
    client.Send(ClientFrame(0x81, "crossed") + ClientClose(4000));
    EXPECT_EQ(Finish(client), "");
  });
}

TEST_F(WebSocketTest, KnowsWhatTheClientSaidAtTheEnd) {
  websocket::CloseStatus said;
  Route([&](WebSocket& socket, const Request&) {
    EXPECT_EQ(socket.peer_close().code, websocket::kCloseAbnormal);
    EXPECT_FALSE(socket.Receive()->has_value());
    said = socket.peer_close();
    return absl::OkStatus();
  });
  Run([&] {
    Client client = Open();
    client.Send(ClientClose(3999, "why"));
    EXPECT_EQ(Finish(client), CloseFrame(3999, "why"));
  });
  EXPECT_EQ(said.code, 3999);
  EXPECT_EQ(said.reason, "why");
}

TEST_F(WebSocketTest, DrainClosesWith1001AndWaitsForTheAnswer) {
  RouteEcho();
  Run([&] {
    Client client = Open();
    EXPECT_EQ(stats_.running, 0u) << "idle, for who watches requests";
    EXPECT_EQ(stats_.switched, 1u);
    server_->Drain();
    EXPECT_EQ(client.ReadOnce(), CloseFrame(1001, ""));
    EXPECT_EQ(stats_.open, 1u);
    client.Send(ClientClose(1001));
    EXPECT_EQ(Finish(client), "");
  });
  EXPECT_EQ(stats_.switched, 0u);
}

TEST_F(WebSocketTest, DrainReachesAFunctionThatNeitherReceivesNorSends) {
  Event done;
  Route([&](WebSocket&, const Request&) { return done.Wait(); });
  Run([&] {
    Client client = Open();
    server_->Drain();
    EXPECT_EQ(client.ReadOnce(), CloseFrame(1001, ""));
    done.Set();
    client.Send(ClientClose(1001));
    EXPECT_EQ(Finish(client), "");
  });
}

TEST_F(WebSocketTest, DrainWaitsNoLongerThanTheCloseTimeoutForASilentOrNoisyClient) {
  ws_options_.close_timeout = absl::Milliseconds(5);
  RouteEcho();
  Run([&] {
    Client silent = Open();
    Client noisy = Open();
    server_->Drain();
    noisy.socket().Write(ClientFrame(0x81, "on and on")).IgnoreError();
    EXPECT_EQ(Finish(silent), CloseFrame(1001, ""));
    EXPECT_EQ(Finish(noisy).substr(0, 4), CloseFrame(1001, ""));
  });
}

TEST_F(WebSocketTest, OpensNoneWhileDraining) {
  RouteEcho();
  Run([&] {
    Client client = Connect();
    Yield();
    server_->Drain();
    client.Send(Opening());
    EXPECT_EQ(StatusOf(client.ReadAll()), "HTTP/1.1 503 Service Unavailable");
  });
}

TEST_F(WebSocketTest, PingsASilentClientAndGivesItUpWithoutPong) {
  ws_options_.ping_interval = absl::Milliseconds(5);
  ws_options_.pong_timeout = absl::Milliseconds(5);
  RouteEcho();
  Run([&] {
    Client client = Open();
    EXPECT_EQ(Finish(client), Unmasked(0x89, "") + CloseFrame(1011, "no pong in time"));
  });
  EXPECT_EQ(last_.code(), absl::StatusCode::kUnavailable) << last_;
}

// 150 kB that the client takes at 20 kB/s stand before the ping.
class SlowWebSocketTest : public WebSocketTest {
 protected:
  SlowWebSocketTest() {
    ws_options_.ping_interval = absl::Seconds(2);
    ws_options_.pong_timeout = absl::Seconds(3);
    Route([this](WebSocket& socket, const Request&) -> absl::Status {
      EXPECT_TRUE(socket.SendBinary(std::string(150'000, 'x')).ok());
      last_ = socket.Receive().status();
      return last_;
    });
  }
  // Up to the end, or `bytes`.
  static std::string TakeSlowly(Client& client, size_t bytes) {
    std::string all;
    std::string piece(20'000, 0);
    while (all.size() < bytes && !all.ends_with(Unmasked(0x89, ""))) {
      EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
      const absl::StatusOr<size_t> got = client.socket().Read(piece);
      if (!got.ok() || *got == 0) break;
      all.append(piece, 0, *got);
    }
    return all;
  }
};

TEST_F(SlowWebSocketTest, AClientThatTakesWhatComesBeforeThePingIsWaitedFor) {
  Run([&] {
    Client client = Open();
    EXPECT_EQ(TakeSlowly(client, 1 << 20).size(),
              Unmasked(0x82, std::string(150'000, 'x')).size() + Unmasked(0x89, "").size());
    client.Send(ClientFrame(0x8a, "") + ClientClose(1000, "done"));
    EXPECT_EQ(Finish(client), CloseFrame(1000, "done"));
  });
  EXPECT_TRUE(last_.ok()) << last_;
}

TEST_F(SlowWebSocketTest, OneThatStopsTakingIsGivenUp) {
  Run([&] {
    Client client = Open();
    TakeSlowly(client, 60'000);
    while (last_.ok()) ASSERT_TRUE(Sleep(absl::Milliseconds(100)).ok());
    EXPECT_TRUE(Finish(client).ends_with(CloseFrame(1011, "no pong in time")));
  });
  EXPECT_EQ(last_.code(), absl::StatusCode::kUnavailable) << last_;
}

TEST_F(WebSocketTest, TheOneThatPassesTheBudgetOfAllIsAskedToComeBackLater) {
  uint64_t refused = 0;
  websocket::MessageBudget budget(100'000, refused);
  ws_options_.budget = &budget;
  ws_options_.limits.message_bytes_max = 1 << 20;
  RouteEcho();
  Run([&] {
    Client first = Open();
    Client second = Open();
    // Of a frame that ends never.
    const std::string begun = ClientFrame(0x82, std::string(200'000, 'x')).substr(0, 60'014);
    first.Send(begun);
    while (budget.used() < 60'000) Yield();
    second.Send(begun);
    const std::string end = Finish(second);
    EXPECT_TRUE(end.starts_with(CloseFrame(1013, "Too many unfinished messages here."))) << end;
    EXPECT_EQ(budget.used(), 60'000u) << "what the other has stays";
    Client third = Open();
    third.Send(ClientFrame(0x82, std::string(30'000, 'y')));
    EXPECT_EQ(third.ReadUntil("y").size(), 30'004u) << "there is room for small ones";
    first.socket().Close();
    while (budget.used() > 0) Yield();
  });
  EXPECT_EQ(refused, 1u);
}

TEST_F(WebSocketTest, KeepsAClientThatAnswersPings) {
  ws_options_.ping_interval = absl::Milliseconds(2);
  ws_options_.pong_timeout = absl::InfiniteDuration();
  RouteEcho();
  Run([&] {
    Client client = Open();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(client.ReadOnce(), Unmasked(0x89, ""));
      client.Send(ClientFrame(0x8a, ""));
    }
    client.Send(ClientFrame(0x88, ""));
    EXPECT_TRUE(Finish(client).ends_with(Unmasked(0x88, "")));
  });
}

TEST_F(WebSocketTest, NeverMixesTheMessagesOfSeveralFibers) {
  Route([](WebSocket& socket, const Request&) -> absl::Status {
    std::vector<FiberHandle> senders;
    for (const char c : {'a', 'b', 'c', 'd'}) {
      senders.push_back(*Spawn("sender", [&socket, c] {
        for (int i = 0; i < 5; ++i) {
          EXPECT_TRUE(socket.SendBinary(std::string(300'000, c)).ok());
          EXPECT_TRUE(socket.Ping("p").ok());
        }
      }));
    }
    for (FiberHandle& sender : senders) sender.Join().IgnoreError();
    return absl::OkStatus();
  });
  Run([&] {
    Client client = Open();
    std::string all = client.ReadUntil(CloseFrame(1000, ""));
    client.Send(ClientClose(1000));
    int messages = 0;
    for (std::string_view rest = all; rest.size() > 4;) {
      if (rest.starts_with(Unmasked(0x89, "p"))) {
        rest.remove_prefix(3);
        continue;
      }
      ASSERT_TRUE(rest.starts_with(Unmasked(0x82, std::string(300'000, rest[10]))));
      rest.remove_prefix(300'010);
      ++messages;
    }
    EXPECT_EQ(messages, 20);
    EXPECT_EQ(Finish(client), "");
  });
}

TEST_F(WebSocketTest, StopsReadingWhileTheFunctionTakesNothing) {
  ws_options_.queued_messages_max = 3;
  Event go;
  int received = 0;
  Route([&](WebSocket& socket, const Request&) -> absl::Status {
    if (absl::Status waited = go.Wait(); !waited.ok()) return waited;
    while ((*socket.Receive()).has_value()) ++received;
    return absl::OkStatus();
  });
  Run([&] {
    Client client = Open();
    FiberHandle sender = *Spawn("client", [&] {
      for (int i = 0; i < 200; ++i) client.Send(ClientFrame(0x82, std::string(65'000, 'x')));
      client.Send(ClientFrame(0x88, ""));
    });
    for (int i = 0; i < 100; ++i) Yield();
    EXPECT_FALSE(sender.ended()) << "the client feels it";
    EXPECT_LT(stats_.bytes_in, 1'000'000u);
    go.Set();
    EXPECT_TRUE(sender.Join().ok());
    EXPECT_EQ(Finish(client), Unmasked(0x88, ""));
  });
  EXPECT_EQ(received, 200);
}

TEST_F(WebSocketTest, GivesUpAClientThatTakesNoBytes) {
  options_.io_timeout = absl::Milliseconds(5);
  absl::Status sent;
  Route([&](WebSocket& socket, const Request&) -> absl::Status {
    while ((sent = socket.SendBinary(std::string(100'000, 'x'))).ok()) {
    }
    EXPECT_EQ(socket.SendText("after").code(), absl::StatusCode::kUnavailable);
    return sent;
  });
  Run([&] {
    Client client = Open();
    while (stats_.open > 0) ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
  });
  EXPECT_EQ(sent.code(), absl::StatusCode::kDeadlineExceeded) << sent;
}

TEST_F(WebSocketTest, CompressesIfTheClientOffersIt) {
  RouteEcho();
  Run([&] {
    Client client = Open("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
                         "Sec-WebSocket-Extensions: permessage-deflate; "
                         "client_max_window_bits=15\r\n");
    const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    client.Send(ClientFrame(0xc1, hello));
    EXPECT_EQ(client.ReadOnce(), Unmasked(0x81, "Hello")) << "too short to be worth it";
    client.Send(ClientFrame(0x81, std::string(1000, 'z')));
    const std::string got = client.ReadOnce();
    EXPECT_EQ(got[0], '\xc1');
    EXPECT_LT(got.size(), 30u);
    client.Send(ClientFrame(0x88, ""));
    EXPECT_EQ(Finish(client), Unmasked(0x88, ""));
  });
}

TEST_F(WebSocketTest, RefusesABombWith1009) {
  ws_options_.limits.message_bytes_max = 100'000;
  RouteEcho();
  websocket::Deflater deflater(15, 9, true);
  std::string bomb;
  ASSERT_TRUE(deflater.Add(std::string(16 << 20, '\0'), bomb) && deflater.Finish(bomb));
  ASSERT_LT(bomb.size(), 100'000u);
  Run([&] {
    Client client = Open("Sec-WebSocket-Extensions: permessage-deflate\r\n",
                         "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    client.Send(ClientFrame(0xc2, bomb));
    EXPECT_NE(Finish(client).find(CloseFrame(1009, "").substr(2)), std::string::npos);
  });
  EXPECT_EQ(last_.code(), absl::StatusCode::kResourceExhausted) << last_;
}

TEST_F(WebSocketTest, SendsNoTextThatIsNotUtf8) {
  Route([](WebSocket& socket, const Request&) -> absl::Status {
    EXPECT_EQ(socket.SendText("\xff").code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(socket.Ping(std::string(126, 'x')).code(), absl::StatusCode::kInvalidArgument);
    return socket.SendText("fine");
  });
  Run([&] {
    Client client = Open();
    EXPECT_EQ(client.ReadUntil(CloseFrame(1000, "")),
              Unmasked(0x81, "fine") + CloseFrame(1000, ""));
    client.Send(ClientFrame(0x88, ""));
    EXPECT_EQ(Finish(client), "");
  });
}

TEST_F(WebSocketTest, AnswersTheChosenSubprotocol) {
  ws_options_.handshake.subprotocols = {"chat"};
  std::string chosen;
  Route([&](WebSocket& socket, const Request&) {
    chosen = socket.subprotocol();
    return absl::OkStatus();
  });
  Run([&] {
    Client client =
        Open("Sec-WebSocket-Protocol: other, chat\r\n", "Sec-WebSocket-Protocol: chat\r\n");
    client.Send(ClientFrame(0x88, ""));
    Finish(client);
  });
  EXPECT_EQ(chosen, "chat");
}

TEST_F(WebSocketTest, EndsWithTheHub) {
  RouteEcho();
  auto hub = Hub::Create();
  ASSERT_TRUE(hub.ok());
  std::optional<Client> client;
  RunOn(**hub, [&] {
    server_ = std::make_unique<Server>(options_, std::move(router_), stats_);
    client.emplace(Open());  // and it stays open
  });
  EXPECT_EQ(stats_.open, 0u);
  EXPECT_EQ(stats_.switched, 0u);
  EXPECT_EQ((*hub)->Stats().fibers_live, 0u);
  client.reset();
}

}  // namespace
}  // namespace grove::http

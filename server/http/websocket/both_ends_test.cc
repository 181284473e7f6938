// The client of //http/client and the server, on one hub: whatever one sends, the other takes.
#include <unistd.h>

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/websocket_client.h"
#include "runtime/group/fiber_group.h"
#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/serving/server_fixture.h"
#include "server/http/websocket/websocket_handler.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

class BothEndsTest : public ServerFixture {
 protected:
  BothEndsTest() : client_(*HttpClient::Create()) {
    EXPECT_NE(mkdtemp(folder_), nullptr);
    path_ = StrCat(folder_, "/s");
  }
  ~BothEndsTest() override {
    unlink(path_.c_str());
    rmdir(folder_);
  }

  static absl::Status Echo(WebSocket& socket, const Request&) {
    for (;;) {
      absl::StatusOr<std::optional<Message>> message = socket.Receive();
      if (!message.ok()) return message.status();
      if (!message->has_value()) return absl::OkStatus();
      absl::Status sent = socket.Send((*message)->type, (*message)->payload);
      if (!sent.ok()) return sent;
    }
  }
  void Route(WebSocketFunction function) {
    Handle("", "/ws", WebSocketHandler(server_options_, std::move(function)));
  }
  // Runs `body` beside the server, which listens on a UNIX socket: nothing depends on time.
  void Beside(const std::function<void()>& body) {
    Run([&] {
      Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + path_)));
      FiberHandle accepting = *Spawn("accepting", [&] {
        for (;;) {
          absl::StatusOr<Socket> socket = listener.Accept();
          if (!socket.ok()) return;
          EXPECT_TRUE(server_->Adopt(*std::move(socket)).ok());
        }
      });
      body();
      client_->CloseIdle();
      accepting.Cancel();
      accepting.AwaitEnd();
    });
    EXPECT_EQ(client_->stats().pool.open, 0);
  }
  absl::StatusOr<std::unique_ptr<ClientWebSocket>> TryConnect() {
    client_options_.unix_socket = path_;
    return websocket::Connect(*client_, "ws://a/ws", client_options_);
  }
  std::unique_ptr<ClientWebSocket> Connect() {
    auto socket = TryConnect();
    EXPECT_TRUE(socket.ok()) << socket.status();
    return *std::move(socket);
  }
  // The next message's payload; "closed", or why there is none.
  static std::string Next(ClientWebSocket& socket) {
    auto message = socket.Receive();
    if (!message.ok()) return message.status().ToString();
    return message->has_value() ? (*message)->payload : "closed";
  }

  WebSocketOptions server_options_;
  ConnectOptions client_options_;
  std::unique_ptr<HttpClient> client_;
  std::string path_;
  char folder_[32] = "/tmp/both-ends-XXXXXX";  // short enough for a UNIX socket's address
};

TEST_F(BothEndsTest, EchoMessagesOfEverySizeWithAndWithoutCompression) {
  Route(&Echo);
  std::string mixed;
  for (int i = 0; mixed.size() < 300'000; ++i) mixed += StrCat(i, i % 7 == 0 ? "\n" : " and ");
  Beside([&] {
    for (const bool compressed : {true, false}) {
      if (!compressed) client_options_.deflate.reset();
      auto socket = Connect();
      EXPECT_EQ(socket->compressed(), compressed);
      for (const size_t bytes : {0u, 1u, 63u, 64u, 125u, 126u, 65535u, 65536u, 300'000u}) {
        const std::string payload = mixed.substr(0, bytes);
        EXPECT_TRUE(socket->SendText(payload).ok());
        EXPECT_EQ(Next(*socket), payload) << bytes;
      }
      EXPECT_TRUE(socket->Close(4000, "enough").ok());
      EXPECT_EQ(socket->peer_close().code, 4000);
    }
  });
  EXPECT_EQ(stats_.handler_failures, 0u);
}

TEST_F(BothEndsTest, AgreeOnWindowsAndContexts) {
  Route(&Echo);
  const websocket::DeflatePolicy policies[] = {
      {.server_window_bits = 8, .client_window_bits = 8},
      {.server_window_bits = 9, .client_window_bits = 15, .server_no_context_takeover = true},
      {.server_window_bits = 15, .client_window_bits = 10, .client_no_context_takeover = true}};
  Beside([&] {
    for (const websocket::DeflatePolicy& policy : policies) {
      client_options_.deflate = policy;
      auto socket = Connect();
      EXPECT_TRUE(socket->compressed());
      for (int i = 0; i < 3; ++i) {
        const std::string payload = std::string(1000, 'a') + StrCat(i) + std::string(2000, 'b');
        EXPECT_TRUE(socket->SendBinary(payload).ok());
        EXPECT_EQ(Next(*socket), payload);
      }
      EXPECT_TRUE(socket->Close().ok());
    }
  });
}

TEST_F(BothEndsTest, StreamMessagesBothWays) {
  const auto pieces = [](int count) {
    return [count, at = 0]() mutable -> absl::StatusOr<std::string> {
      return at++ < count ? StrCat("piece ", at, " ", std::string(10'000, '.')) : std::string();
    };
  };
  std::string whole;
  for (int i = 1; i <= 20; ++i) whole += StrCat("piece ", i, " ", std::string(10'000, '.'));
  Route([&](WebSocket& socket, const Request&) -> absl::Status {
    absl::StatusOr<std::optional<Message>> message = socket.Receive();
    EXPECT_TRUE(message.ok() && message->has_value() && (*message)->payload == whole);
    auto source = pieces(20);
    return socket.SendPieces(MessageType::kText, source);
  });
  Beside([&] {
    auto socket = Connect();
    auto source = pieces(20);
    EXPECT_TRUE(socket->SendPieces(MessageType::kText, source).ok());
    EXPECT_EQ(Next(*socket), whole);
    EXPECT_EQ(Next(*socket), "closed");
    EXPECT_TRUE(socket->Close().ok());
    EXPECT_EQ(socket->peer_close().code, 1000);
  });
}

TEST_F(BothEndsTest, AFunctionThatFailsIsToldToTheClient) {
  Route([](WebSocket&, const Request&) { return absl::InternalError("broken"); });
  Beside([&] {
    auto socket = Connect();
    EXPECT_EQ(Next(*socket), "UNAVAILABLE: the server closed the WebSocket with code 1011");
  });
}

TEST_F(BothEndsTest, ADrainReachesTheClient) {
  Route(&Echo);
  Beside([&] {
    auto socket = Connect();
    EXPECT_TRUE(socket->SendText("hello").ok());
    EXPECT_EQ(Next(*socket), "hello");
    server_->Drain();
    EXPECT_EQ(Next(*socket), "closed");
    EXPECT_EQ(socket->peer_close().code, 1001);
  });
}

TEST_F(BothEndsTest, PingsKeepBothSidesOfASilenceAlive) {
  for (WebSocketSessionOptions* each :
       {static_cast<WebSocketSessionOptions*>(&server_options_), &client_options_.session}) {
    each->ping_interval = absl::Seconds(1);
    each->pong_timeout = absl::Milliseconds(500);
  }
  Route(&Echo);
  Beside([&] {
    auto socket = Connect();
    EXPECT_TRUE(Sleep(absl::Seconds(15)).ok());
    EXPECT_TRUE(socket->SendText("still here").ok());
    EXPECT_EQ(Next(*socket), "still here");
    EXPECT_TRUE(socket->Close().ok());
  });
}

TEST_F(BothEndsTest, TheServersRefusalsAreErrors) {
  server_options_.handshake.origins = {"https://a.example"};
  server_options_.handshake.subprotocols = {"v2", "v1"};
  Route(&Echo);
  Beside([&] {
    client_options_.origin = "https://b.example";
    const absl::Status status = TryConnect().status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_THAT(status.ToString(), HasSubstr("403 to the handshake: this Origin may not connect"));
    client_options_.origin = "https://a.example";
    client_options_.subprotocols = {"v1", "v2"};
    auto socket = Connect();
    EXPECT_EQ(socket->subprotocol(), "v1");
    EXPECT_TRUE(socket->Close().ok());
    client_options_.unix_socket = path_;
    EXPECT_TRUE(
        absl::IsNotFound(websocket::Connect(*client_, "ws://a/other", client_options_).status()));
  });
}

}  // namespace
}  // namespace grove::http

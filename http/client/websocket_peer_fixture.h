// A server of WebSockets that says whatever a test tells it, right or wrong, and its client.
#ifndef GROVE_HTTP_CLIENT_WEBSOCKET_PEER_FIXTURE_H_
#define GROVE_HTTP_CLIENT_WEBSOCKET_PEER_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/client/websocket_client.h"
#include "http/websocket/handshake_fields.h"
#include "http/websocket/message_transcript.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {

// A server's end of one connection.
class WebSocketPeer {
 public:
  explicit WebSocketPeer(Stream& stream) : stream_(stream), reader_(stream) {}

  std::string ReadHead() { return reader_.ReadUntil("\r\n\r\n", 1 << 20).value_or(""); }
  void Send(std::string_view bytes) { EXPECT_TRUE(stream_.Write(bytes).ok()); }
  // Reads a handshake and grants it, with more fields; the handshake.
  std::string Accept(std::string_view more = {}) {
    std::string head = ReadHead();
    constexpr std::string_view kKey = "\r\nSec-WebSocket-Key: ";
    const size_t at = head.find(kKey);
    EXPECT_NE(at, std::string::npos) << head;
    if (at == std::string::npos) return head;
    Send(StrCat("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
                "Sec-WebSocket-Accept: ", websocket::AcceptFor(head.substr(at + kKey.size(), 24)),
                "\r\n", more, "\r\n"));
    return head;
  }
  // The client's next frame, as if it were not masked; "end" at the end of its stream.
  std::string Frame() {
    absl::StatusOr<std::string> frame = reader_.ReadExactly(2);
    if (!frame.ok()) return "end";
    EXPECT_NE((*frame)[1] & 0x80, 0) << "a client masks";
    const int form = (*frame)[1] & 0x7f;
    const size_t length_bytes = form == 126 ? 2 : form == 127 ? 8 : 0;
    frame->append(reader_.ReadExactly(length_bytes + 4).value_or(""));
    uint64_t length = length_bytes == 0 ? static_cast<uint64_t>(form) : 0;
    for (size_t i = 0; i < length_bytes; ++i) {
      length = length << 8 | static_cast<uint8_t>((*frame)[2 + i]);
    }
    if (length > 0) frame->append(reader_.ReadExactly(length).value_or(""));
    return websocket::AsServers(*frame).value_or("malformed");
  }
  void HangUp() { stream_.Close(); }

 private:
  Stream& stream_;
  BufferedReader reader_;
};

// On a UNIX socket and invented time: a time-out takes none.
class WebSocketPeerTest : public HubTest {
 protected:
  using Serve = std::function<void(WebSocketPeer&)>;

  WebSocketPeerTest() : HubTest({.stack_bytes = 256 * 1024}), client_(*HttpClient::Create()) {
    EXPECT_NE(mkdtemp(folder_), nullptr);
    path_ = StrCat(folder_, "/s");
  }
  ~WebSocketPeerTest() override {
    unlink(path_.c_str());
    rmdir(folder_);
  }

  // Runs `body` beside a server that does with each connection what `serve` says, then hangs up.
  void With(const Serve& serve, const std::function<void()>& body) {
    Run([&] {
      Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + path_)));
      FiberGroup peers;
      FiberHandle accepting = *Spawn("accepting", [&] { Accept(listener, peers, serve); });
      body();
      client_->CloseIdle();
      accepting.Cancel();
      accepting.AwaitEnd();
      // What it still reads, it shall see.
      Timeout timeout(absl::Minutes(5));
      EXPECT_TRUE(peers.Join().ok());
    });
    EXPECT_EQ(client_->stats().pool.open, 0);
  }
  absl::StatusOr<std::unique_ptr<ClientWebSocket>> TryConnect(ConnectOptions options = {}) {
    options.unix_socket = path_;
    return websocket::Connect(*client_, "ws://a/chat", std::move(options));
  }
  std::unique_ptr<ClientWebSocket> Connect(ConnectOptions options = {}) {
    auto socket = TryConnect(std::move(options));
    EXPECT_TRUE(socket.ok()) << socket.status();
    return *std::move(socket);
  }
  // The next message's payload; "closed", or why there is none.
  static std::string Next(ClientWebSocket& socket) {
    auto message = socket.Receive();
    if (!message.ok()) return message.status().ToString();
    return message->has_value() ? (*message)->payload : "closed";
  }

  std::unique_ptr<HttpClient> client_;
  std::string path_;

 private:
  static void Accept(Listener& listener, FiberGroup& peers, const Serve& serve) {
    for (;;) {
      absl::StatusOr<Socket> socket = listener.Accept();
      if (!socket.ok()) return;
      auto held = std::make_shared<Socket>(*std::move(socket));
      const auto spawned = peers.Spawn("peer", [held, &serve] {
        WebSocketPeer peer(*held);
        serve(peer);
        held->Close();
      });
      EXPECT_TRUE(spawned.ok());
    }
  }

  char folder_[32] = "/tmp/ws-client-XXXXXX";  // short enough for a UNIX socket's address
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_WEBSOCKET_PEER_FIXTURE_H_

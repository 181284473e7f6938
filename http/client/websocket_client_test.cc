// The client against servers that say what they are told; what is sound on both sides is tested
// against Grove's own server in server/http/websocket.
#include "http/client/websocket_client.h"

#include "gmock/gmock.h"
#include "http/client/websocket_peer_fixture.h"
#include "http/websocket/deflate_codec.h"
#include "http/websocket/frame_writer.h"
#include "runtime/hub/timeout.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;
using websocket::ClientFrame;
using websocket::CloseFrame;
using websocket::Unmasked;

class WebSocketClientTest : public WebSocketPeerTest {};

TEST_F(WebSocketClientTest, OpensAndTalksBothWays) {
  With(
      [](WebSocketPeer& peer) {
        const std::string head = peer.Accept("Sec-WebSocket-Protocol: v2\r\n");
        EXPECT_THAT(head, testing::StartsWith("GET /chat HTTP/1.1\r\nHost: a\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Version: 13\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Protocol: v1, v2\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nOrigin: https://a.example\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Token: t\r\n"));
        peer.Send(Unmasked(0x81, "welcome"));
        EXPECT_EQ(peer.Frame(), Unmasked(0x81, "hello"));
        EXPECT_EQ(peer.Frame(), Unmasked(0x82, std::string(100'000, '\xff')));
        EXPECT_EQ(peer.Frame(), Unmasked(0x89, "?"));
        EXPECT_EQ(peer.Frame(), CloseFrame(1000, "done"));
        peer.Send(CloseFrame(1000, "done"));
      },
      [this] {
        ConnectOptions options;
        options.fields = {{"X-Token", "t"}};
        options.subprotocols = {"v1", "v2"};
        options.origin = "https://a.example";
        auto socket = Connect(options);
        EXPECT_EQ(socket->subprotocol(), "v2");
        EXPECT_FALSE(socket->compressed());
        EXPECT_EQ(socket->url(), "http://a/chat");
        EXPECT_EQ(client_->stats().pool.open, 1);
        EXPECT_EQ(client_->stats().switched, 1u);
        EXPECT_EQ(Next(*socket), "welcome");
        EXPECT_TRUE(socket->SendText("hello").ok());
        EXPECT_TRUE(socket->SendBinary(std::string(100'000, '\xff')).ok());
        EXPECT_TRUE(socket->Ping("?").ok());
        EXPECT_TRUE(socket->Close(1000, "done").ok());
        EXPECT_EQ(socket->peer_close().code, 1000);
        EXPECT_EQ(Next(*socket), "closed");
        EXPECT_TRUE(absl::IsUnavailable(socket->SendText("late")));
        EXPECT_TRUE(socket->Close().ok());
      });
}

TEST_F(WebSocketClientTest, ReadsFramesThatCameWithTheHandshake) {
  With([](WebSocketPeer& peer) { peer.Accept(); },
       [this] { EXPECT_THAT(Next(*Connect()), HasSubstr("without a close frame")); });
  // In one write.
  With(
      [](WebSocketPeer& peer) {
        const std::string head = peer.ReadHead();
        const std::string key = head.substr(head.find("Sec-WebSocket-Key: ") + 19, 24);
        peer.Send(StrCat("HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: upgrade\r\n",
                         "Sec-WebSocket-Accept: ", websocket::AcceptFor(key), "\r\n\r\n",
                         Unmasked(0x81, "early"), CloseFrame(1000, "")));
        EXPECT_EQ(peer.Frame(), CloseFrame(1000, ""));
      },
      [this] {
        auto socket = Connect();
        EXPECT_EQ(Next(*socket), "early");
        EXPECT_EQ(Next(*socket), "closed");
        EXPECT_TRUE(socket->Close().ok());
      });
}

TEST_F(WebSocketClientTest, RefusesAHandshakeThatIsWrong) {
  const auto status = [this](std::string_view answer) {
    absl::Status refused;
    With(
        [&](WebSocketPeer& peer) {
          peer.ReadHead();
          peer.Send(answer);
          EXPECT_EQ(peer.Frame(), "end");
        },
        [&] { refused = TryConnect().status(); });
    EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
    return refused.ToString();
  };
  EXPECT_THAT(status("HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
              HasSubstr("does not go with the key"));
  EXPECT_THAT(status("HTTP/1.1 101 \r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
              HasSubstr("a protocol that nobody asked for"));
}

TEST_F(WebSocketClientTest, ARefusalIsAnErrorWithStatusAndBody) {
  HttpResponse refusal;
  With(
      [](WebSocketPeer& peer) {
        peer.ReadHead();
        peer.Send(StrCat("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n",
                         "Content-Length: 5000\r\n\r\nno token\r\n", std::string(4990, '.')));
      },
      [&] {
        ConnectOptions options;
        options.refusal = &refusal;
        options.refusal_bytes_max = 100;
        const absl::Status status = TryConnect(options).status();
        EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
        EXPECT_EQ(status.message(),
                  "http://a/chat: the server answers 401 to the handshake: "
                  "no token");
      });
  EXPECT_EQ(refusal.status, 401);
  EXPECT_EQ(refusal.Field("www-authenticate"), "Bearer");
  EXPECT_EQ(refusal.body.size(), 100u);
}

TEST_F(WebSocketClientTest, EveryOtherAnswerIsAnError) {
  const std::pair<int, absl::StatusCode> cases[] = {
      {200, absl::StatusCode::kFailedPrecondition}, {403, absl::StatusCode::kPermissionDenied},
      {404, absl::StatusCode::kNotFound},           {426, absl::StatusCode::kFailedPrecondition},
      {429, absl::StatusCode::kResourceExhausted},  {503, absl::StatusCode::kUnavailable}};
  for (const auto& [answer, code] : cases) {
    With(
        [answer = answer](WebSocketPeer& peer) {
          peer.ReadHead();
          peer.Send(StrCat("HTTP/1.1 ", answer, " \r\nContent-Length: 0\r\n\r\n"));
        },
        [&, code = code] { EXPECT_EQ(TryConnect().status().code(), code); });
  }
}

TEST_F(WebSocketClientTest, FollowsRedirectsAsFarAsItMay) {
  const auto serve = [](WebSocketPeer& peer) {
    peer.ReadHead();
    peer.Send("HTTP/1.1 302 \r\nLocation: ws://a/there\r\nContent-Length: 0\r\n\r\n");
    EXPECT_THAT(peer.Accept(), HasSubstr("GET /there HTTP/1.1\r\n"));
    peer.Frame();
  };
  With(serve, [this] { EXPECT_EQ(Connect()->url(), "http://a/there"); });
  With(
      [](WebSocketPeer& peer) {
        peer.ReadHead();
        peer.Send("HTTP/1.1 302 \r\nLocation: ws://a/there\r\nContent-Length: 0\r\n\r\n");
      },
      [this] {
        ConnectOptions options;
        options.redirects_max = 0;
        EXPECT_TRUE(absl::IsFailedPrecondition(TryConnect(options).status()));
      });
}

TEST_F(WebSocketClientTest, ChecksWhatItIsAsked) {
  Run([this] {
    const auto code = [this](std::string_view url, ConnectOptions options) {
      return websocket::Connect(*client_, url, std::move(options)).status().code();
    };
    ConnectOptions key;
    key.fields = {{"Sec-WebSocket-Key", "mine"}};
    ConnectOptions broken;
    broken.fields = {{"A", "b\r\nc"}};
    ConnectOptions spaced;
    spaced.subprotocols = {"a b"};
    constexpr auto kBad = absl::StatusCode::kInvalidArgument;
    EXPECT_EQ(code("http://a/", {}), kBad);
    EXPECT_EQ(code("a", {}), kBad);
    EXPECT_EQ(code("ws://", {}), kBad);
    EXPECT_EQ(code("ws://a/", key), kBad);
    EXPECT_EQ(code("ws://a/", broken), kBad);
    EXPECT_EQ(code("ws://a/", spaced), kBad);
  });
}

TEST_F(WebSocketClientTest, FailsAServerThatMasks) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        peer.Send(Unmasked(0x81, "sound") + ClientFrame(0x81, "masked"));
        EXPECT_THAT(peer.Frame(), HasSubstr("\x03\xea"));  // 1002
        EXPECT_EQ(peer.Frame(), "end");
      },
      [this] {
        auto socket = Connect();
        EXPECT_EQ(Next(*socket), "sound");
        EXPECT_THAT(Next(*socket), HasSubstr("INVALID_ARGUMENT"));
        EXPECT_TRUE(absl::IsUnavailable(socket->Close()));
      });
}

TEST_F(WebSocketClientTest, RefusesWhatIsTooLarge) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        peer.Send(Unmasked(0x82, std::string(11, 'x')));
        EXPECT_THAT(peer.Frame(), HasSubstr("\x03\xf1"));  // 1009
      },
      [this] {
        ConnectOptions options;
        options.session.limits.message_bytes_max = 10;
        EXPECT_THAT(Next(*Connect(options)), HasSubstr("RESOURCE_EXHAUSTED"));
      });
}

TEST_F(WebSocketClientTest, TellsHowTheServerClosed) {
  const auto next = [this](uint16_t code, std::string_view reason) {
    std::string said;
    With(
        [&](WebSocketPeer& peer) {
          peer.Accept();
          peer.Send(CloseFrame(code, reason));
          EXPECT_EQ(peer.Frame(), CloseFrame(code, reason));
        },
        [&] {
          auto socket = Connect();
          said = Next(*socket);
          EXPECT_EQ(socket->peer_close().code, code);
          EXPECT_TRUE(absl::IsUnavailable(socket->SendText("late")));
          EXPECT_TRUE(socket->Close().ok());
        });
    return said;
  };
  EXPECT_EQ(next(1000, "bye"), "closed");
  EXPECT_EQ(next(1001, ""), "closed");
  EXPECT_EQ(next(websocket::kCloseNoCode, ""), "closed");
  EXPECT_EQ(next(1011, "broken"),
            "UNAVAILABLE: the server closed the WebSocket with code 1011: broken");
  EXPECT_EQ(next(4001, ""), "UNAVAILABLE: the server closed the WebSocket with code 4001");
}

TEST_F(WebSocketClientTest, AServerThatNeverClosesIsLeft) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_EQ(peer.Frame(), CloseFrame(1000, ""));
        EXPECT_EQ(peer.Frame(), "end");
      },
      [this] {
        auto socket = Connect();
        const MonotonicNanos before = Hub::Current()->now();
        EXPECT_TRUE(absl::IsUnavailable(socket->Close()));
        EXPECT_EQ(absl::Nanoseconds(Hub::Current()->now() - before), absl::Seconds(5));
        EXPECT_EQ(Next(*socket), "closed");
      });
}

TEST_F(WebSocketClientTest, AsksASilentServerForASignOfLife) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_EQ(peer.Frame(), Unmasked(0x89, ""));
        peer.Send(Unmasked(0x8a, ""));
        EXPECT_EQ(peer.Frame(), Unmasked(0x89, ""));
        EXPECT_EQ(peer.Frame(), CloseFrame(1011, "no pong in time"));
        EXPECT_EQ(peer.Frame(), "end");
      },
      [this] {
        auto socket = Connect();
        const MonotonicNanos before = Hub::Current()->now();
        EXPECT_EQ(Next(*socket), "UNAVAILABLE: the server answered no ping in time");
        EXPECT_EQ(absl::Nanoseconds(Hub::Current()->now() - before), absl::Seconds(30 + 30 + 20));
      });
}

// A server that reads nothing until it is read must not hold both up.
TEST_F(WebSocketClientTest, ReadsAndAnswersThePingWhileItSends) {
  const std::string large(4 << 20, 'x');
  Event sending;
  With(
      [&](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_TRUE(sending.Wait().ok());
        peer.Send(Unmasked(0x89, "1") + Unmasked(0x89, "2"));
        for (int i = 0; i < 40; ++i) peer.Send(Unmasked(0x82, std::string(64 * 1024, 'y')));
        EXPECT_EQ(peer.Frame(), Unmasked(0x82, large));
        EXPECT_EQ(peer.Frame(), Unmasked(0x8a, "2"));  // the last one's is enough
        EXPECT_EQ(peer.Frame(), CloseFrame(1000, ""));
        peer.Send(CloseFrame(1000, ""));
      },
      [&] {
        auto socket = Connect();
        FiberHandle writer = *Spawn("writer", [&] { return socket->SendBinary(large); });
        Yield();
        EXPECT_FALSE(writer.ended());
        sending.Set();
        for (int i = 0; i < 40; ++i) EXPECT_EQ(Next(*socket).size(), 64 * 1024u);
        EXPECT_TRUE(writer.Join().ok());
        EXPECT_TRUE(socket->Close().ok());
      });
}

TEST_F(WebSocketClientTest, MessagesOfSeveralFibersNeverMix) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        for (int i = 0; i < 8; ++i) {
          const std::string frame = peer.Frame();
          EXPECT_EQ(frame, Unmasked(0x82, std::string(300'000, frame.back())));
        }
        peer.Frame();
        peer.Send(CloseFrame(1000, ""));
      },
      [this] {
        auto socket = Connect();
        FiberGroup group;
        for (char letter = 'a'; letter < 'i'; ++letter) {
          ASSERT_TRUE(group
                          .Spawn("writer",
                                 [&socket, letter] {
                                   return socket->SendBinary(std::string(300'000, letter));
                                 })
                          .ok());
        }
        EXPECT_TRUE(group.Join().ok());
        EXPECT_TRUE(socket->Close().ok());
      });
}

TEST_F(WebSocketClientTest, SendsAMessageByPieces) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_EQ(peer.Frame(), Unmasked(0x01, "ab\xc3"));
        EXPECT_EQ(peer.Frame(), Unmasked(0x89, "amid"));
        EXPECT_EQ(peer.Frame(), Unmasked(0x00, "\xa4"));
        EXPECT_EQ(peer.Frame(), Unmasked(0x80, ""));
        EXPECT_EQ(peer.Frame(), Unmasked(0x82, "next"));
        peer.Frame();
        peer.Send(CloseFrame(1000, ""));
      },
      [this] {
        auto socket = Connect();
        std::vector<std::string> pieces = {"ab\xc3", "\xa4", ""};
        FiberHandle other;
        size_t at = 0;
        EXPECT_TRUE(socket
                        ->SendPieces(MessageType::kText,
                                     [&]() -> absl::StatusOr<std::string> {
                                       if (at == 1) {
                                         other = *Spawn("other",
                                                        [&] { return socket->SendBinary("next"); });
                                         EXPECT_TRUE(socket->Ping("amid").ok());
                                       }
                                       return pieces[at++];
                                     })
                        .ok());
        EXPECT_TRUE(other.Join().ok());
        EXPECT_TRUE(socket->Close().ok());
      });
}

TEST_F(WebSocketClientTest, AMessageThatIsCutShortEndsTheWebSocket) {
  const auto run = [this](MessageType type, absl::StatusOr<std::string> second) {
    absl::Status status;
    With(
        [](WebSocketPeer& peer) {
          peer.Accept();
          EXPECT_EQ(peer.Frame()[1], 5);
          EXPECT_EQ(peer.Frame(), CloseFrame(1011, ""));
          peer.Send(CloseFrame(1011, ""));
        },
        [&] {
          auto socket = Connect();
          int piece = 0;
          status = socket->SendPieces(type, [&]() -> absl::StatusOr<std::string> {
            return piece++ == 0 ? "first" : second;
          });
          EXPECT_TRUE(absl::IsUnavailable(socket->SendText("behind it")));
          EXPECT_EQ(Next(*socket), "closed");
          EXPECT_TRUE(socket->Close().ok());
        });
    return status;
  };
  EXPECT_EQ(run(MessageType::kBinary, absl::DataLossError("unreadable")).message(), "unreadable");
  EXPECT_TRUE(absl::IsInvalidArgument(run(MessageType::kText, std::string("\xff"))));
}

// Before anything of it was sent, a message can be given up.
TEST_F(WebSocketClientTest, AMessageThatNeverBeganEndsNothing) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_EQ(peer.Frame(), Unmasked(0x81, "after"));
      },
      [this] {
        auto socket = Connect();
        const absl::Status status = socket->SendPieces(
            MessageType::kText,
            []() -> absl::StatusOr<std::string> { return absl::DataLossError("unreadable"); });
        EXPECT_TRUE(absl::IsDataLoss(status));
        EXPECT_TRUE(absl::IsInvalidArgument(socket->SendText("\xff")));
        EXPECT_TRUE(socket->SendText("after").ok());
      });
}

TEST_F(WebSocketClientTest, CompressesWithTheClientsWindowAndContext) {
  std::string inflated;
  With(
      [&](WebSocketPeer& peer) {
        EXPECT_THAT(peer.Accept("Sec-WebSocket-Extensions: permessage-deflate; "
                                "client_no_context_takeover; client_max_window_bits=9\r\n"),
                    HasSubstr("permessage-deflate; client_max_window_bits=12\r\n"));
        websocket::Inflater inflater(9, false);
        const auto sink = [&](std::string_view bytes) { return inflated.append(bytes), true; };
        for (int i = 0; i < 2; ++i) {
          const std::string frame = peer.Frame();
          EXPECT_EQ(static_cast<uint8_t>(frame[0]), 0xc1);  // FIN, RSV1, text
          EXPECT_LT(frame.size(), 100u);
          EXPECT_EQ(inflater.Add(frame.substr(2), sink), websocket::Inflater::Result::kOk);
          EXPECT_EQ(inflater.Finish(sink), websocket::Inflater::Result::kOk);
        }
        EXPECT_EQ(peer.Frame(), Unmasked(0x81, "short"));
        // A message by pieces: the bit on its first frame alone.
        std::string frame = peer.Frame();
        EXPECT_EQ(frame[0], 0x42);
        std::string payload = frame.substr(frame[1] == 126 ? 4 : 2);
        do {
          frame = peer.Frame();
          EXPECT_EQ(frame[0] & 0x7f, 0);
          payload += frame.substr(frame[1] == 126 ? 4 : 2);
        } while ((frame[0] & 0x80) == 0);
        EXPECT_EQ(inflater.Add(payload, sink), websocket::Inflater::Result::kOk);
        EXPECT_EQ(inflater.Finish(sink), websocket::Inflater::Result::kOk);
      },
      [this] {
        auto socket = Connect();
        EXPECT_TRUE(socket->compressed());
        EXPECT_TRUE(socket->SendText(std::string(500, 'a')).ok());
        EXPECT_TRUE(socket->SendText(std::string(500, 'b')).ok());
        EXPECT_TRUE(socket->SendText("short").ok());
        // Noise, so that the compressor has something to say before the end.
        uint32_t state = 1;
        int piece = 0;
        EXPECT_TRUE(socket
                        ->SendPieces(MessageType::kBinary,
                                     [&]() -> absl::StatusOr<std::string> {
                                       std::string noise(piece++ < 4 ? 20'000 : 0, '\0');
                                       for (char& byte : noise) {
                                         state = state * 1664525 + 1013904223;
                                         byte = static_cast<char>(state >> 24);
                                       }
                                       return noise;
                                     })
                        .ok());
        EXPECT_EQ(Next(*socket), "UNAVAILABLE: the server left without a close frame");
      });
  EXPECT_EQ(inflated.substr(0, 1000), std::string(500, 'a') + std::string(500, 'b'));
  EXPECT_EQ(inflated.size(), 1000u + 80'000u);
}

TEST_F(WebSocketClientTest, ATimeoutOfReceiveLosesNothing) {
  Event go;
  With(
      [&](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_TRUE(go.Wait().ok());
        peer.Send(Unmasked(0x81, "late"));
        peer.Frame();
      },
      [&] {
        auto socket = Connect();
        {
          Timeout timeout(absl::Seconds(1));
          EXPECT_THAT(Next(*socket), HasSubstr("DEADLINE_EXCEEDED"));
        }
        go.Set();
        EXPECT_EQ(Next(*socket), "late");
      });
}

TEST_F(WebSocketClientTest, ATimeoutBoundsTheHandshake) {
  With(
      [](WebSocketPeer& peer) {
        peer.ReadHead();
        EXPECT_EQ(peer.Frame(), "end");
      },
      [this] {
        Timeout timeout(absl::Seconds(3));
        EXPECT_TRUE(absl::IsDeadlineExceeded(TryConnect().status()));
      });
}

TEST_F(WebSocketClientTest, OneThatDiesHangsUpAndGivesItsPlaceBack) {
  client_ = *HttpClient::Create({.pool = {.per_origin_max = 1}});
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_EQ(peer.Frame(), "end");
      },
      [this] {
        auto socket = Connect();
        {
          Timeout timeout(absl::Seconds(1));
          EXPECT_TRUE(absl::IsDeadlineExceeded(TryConnect().status()));
        }
        socket.reset();
        EXPECT_EQ(client_->stats().pool.open, 0);
        Connect();
      });
}

}  // namespace
}  // namespace grove::http

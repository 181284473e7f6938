#include "runtime/tls/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/tls/fixture.h"

namespace grove {
namespace {

class TlsStreamTest : public HubTest {
 protected:
  using Result = absl::StatusOr<TlsStream>;
  struct Pair {
    Result server = absl::UnknownError("no handshake");
    Result client = absl::UnknownError("no handshake");
  };
  static std::pair<Socket, Socket> Sockets() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {*Socket::Adopt(fds[0]), *Socket::Adopt(fds[1])};
  }
  TlsServerContext Server(TlsServerOptions options = {}) {
    if (options.certificates.empty()) options.certificates = {certificate_};
    return *TlsServerContext::Create(options);
  }
  TlsClientContext Client(TlsClientOptions options = {}) {
    if (options.ca_file.empty()) options.ca_file = authority_.ca_file();
    return *TlsClientContext::Create(options);
  }
  // A handshake of both.
  static Pair Shake(const TlsServerContext& server, const TlsClientContext& client,
                    std::string_view host = "example.org") {
    Pair pair;
    auto [near, far] = Sockets();
    auto accepting = *Spawn("server", [&, socket = &near] {
      pair.server = TlsStream::Accept(std::move(*socket), server);
    });
    pair.client = TlsStream::Connect(std::move(far), client, host);
    EXPECT_TRUE(accepting.Join().ok());
    return pair;
  }
  Pair Shake() { return Shake(server_, client_); }
  static std::string ReadText(Stream& stream, size_t bytes) {
    std::string text(bytes, '\0');
    EXPECT_TRUE(stream.ReadFull(text).ok());
    return text;
  }
  // One byte to the client carries the session tickets along.
  static void Exchange(Pair& pair) {
    EXPECT_TRUE(pair.server->Write("s").ok());
    EXPECT_EQ(ReadText(*pair.client, 1), "s");
  }
  static void ExpectMessage(const absl::Status& status, absl::StatusCode code,
                            std::string_view part) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(std::string(status.message()).find(part), std::string::npos) << status;
  }

  TestAuthority authority_{"authority"};
  const TlsCertificateFiles certificate_ = authority_.Issue(
      "server", {.common_name = "server", .names = "DNS:example.org,IP:127.0.0.1,IP:::1"});
  TlsServerContext server_ = Server();
  TlsClientContext client_ = Client();
  char byte_[1];
};

constexpr auto kUnauthenticated = absl::StatusCode::kUnauthenticated;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

TEST_F(TlsStreamTest, CarriesBytesBothWaysAndTheEnd) {
  Run([&] {
    Pair pair = Shake();
    ASSERT_TRUE(pair.client.ok()) << pair.client.status();
    EXPECT_TRUE(pair.client->Write("question").ok());
    EXPECT_TRUE(pair.client->ShutdownWrite().ok());
    EXPECT_EQ(ReadText(*pair.server, 8), "question");
    EXPECT_EQ(*pair.server->Read(byte_), 0u);
    EXPECT_TRUE(pair.server->Write("answer").ok());
    EXPECT_EQ(ReadText(*pair.client, 6), "answer");
    EXPECT_TRUE(absl::IsUnavailable(pair.client->Write("more")));
    pair.server->Close();
    EXPECT_EQ(*pair.client->Read(byte_), 0u);
  });
}

TEST_F(TlsStreamTest, TellsWhatWasAgreed) {
  Run([&] {
    Pair pair = Shake();
    EXPECT_EQ(pair.client->version(), "TLSv1.3");
    EXPECT_EQ(pair.client->cipher(), pair.server->cipher());
    EXPECT_EQ(pair.server->server_name(), "example.org");
    EXPECT_EQ(pair.server->peer_certificate(), std::nullopt);
    const TlsCertificate peer = *pair.client->peer_certificate();
    EXPECT_EQ(peer.subject, "CN=server");
    EXPECT_EQ(peer.common_name, "server");
    EXPECT_EQ(peer.issuer, "CN=authority");
    EXPECT_THAT(peer.serial, testing::MatchesRegex("[0-9A-F]+"));
    EXPECT_THAT(peer.fingerprint, testing::MatchesRegex("[0-9a-f]{64}"));
    EXPECT_TRUE(pair.client->peer_verified());
    EXPECT_FALSE(pair.server->peer_verified()) << "there is none";
    EXPECT_EQ(peer.names, (std::vector<std::string>{"DNS:example.org", "IP:127.0.0.1", "IP:::1"}));
  });
}

TEST_F(TlsStreamTest, RefusesAnUnknownAuthorityAndTheServerLearnsIt) {
  Run([&] {
    TestAuthority other("other");
    Pair pair = Shake(server_, Client({.ca_file = other.ca_file()}));
    ExpectMessage(pair.client.status(), kUnauthenticated, "unable to get local issuer");
    ExpectMessage(pair.client.status(), kUnauthenticated, "CN=server");
    ExpectMessage(pair.server.status(), kUnauthenticated, "unknown ca");
  });
}

TEST_F(TlsStreamTest, TheSystemsAuthoritiesDoNotKnowOurs) {
  Run([&] {
    Pair pair = Shake(server_, *TlsClientContext::Create());
    EXPECT_TRUE(absl::IsUnauthenticated(pair.client.status()));
  });
}

TEST_F(TlsStreamTest, RefusesAnotherHostsCertificateByNameAndByAddress) {
  Run([&] {
    ExpectMessage(Shake(server_, client_, "example.com").client.status(), kUnauthenticated,
                  "ostname mismatch");
    ExpectMessage(Shake(server_, client_, "127.0.0.2").client.status(), kUnauthenticated,
                  "address mismatch");
    EXPECT_TRUE(absl::IsInvalidArgument(Shake(server_, client_, "").client.status()));
  });
}

TEST_F(TlsStreamTest, AcceptsTheHostInAnyCaseAndAddressesWithoutSni) {
  Run([&] {
    EXPECT_TRUE(Shake(server_, client_, "Example.ORG.").client.ok());
    EXPECT_TRUE(Shake(server_, client_, "[::1]").client.ok());
    Pair pair = Shake(server_, client_, "127.0.0.1");
    EXPECT_TRUE(pair.client.ok()) << pair.client.status();
    EXPECT_EQ(pair.server->server_name(), "");
  });
}

TEST_F(TlsStreamTest, RefusesAnExpiredCertificateUnlessToldToAcceptAnything) {
  Run([&] {
    const TlsServerContext server =
        Server({.certificates = {authority_.Issue(
                    "old", {.names = "DNS:example.org", .valid_until = -absl::Hours(1)})}});
    ExpectMessage(Shake(server, client_).client.status(), kUnauthenticated, "expired");
    const TlsClientContext careless =
        Client({.verification = TlsVerification::kDangerouslyAcceptAnyServer});
    EXPECT_TRUE(Shake(server, careless, "whoever").client.ok());
    EXPECT_FALSE(careless.verifies());
  });
}

TEST_F(TlsStreamTest, AgreesOnTheServersFavouriteProtocol) {
  Run([&] {
    const TlsServerContext server = Server({.alpn = {"h2", "http/1.1"}});
    Pair pair = Shake(server, Client({.alpn = {"http/1.1", "h2"}}));
    EXPECT_EQ(pair.client->alpn(), "h2");
    EXPECT_EQ(pair.server->alpn(), "h2");
    EXPECT_EQ(Shake(server, client_).client->alpn(), "");
    EXPECT_EQ(Shake(server_, Client({.alpn = {"h2"}})).client->alpn(), "");
  });
}

TEST_F(TlsStreamTest, RefusesAClientThatOffersOnlyOtherProtocols) {
  Run([&] {
    Pair pair = Shake(Server({.alpn = {"http/1.1"}}), Client({.alpn = {"smtp"}}));
    ExpectMessage(pair.client.status(), kUnavailable, "no application protocol");
    EXPECT_TRUE(absl::IsUnavailable(pair.server.status()));
  });
}

TEST_F(TlsStreamTest, ResumesASessionOnceAndOnlyForItsHost) {
  Run([&] {
    Pair first = Shake();
    EXPECT_FALSE(first.client->resumed());
    Exchange(first);
    EXPECT_EQ(client_.session_hosts(), 1u);
    EXPECT_FALSE(Shake(server_, client_, "127.0.0.1").client->resumed());
    Pair second = Shake();
    EXPECT_TRUE(second.client->resumed());
    EXPECT_TRUE(second.server->resumed());
    EXPECT_EQ(second.client->peer_certificate()->subject, "CN=server");
  });
}

TEST_F(TlsStreamTest, AnAbortedConnectionsSessionIsStillResumed) {
  Run([&] {
    Pair first = Shake();
    Exchange(first);
    first.client->Abort();
    first = Pair();
    EXPECT_TRUE(Shake().client->resumed());
  });
}

TEST_F(TlsStreamTest, KeepsNoSessionsIfToldSo) {
  Run([&] {
    const TlsClientContext client = Client({.session_hosts_max = 0});
    Pair first = Shake(server_, client);
    Exchange(first);
    EXPECT_EQ(client.session_hosts(), 0u);
    EXPECT_FALSE(Shake(server_, client).client->resumed());
  });
}

TEST_F(TlsStreamTest, DemandsAClientsCertificateAndChecksIt) {
  Run([&] {
    TestAuthority other("other");
    const TlsServerContext server = Server({.client_certificate = TlsClientCertificate::kRequired,
                                            .client_ca_file = authority_.ca_file()});
    const auto own = authority_.Issue("me", {.common_name = "me", .names = "URI:spiffe://a/me"});
    Pair good = Shake(server, Client({.certificate = own}));
    ASSERT_TRUE(good.server.ok()) << good.server.status();
    EXPECT_EQ(good.server->peer_certificate()->names[0], "URI:spiffe://a/me");
    EXPECT_TRUE(good.server->peer_verified());
    Pair none = Shake(server, client_);
    ExpectMessage(none.server.status(), kUnauthenticated, "did not return a certificate");
    ExpectMessage(none.client->Read(byte_).status(), kUnauthenticated, "certificate required");
    Pair bad = Shake(server, Client({.certificate = other.Issue("me", {.common_name = "me"})}));
    ExpectMessage(bad.server.status(), kUnauthenticated, "certificate \"CN=me\"");
  });
}

TEST_F(TlsStreamTest, TakesNoOrAGoodClientCertificateIfItIsOptional) {
  Run([&] {
    TestAuthority other("other");
    const TlsServerContext server = Server({.client_certificate = TlsClientCertificate::kOptional,
                                            .client_ca_file = authority_.ca_file()});
    EXPECT_TRUE(Shake(server, client_).server.ok());
    const TlsClientContext bad = Client({.certificate = other.Issue("me", {})});
    EXPECT_TRUE(absl::IsUnauthenticated(Shake(server, bad).server.status()));
  });
}

TEST_F(TlsStreamTest, AnEndWithoutCloseNotifyIsNoEnd) {
  Run([&] {
    Pair pair = Shake();
    EXPECT_TRUE(pair.server->Write("half").ok());
    shutdown(pair.server->fd(), SHUT_WR);
    EXPECT_EQ(ReadText(*pair.client, 4), "half");
    ExpectMessage(pair.client->Read(byte_).status(), kUnavailable, "without close_notify");
    ExpectMessage(pair.client->Read(byte_).status(), kUnavailable, "without close_notify");
    pair.client->Abort();
    EXPECT_FALSE(pair.client->open());
    EXPECT_TRUE(absl::IsUnavailable(pair.server->Read(byte_).status()));
  });
}

TEST_F(TlsStreamTest, MegabytesFlowBothWaysAtOnce) {
  Run([&] {
    Pair pair = Shake();
    const std::string sent(5'000'000, 'x');
    const auto echo = [&](TlsStream& stream) {
      auto writer = *Spawn("writer", [&] { EXPECT_TRUE(stream.Write(sent).ok()); });
      EXPECT_TRUE(ReadText(stream, sent.size()) == sent);
      EXPECT_TRUE(writer.Join().ok());
    };
    auto other = *Spawn("other", [&] { echo(*pair.server); });
    echo(*pair.client);
    EXPECT_TRUE(other.Join().ok());
  });
}

TEST_F(TlsStreamTest, WritevSendsSmallPartsTogetherAndLargeOnesInOrder) {
  Run([&] {
    Pair pair = Shake();
    std::string texts[] = {"head", "", std::string(40'000, 'b'), "tail"};
    std::string all;
    std::vector<iovec> parts;
    for (std::string& text : texts) {
      parts.push_back({text.data(), text.size()});
      all += text;
    }
    EXPECT_TRUE(pair.client->Writev(parts).ok());
    EXPECT_TRUE(ReadText(*pair.server, all.size()) == all);
    iovec small[] = {{texts[0].data(), 4}, {texts[3].data(), 4}};
    EXPECT_TRUE(pair.client->Writev(small).ok());
    char record[100];
    EXPECT_EQ(*pair.server->Read(record), 8u);
  });
}

TEST_F(TlsStreamTest, ABufferedReaderReadsLinesFromIt) {
  Run([&] {
    Pair pair = Shake();
    EXPECT_TRUE(pair.client->Write("one\r\ntwo\n").ok());
    BufferedReader reader(*pair.server);
    EXPECT_EQ(*reader.ReadLine(), "one");
    EXPECT_EQ(*reader.ReadLine(), "two");
  });
}

TEST_F(TlsStreamTest, ATimeoutEndsAHandshakeWithASilentPeer) {
  Run([&] {
    auto [near, far] = Sockets();
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(TlsStream::Accept(std::move(near), server_).status()));
    EXPECT_TRUE(timeout.fired());
    EXPECT_EQ(hub_->Stats().descriptors, 1u);
  });
}

TEST_F(TlsStreamTest, GarbageInsteadOfAHelloIsRefused) {
  Run([&] {
    for (const std::string_view garbage : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                           "\x16\x03\x01\xff"
                                           "\xffgarbage"}) {
      auto [near, far] = Sockets();
      EXPECT_TRUE(far.Write(garbage).ok());
      const absl::Status status = TlsStream::Accept(std::move(near), server_).status();
      ExpectMessage(status, kUnavailable, "TLS handshake: ");
    }
  });
}

TEST_F(TlsStreamTest, APeerThatLeavesInTheHandshakeIsSeen) {
  Run([&] {
    auto [near, far] = Sockets();
    EXPECT_TRUE(far.Write("\x16\x03\x01").ok());
    far.Close();
    ExpectMessage(TlsStream::Accept(std::move(near), server_).status(), kUnavailable, "ended");
    auto [client_end, server_end] = Sockets();
    server_end.Close();
    EXPECT_TRUE(absl::IsUnavailable(
        TlsStream::Connect(std::move(client_end), client_, "example.org").status()));
  });
}

TEST_F(TlsStreamTest, CancellationEndsAHandshakeAndARead) {
  Run([&] {
    auto [near, far] = Sockets();
    Pair pair = Shake();
    auto shaking = *Spawn("shake", [&, socket = &near] {
      EXPECT_TRUE(absl::IsCancelled(TlsStream::Accept(std::move(*socket), server_).status()));
    });
    auto reading = *Spawn("read", [&] {
      char byte[1];
      EXPECT_TRUE(absl::IsCancelled(pair.client->Read(byte).status()));
    });
    Yield();
    shaking.Cancel();
    reading.Cancel();
    EXPECT_TRUE(shaking.Join().ok());
    EXPECT_TRUE(reading.Join().ok());
    Exchange(pair);
  });
}

TEST_F(TlsStreamTest, ClosingOrDestroyingItWakesItsReader) {
  Run([&] {
    for (const bool destroy : {false, true}) {
      Pair pair = Shake();
      auto stream = std::make_unique<TlsStream>(*std::move(pair.client));
      auto reading = *Spawn("read", [raw = stream.get()] {
        char byte[1];
        EXPECT_TRUE(absl::IsAborted(raw->Read(byte).status()));
      });
      Yield();
      stream->Close();
      if (destroy) stream.reset();
      EXPECT_TRUE(reading.Join().ok());
      if (destroy) continue;
      EXPECT_TRUE(absl::IsAborted(stream->Write("x")));
      EXPECT_TRUE(absl::IsAborted(stream->Read(byte_).status()));
    }
  });
}

TEST_F(TlsStreamTest, ASecondReaderIsToldOfTheFirst) {
  Run([&] {
    Pair pair = Shake();
    auto reading = *Spawn("first", [&] {
      char byte[1];
      EXPECT_EQ(*pair.client->Read(byte), 1u);
    });
    Yield();
    EXPECT_TRUE(absl::IsFailedPrecondition(pair.client->Read(byte_).status()));
    EXPECT_TRUE(pair.server->Write("x").ok());
    EXPECT_TRUE(reading.Join().ok());
  });
}

TEST_F(TlsStreamTest, AWriteThatTimesOutIsFinishedByTheNext) {
  Run([&] {
    Pair pair = Shake();
    const std::string record(TlsStream::kRecordBytes, 'r');
    size_t records = 0;
    {
      Timeout timeout(absl::Seconds(1));
      absl::Status sent;
      for (; sent.ok(); ++records) sent = pair.client->Write(record);
      EXPECT_TRUE(absl::IsDeadlineExceeded(sent)) << sent;
    }
    auto reading = *Spawn("read", [&] {
      std::string got(1, '\0');
      size_t bytes = 0;
      while (*pair.server->Read(got) == 1 && got[0] == 'r') ++bytes;
      EXPECT_EQ(got, "!");
      EXPECT_EQ(bytes % record.size(), 0u);
      EXPECT_GE(bytes, (records - 1) * record.size());
    });
    EXPECT_TRUE(pair.client->Write("!").ok());
    EXPECT_TRUE(reading.Join().ok());
  });
}

TEST_F(TlsStreamTest, ReadingGoesOnAfterWritingFailed) {
  Run([&] {
    Pair pair = Shake();
    EXPECT_TRUE(pair.server->Write("last words").ok());
    pair.server->Close();
    while (pair.client->Write("x").ok()) continue;
    EXPECT_EQ(ReadText(*pair.client, 10), "last words");
    EXPECT_EQ(*pair.client->Read(byte_), 0u);
  });
}

TEST_F(TlsStreamTest, ShutdownReadYieldsWhatHasArrivedThenTheEnd) {
  Run([&] {
    Pair pair = Shake();
    Exchange(pair);
    ASSERT_TRUE(pair.client->Write("last").ok());
    pair.server->ShutdownRead();
    EXPECT_EQ(ReadText(*pair.server, 4), "last");
    char byte = 0;
    EXPECT_EQ(*pair.server->Read({&byte, 1}), 0u);
    EXPECT_EQ(*pair.server->Read({&byte, 1}), 0u);
    EXPECT_TRUE(pair.server->Write("answer").ok());
    EXPECT_EQ(ReadText(*pair.client, 6), "answer");
  });
}

TEST_F(TlsStreamTest, ShutdownReadWakesTheReaderAndLeavesCloseNotifyToBeSaid) {
  Run([&] {
    Pair pair = Shake();
    Exchange(pair);
    absl::StatusOr<size_t> got = absl::UnknownError("not read");
    FiberHandle reading = *Spawn("reader", [&] {
      char byte = 0;
      got = pair.server->Read({&byte, 1});
    });
    Yield();
    pair.server->ShutdownRead();
    EXPECT_TRUE(reading.Join().ok());
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, 0u);
    pair.server->Close();
    char byte = 0;
    const absl::StatusOr<size_t> end = pair.client->Read({&byte, 1});
    ASSERT_TRUE(end.ok()) << end.status();
    EXPECT_EQ(*end, 0u) << "close_notify";
  });
}

}  // namespace
}  // namespace grove

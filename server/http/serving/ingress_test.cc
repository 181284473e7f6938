// Listeners with TLS and behind proxies, through a real server.
#include "server/http/serving/ingress.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/stream.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr char kLineHeader[] = "PROXY TCP4 192.0.2.1 198.51.100.1 51724 443\r\n";

class IngressTest : public ServerFixture {
 protected:
  // Tells who asks, and over what.
  void HandleWho() {
    Handle("GET", "/", [](Request& request, Response& response) {
      return response.Send(200, "text/plain",
                           std::string(request.context.client) + " by " +
                               std::string(request.peer) + " over " +
                               std::string(request.context.scheme) + "\n");
    });
  }
  TlsServerOptions Certificates(std::vector<TlsCertificateFiles> files) {
    return {.certificates = std::move(files), .alpn = {"http/1.1"}};
  }
  void UseTls(TlsServerOptions options) {
    absl::StatusOr<TlsServerContext> context = TlsServerContext::Create(std::move(options));
    ASSERT_TRUE(context.ok()) << context.status();
    ingress_.tls = *std::move(context);
  }
  void UseTls() { UseTls(Certificates({certificate_})); }
  void TrustPeers(const std::string& range) {
    const std::string ranges[] = {range};
    ingress_.proxies = *TrustedAddresses::Parse(ranges);
  }
  // To the server as this ingress has it.
  Socket Dial() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    EXPECT_TRUE(server_->Adopt(*Socket::Adopt(fds[0]), &ingress_).ok());
    return *Socket::Adopt(fds[1]);
  }
  absl::StatusOr<TlsStream> Shake(Socket socket, const std::string& host = "a.example",
                                  TlsClientOptions options = {}) {
    options.ca_file = authority_.ca_file();
    return TlsStream::Connect(std::move(socket), *TlsClientContext::Create(options), host);
  }
  TlsStream DialTls(const std::string& host = "a.example", TlsClientOptions options = {}) {
    absl::StatusOr<TlsStream> stream = Shake(Dial(), host, std::move(options));
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }
  static std::string Ask(Stream& stream, std::string_view request) {
    EXPECT_TRUE(stream.Write(request).ok());
    return ReadOnce(stream);
  }
  // "" at the end, and the error's message for one.
  static std::string ReadOnce(Stream& stream) {
    std::string bytes(64 * 1024, '\0');
    const absl::StatusOr<size_t> got = stream.Read(bytes);
    if (!got.ok()) return "error: " + std::string(got.status().message());
    bytes.resize(*got);
    return bytes;
  }
  static std::string ReadAll(Stream& stream) {
    std::string all;
    for (std::string piece; !(piece = ReadOnce(stream)).empty();) {
      all += piece;
      if (piece.starts_with("error: ")) break;
    }
    return all;
  }
  static std::vector<std::string> NamesSeen(const TlsStream& stream) {
    return stream.peer_certificate()->names;
  }

  TestAuthority authority_{"authority"};
  const TlsCertificateFiles certificate_ =
      authority_.Issue("a", {.common_name = "a", .names = "DNS:a.example"});
  Ingress ingress_;
};

TEST_F(IngressTest, AnswersOverTls) {
  HandleWho();
  UseTls();
  Run([&] {
    TlsStream client = DialTls("a.example", {.alpn = {"h2", "http/1.1"}});
    EXPECT_EQ(client.alpn(), "http/1.1");
    EXPECT_THAT(Ask(client, kGet), EndsWith("\r\n\r\nunix: by unix: over https\n"));
    EXPECT_THAT(Ask(client, kGet), StartsWith("HTTP/1.1 200 "));
  });
  EXPECT_EQ(stats_.tls_handshakes, 1);
  EXPECT_EQ(stats_.tls_handshake_failures, 0);
  EXPECT_EQ(stats_.connections, 1);
}

TEST_F(IngressTest, AnswersPipelinedRequestsInOneRecord) {
  HandleWho();
  UseTls();
  Run([&] {
    TlsStream client = DialTls();
    const std::string answers = Ask(client, std::string(kGet) + kGet + kGet);
    size_t count = 0;
    for (size_t at = 0; (at = answers.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++count;
    EXPECT_EQ(count, 3u);
  });
}

TEST_F(IngressTest, CarriesLongBodiesBothWays) {
  Handle("POST", "/", [](Request& request, Response& response) -> absl::Status {
    std::vector<char> buffer(100'000);
    for (;;) {
      const absl::StatusOr<size_t> got = request.body->Read(buffer);
      if (!got.ok()) return got.status();
      if (*got == 0) return response.Finish();
      if (absl::Status s = response.Write({buffer.data(), *got}); !s.ok()) return s;
    }
  });
  UseTls();
  Run([&] {
    TlsStream client = DialTls();
    const std::string body(3'000'000, 'b');
    FiberHandle writing = *Spawn("writer", [&] {
      EXPECT_TRUE(client
                      .Write("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: "
                             "3000000\r\n\r\n" +
                             body)
                      .ok());
    });
    const std::string answer = ReadAll(client);
    EXPECT_TRUE(writing.Join().ok());
    EXPECT_GT(answer.size(), body.size());
    EXPECT_THAT(answer, EndsWith("\r\n0\r\n\r\n"));
  });
}

TEST_F(IngressTest, SendsFilesSealed) {
  char path[] = "/tmp/grove_ingress_test.XXXXXX";
  const int file = mkstemp(path);
  ASSERT_GE(file, 0);
  unlink(path);
  std::string content(300'000, 'f');
  content.back() = 'z';
  ASSERT_EQ(write(file, content.data(), content.size()), content.size());
  Handle("GET", "/", [&](Request&, Response& response) {
    return response.SendFile(200, "", file, 0, content.size());
  });
  Handle("GET", "/short", [&](Request&, Response& response) {
    return response.SendFile(200, "", file, 0, content.size() + 1);
  });
  UseTls();
  Run([&] {
    TlsStream client = DialTls();
    ASSERT_TRUE(client.Write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok());
    const std::string answer = ReadAll(client);
    EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), content);
    TlsStream other = DialTls();
    ASSERT_TRUE(other.Write("GET /short HTTP/1.1\r\nHost: a\r\n\r\n").ok());
    EXPECT_THAT(ReadAll(other), HasSubstr("fffz"));
  });
  close(file);
}

TEST_F(IngressTest, PresentsTheCertificateOfTheNameAskedFor) {
  HandleWho();
  UseTls(Certificates(
      {certificate_, authority_.Issue("b", {.common_name = "b", .names = "DNS:b.example"})}));
  Run([&] {
    EXPECT_THAT(NamesSeen(DialTls("a.example")), ElementsAre("DNS:a.example"));
    EXPECT_THAT(NamesSeen(DialTls("b.example")), ElementsAre("DNS:b.example"));
  });
}

TEST_F(IngressTest, DemandsAClientCertificate) {
  HandleWho();
  TlsServerOptions options = Certificates({certificate_});
  options.client_certificate = TlsClientCertificate::kRequired;
  options.client_ca_file = authority_.ca_file();
  UseTls(options);
  Run([&] {
    // With TLS 1.3 a client learns of the refusal from its first read.
    TlsStream without = DialTls();
    EXPECT_THAT(Ask(without, kGet), HasSubstr("the peer answered"));
    TlsStream with =
        DialTls("a.example", {.certificate = authority_.Issue("client", {.common_name = "c"})});
    EXPECT_THAT(Ask(with, kGet), StartsWith("HTTP/1.1 200 "));
  });
  EXPECT_EQ(stats_.tls_handshake_failures, 1);
}

TEST_F(IngressTest, ShowsHandlersWhoTheClientIs) {
  Handle("GET", "/", [](Request& request, Response& response) {
    const TlsCertificate* certificate = request.client_certificate;
    if (certificate == nullptr) return response.Send(200, "", "nobody\n");
    return response.Send(200, "", certificate->subject + " " + certificate->names.at(0) + "\n");
  });
  TlsServerOptions options = Certificates({certificate_});
  options.client_certificate = TlsClientCertificate::kOptional;
  options.client_ca_file = authority_.ca_file();
  UseTls(options);
  Run([&] {
    TlsStream without = DialTls();
    EXPECT_THAT(Ask(without, kGet), EndsWith("\r\n\r\nnobody\n"));
    const auto own = authority_.Issue("client", {.common_name = "c", .names = "URI:spiffe://a/c"});
    TlsStream with = DialTls("a.example", {.certificate = own});
    EXPECT_THAT(Ask(with, kGet), EndsWith("\r\n\r\nCN=c URI:spiffe://a/c\n"));
    EXPECT_THAT(Ask(with, kGet), EndsWith("\r\n\r\nCN=c URI:spiffe://a/c\n"));
    TestAuthority other("other");
    TlsStream strange = DialTls("a.example", {.certificate = other.Issue("client", {})});
    EXPECT_THAT(Ask(strange, kGet), HasSubstr("the peer answered"));
  });
  EXPECT_EQ(stats_.requests, 3u) << "an unknown authority's certificate never reaches a handler";
}

TEST_F(IngressTest, AResumedSessionsClientIsStillKnown) {
  Handle("GET", "/", [](Request& request, Response& response) {
    const TlsCertificate* certificate = request.client_certificate;
    return response.Send(200, "", certificate == nullptr ? "nobody\n" : certificate->subject);
  });
  TlsServerOptions options = Certificates({certificate_});
  options.client_certificate = TlsClientCertificate::kRequired;
  options.client_ca_file = authority_.ca_file();
  UseTls(options);
  Run([&] {
    TlsClientOptions own{.certificate = authority_.Issue("client", {.common_name = "c"})};
    own.ca_file = authority_.ca_file();
    const TlsClientContext context = *TlsClientContext::Create(own);
    for (const bool resumed : {false, true}) {
      TlsStream client = *TlsStream::Connect(Dial(), context, "a.example");
      EXPECT_EQ(client.resumed(), resumed);
      EXPECT_THAT(Ask(client, kGet), EndsWith("\r\n\r\nCN=c"));
    }
  });
}

TEST_F(IngressTest, ServesNewConnectionsWithNewCertificatesAndOldOnesOn) {
  HandleWho();
  UseTls();
  Run([&] {
    TlsStream before = DialTls("a.example");
    UseTls(Certificates({authority_.Issue("b", {.names = "DNS:b.example"})}));
    EXPECT_THAT(Ask(before, kGet), StartsWith("HTTP/1.1 200 "));
    TlsStream after = DialTls("b.example");
    EXPECT_THAT(NamesSeen(after), ElementsAre("DNS:b.example"));
    EXPECT_THAT(Ask(after, kGet), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(Ask(before, kGet), StartsWith("HTTP/1.1 200 "));
  });
}

TEST_F(IngressTest, TellsAPlainClientThatThePortSpeaksTls) {
  UseTls();
  std::string told;
  options_.on_failed_ingress = [&](std::string_view peer, const absl::Status& status) {
    told = std::string(peer) + " " + std::string(status.message());
  };
  Run([&] {
    Socket client = Dial();
    EXPECT_TRUE(client.Write(kGet).ok());
    const std::string answer = ReadAll(client);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, HasSubstr("this port speaks HTTPS"));
  });
  EXPECT_THAT(told, StartsWith("unix: this port speaks HTTPS"));
  EXPECT_EQ(stats_.tls_handshake_failures, 1);
}

TEST_F(IngressTest, CountsAFailedHandshakeAndNotASilentConnection) {
  UseTls();
  Run([&] {
    Dial().Close();
    Socket garbage = Dial();
    EXPECT_TRUE(garbage.Write(std::string("\x16\x03\x01\xff\xff", 5)).ok());
    EXPECT_TRUE(garbage.ShutdownWrite().ok());
    ReadAll(garbage);
  });
  EXPECT_EQ(stats_.tls_handshake_failures, 1);
  EXPECT_EQ(stats_.tls_handshakes, 0);
}

TEST_F(IngressTest, EndsAHandshakeThatTakesTooLong) {
  options_.header_timeout = absl::Milliseconds(5);
  UseTls();
  Run([&] {
    Socket silent = Dial();
    EXPECT_EQ(ReadAll(silent), "");
    Socket slow = Dial();
    EXPECT_TRUE(slow.Write("\x16").ok());
    ReadAll(slow);
  });
  EXPECT_EQ(stats_.tls_handshake_failures, 1);
}

TEST_F(IngressTest, SaysGoodbyeToIdleTlsConnectionsWhenItDrains) {
  HandleWho();
  UseTls();
  Run([&] {
    TlsStream client = DialTls();
    EXPECT_THAT(Ask(client, kGet), StartsWith("HTTP/1.1 200 "));
    server_->Drain();
    EXPECT_EQ(ReadOnce(client), "") << "close_notify, no cut connection";
  });
}

TEST_F(IngressTest, DrainsConnectionsWithinTheirHandshake) {
  options_.request_grace = absl::Milliseconds(1);
  UseTls();
  Run([&] {
    Socket silent = Dial();
    Socket begun = Dial();
    EXPECT_TRUE(begun.Write("\x16").ok());
    Yield();
    server_->Drain();
    EXPECT_EQ(ReadAll(silent), "");
    ReadAll(begun);
  });
}

TEST_F(IngressTest, EndsAHandlerWhoseTlsClientLeaves) {
  absl::Status slept;
  Handle("GET", "/", [&](Request& request, Response&) {
    request.exchange->CancelOnDisconnect();
    slept = Sleep(absl::InfiniteDuration());
    return slept;
  });
  UseTls();
  Run([&] {
    TlsStream client = DialTls();
    EXPECT_TRUE(client.Write(kGet).ok());
    while (stats_.running == 0) Yield();
    client.Close();
  });
  EXPECT_TRUE(absl::IsCancelled(slept)) << slept;
}

TEST_F(IngressTest, ATruncatedResponseDoesNotEndLikeAWholeOne) {
  Handle("GET", "/", [](Request&, Response& response) -> absl::Status {
    absl::Status written = response.Write("half");
    return written.ok() ? absl::InternalError("broken") : written;
  });
  UseTls();
  Run([&] {
    TlsStream client = DialTls();
    EXPECT_TRUE(client.Write("GET / HTTP/1.0\r\n\r\n").ok());
    const std::string answer = ReadAll(client);
    EXPECT_THAT(answer, HasSubstr("half"));
    EXPECT_THAT(answer, HasSubstr("error: ")) << "no close_notify";
  });
}

TEST_F(IngressTest, TakesTheClientFromAProxysHeader) {
  HandleWho();
  TrustPeers("unix:");
  Run([&] {
    Socket client = Dial();
    EXPECT_THAT(Ask(client, std::string(kLineHeader) + kGet),
                EndsWith("192.0.2.1 by unix: over http\n"));
    EXPECT_THAT(Ask(client, kGet), EndsWith("192.0.2.1 by unix: over http\n"));
  });
}

TEST_F(IngressTest, TakesAProxysHeaderByteByByte) {
  HandleWho();
  TrustPeers("unix:");
  Run([&] {
    Socket client = Dial();
    for (const char byte : std::string(kLineHeader) + kGet) {
      EXPECT_TRUE(client.Write({&byte, 1}).ok());
      Yield();
    }
    EXPECT_THAT(ReadOnce(client), EndsWith("192.0.2.1 by unix: over http\n"));
  });
}

TEST_F(IngressTest, TakesAProxysHeaderBeforeTls) {
  HandleWho();
  UseTls();
  TrustPeers("unix:");
  Run([&] {
    Socket socket = Dial();
    EXPECT_TRUE(socket.Write(kLineHeader).ok());
    absl::StatusOr<TlsStream> client = Shake(std::move(socket));
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_THAT(Ask(*client, kGet), EndsWith("192.0.2.1 by unix: over https\n"));
  });
}

TEST_F(IngressTest, AHeaderThatTellsNobodyLeavesThePeer) {
  HandleWho();
  TrustPeers("unix:");
  Run([&] {
    Socket client = Dial();
    EXPECT_THAT(Ask(client, std::string("PROXY UNKNOWN\r\n") + kGet),
                EndsWith("unix: by unix: over http\n"));
  });
}

TEST_F(IngressTest, AProxyWithoutAHeaderIsCutOff) {
  HandleWho();
  TrustPeers("unix:");
  options_.header_timeout = absl::Milliseconds(5);
  Run([&] {
    Socket without = Dial();
    EXPECT_TRUE(without.Write(kGet).ok());
    EXPECT_THAT(ReadAll(without), testing::Not(HasSubstr("HTTP/1.1")));
    Socket slow = Dial();
    EXPECT_TRUE(slow.Write("PROXY ").ok());
    EXPECT_EQ(ReadAll(slow), "");
    Dial().Close();
  });
  EXPECT_EQ(stats_.proxy_header_failures, 2);
  EXPECT_EQ(stats_.requests, 0);
}

TEST_F(IngressTest, BelievesNobodyElsesHeader) {
  HandleWho();
  TrustPeers("10.0.0.0/8");
  Run([&] {
    Socket client = Dial();
    EXPECT_THAT(Ask(client, std::string(kLineHeader) + kGet), StartsWith("HTTP/1.1 400 "));
    Socket plain = Dial();
    EXPECT_THAT(Ask(plain, kGet), EndsWith("unix: by unix: over http\n"));
  });
}

}  // namespace
}  // namespace grove::http

// HTTP/2 over TLS: what ALPN agrees on, and the distribution's servers, which are killed beneath
// it.
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/http2_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/subprocess.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/server_context.h"
#include "runtime/tls/stream.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

// Of short path, since a UNIX socket's has 107 bytes; removed with it.
class Folder {
 public:
  Folder() {
    char path[] = "/tmp/grove-http2-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string File(std::string_view name) const { return StrCat(path_, "/", name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void RunOnHub(const std::function<void()>& body) {
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, body);
  EXPECT_EQ(hub->Stats().fibers_live, 0);
}

// Serves TLS beside a script of plain connections: `serve` has each stream, with what was agreed.
class TlsScript {
 public:
  TlsScript(const TlsServerContext& context, const std::function<void(TlsStream&)>& serve)
      : script_([&context, serve, this](Socket& socket, int) {
          absl::StatusOr<TlsStream> stream = TlsStream::Accept(std::move(socket), context);
          if (!stream.ok()) return;
          ++handshakes_;
          serve(*stream);
        }) {}
  std::string Url() const { return StrCat("https://127.0.0.1:", script_.port(), "/"); }
  uint16_t port() const { return script_.port(); }
  int handshakes() const { return handshakes_; }

 private:
  int handshakes_ = 0;
  Script script_;
};

// HTTP/2 to who has agreed on it, HTTP/1.1 to the others.
void ServeEither(TlsStream& stream) {
  if (stream.alpn() == "h2") return Http2Peer(stream).AnswerAll("two");
  BufferedReader reader(stream);
  while (!ReadHead(reader).empty()) {
    if (!stream.Write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none").ok()) return;
  }
}

TEST(Http2Tls, SpeaksWhatBothSidesCan) {
  TestAuthority authority("http2-tls");
  const TlsCertificateFiles certificate = authority.Issue("server", {.names = "IP:127.0.0.1"});
  HttpClientOptions options;
  options.dial.tls.ca_file = authority.ca_file();
  const auto client = MakeClient(options);
  HttpClientOptions off = options;
  off.http2 = Http2Offer::kNone;
  const auto old = MakeClient(off);
  RunOnHub([&] {
    const TlsServerContext both =
        *TlsServerContext::Create({.certificates = {certificate}, .alpn = {"h2", "http/1.1"}});
    const TlsServerContext one =
        *TlsServerContext::Create({.certificates = {certificate}, .alpn = {"http/1.1"}});
    const TlsServerContext none = *TlsServerContext::Create({.certificates = {certificate}});
    TlsScript new_server(both, ServeEither);
    TlsScript old_server(one, ServeEither);
    TlsScript older_server(none, ServeEither);
    EXPECT_EQ(client->Fetch({.url = new_server.Url()})->body, "two");
    EXPECT_EQ(client->Fetch({.url = new_server.Url()})->body, "two");
    EXPECT_EQ(new_server.handshakes(), 1);
    EXPECT_EQ(client->Fetch({.url = new_server.Url(), .http1_only = true})->body, "one");
    EXPECT_EQ(old->Fetch({.url = new_server.Url()})->body, "one");
    for (TlsScript* const server : {&old_server, &older_server}) {
      EXPECT_EQ(client->Fetch({.url = server->Url()})->protocol, HttpProtocol::kHttp1);
      EXPECT_EQ(client->Fetch({.url = server->Url()})->body, "one");
      EXPECT_EQ(server->handshakes(), 1);
    }
    EXPECT_EQ(client->stats().http2.connections, 1);
    EXPECT_EQ(client->stats().pool.open, 4);
    client->CloseIdle();
    old->CloseIdle();
    EXPECT_EQ(client->stats().pool.open, 0);
  });
}

TEST(Http2Tls, OneHandshakeServesAllThatComeAtOnce) {
  TestAuthority authority("http2-burst");
  const TlsCertificateFiles certificate = authority.Issue("server", {.names = "IP:127.0.0.1"});
  HttpClientOptions options;
  options.dial.tls.ca_file = authority.ca_file();
  const auto client = MakeClient(options);
  RunOnHub([&] {
    const TlsServerContext context =
        *TlsServerContext::Create({.certificates = {certificate}, .alpn = {"h2", "http/1.1"}});
    TlsScript server(context, ServeEither);
    FiberGroup group;
    int served = 0;
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(
          group.Spawn("fetch", [&] { served += client->Fetch({.url = server.Url()}).ok() ? 1 : 0; })
              .ok());
    }
    EXPECT_TRUE(group.Join().ok());
    EXPECT_EQ(served, 50);
    EXPECT_EQ(server.handshakes(), 1);
    client->CloseIdle();
  });
}

TEST(Http2Tls, GoesThroughProxiesAndShowsItsCertificate) {
  TestAuthority authority("http2-proxy");
  const TlsCertificateFiles certificate = authority.Issue("server", {.names = "DNS:far.test"});
  RunOnHub([&] {
    const TlsServerContext context =
        *TlsServerContext::Create({.certificates = {certificate},
                                   .alpn = {"h2"},
                                   .client_certificate = TlsClientCertificate::kRequired,
                                   .client_ca_file = authority.ca_file()});
    std::string connect;
    Script proxy([&](Socket& socket, int) {
      char head[200];
      const absl::StatusOr<size_t> got = socket.Read(head);
      connect.assign(head, got.value_or(0));
      EXPECT_TRUE(socket.Write("HTTP/1.1 200 OK\r\n\r\n").ok());
      absl::StatusOr<TlsStream> stream = TlsStream::Accept(std::move(socket), context);
      if (stream.ok()) ServeEither(*stream);
    });
    HttpClientOptions options;
    options.dial.tls.ca_file = authority.ca_file();
    options.dial.tls.certificate = authority.Issue("client", {});
    options.dial.proxy = StrCat("http://me:it@127.0.0.1:", proxy.port());
    int asked = 0;
    options.dial.allow = [&](const SocketAddress&) {
      return ++asked == 1 ? absl::OkStatus() : absl::PermissionDeniedError("no");
    };
    const auto client = MakeClient(options);
    const absl::StatusOr<HttpResponse> answer = client->Fetch({.url = "https://far.test/"});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->body, "two");
    EXPECT_THAT(connect, HasSubstr("CONNECT far.test:443 HTTP/1.1\r\n"));
    EXPECT_THAT(connect, HasSubstr("Proxy-Authorization: Basic bWU6aXQ="));
    client->CloseIdle();
    EXPECT_TRUE(absl::IsPermissionDenied(client->Fetch({.url = "https://far.test/"}).status()));
  });
}

// A server of the distribution's on a UNIX socket or a port, which can be killed and started again.
class RealServer {
 public:
  RealServer(HttpClient& client, std::vector<std::string> command, HttpRequest probe)
      : client_(client), command_(std::move(command)), probe_(std::move(probe)) {
    Start();
  }
  // **Park.**
  void Start() {
    // What one left that was killed nobody could bind anew.
    if (!unix_socket().empty()) std::filesystem::remove(unix_socket());
    absl::StatusOr<Subprocess> started = Subprocess::Start(
        command_,
        {.out = SubprocessOptions::Stream::kNull, .err = SubprocessOptions::Stream::kNull});
    ASSERT_TRUE(started.ok()) << started.status();
    process_.emplace(*std::move(started));
    // It says to nobody when it listens.
    Timeout patience(absl::Seconds(60));
    while (!Ask().ok()) ASSERT_TRUE(Sleep(absl::Milliseconds(5)).ok());
  }
  void Kill() {
    EXPECT_TRUE(process_->Signal(SIGKILL).ok());
    EXPECT_TRUE(process_->Wait().ok());
    process_.reset();
  }
  absl::StatusOr<HttpResponse> Ask(const std::string& path = "") {
    HttpRequest request = {.url = probe_.url + path, .unix_socket = probe_.unix_socket};
    return client_.Fetch(std::move(request));
  }
  HttpClient& client() { return client_; }
  std::string Url(std::string_view path) const { return StrCat(probe_.url, path); }
  const std::string& unix_socket() const { return probe_.unix_socket; }

 private:
  HttpClient& client_;
  const std::vector<std::string> command_;
  const HttpRequest probe_;
  std::optional<Subprocess> process_;
};

// What is true of each of them: many at once, large bodies, and death.
void TryOut(RealServer& server, std::string_view large) {
  const absl::StatusOr<HttpResponse> first = server.Ask();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->protocol, HttpProtocol::kHttp2);
  int whole = 0;
  FiberGroup group;
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(group
                    .Spawn("fetch",
                           [&] {
                             const auto page = server.Ask("large");
                             whole += page.ok() && page->body == large ? 1 : 0;
                           })
                    .ok());
  }
  EXPECT_TRUE(group.Join().ok());
  EXPECT_EQ(whole, 30);
  EXPECT_EQ(server.client().stats().http2.connections, 1);
  // Dead beneath kept connections, and beneath an answer that is read.
  HttpExchange open =
      *server.client().Open({.url = server.Url("large"), .unix_socket = server.unix_socket()});
  server.Kill();
  const absl::Status cut = open.ReadAll(large.size()).status();
  EXPECT_TRUE(cut.ok() || absl::IsUnavailable(cut)) << cut;
  EXPECT_TRUE(absl::IsUnavailable(server.Ask().status()));
  server.Start();
  EXPECT_EQ(server.Ask("large")->body, large);
  EXPECT_EQ(server.client().stats().http2.connections, 1);
}

std::string Large() {
  std::string large;
  for (int i = 0; i < 200'000; ++i) large += StrCat(i, "\n");
  return large;
}

TEST(Http2Nginx, ServesManyAtOnceAndIsKilled) {
  if (!std::filesystem::exists("/usr/sbin/nginx")) GTEST_SKIP() << "nginx-light is not installed";
  TestAuthority authority("http2-nginx");
  const TlsCertificateFiles certificate = authority.Issue("server", {.names = "DNS:nginx.test"});
  const Folder folder;
  const std::string large = Large();
  std::ofstream(folder.File("large")) << large;
  std::ofstream(folder.File("index.html")) << "hello";
  std::ofstream(folder.File("conf"))
      << "daemon off; master_process off; pid pid; error_log stderr;\nevents {}\nhttp {\n"
      << "access_log off; client_body_temp_path body; proxy_temp_path proxy;\n"
      << "fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
      << "server { listen unix:" << folder.File("s") << " ssl http2; root " << folder.path()
      << ";\n ssl_certificate " << certificate.chain << "; ssl_certificate_key " << certificate.key
      << ";\n location /moved { return 302 /index.html; } } }\n";
  HttpClientOptions options;
  options.dial.tls.ca_file = authority.ca_file();
  const auto client = MakeClient(options);
  RunOnHub([&] {
    RealServer server(*client, {"/usr/sbin/nginx", "-p", folder.path(), "-c", folder.File("conf")},
                      {.url = "https://nginx.test/", .unix_socket = folder.File("s")});
    EXPECT_EQ(server.Ask("moved")->body, "hello");
    EXPECT_EQ(server.Ask("none")->status, 404);
    // It refuses the rest of a body that it does not want, and the connection goes on.
    EXPECT_EQ(client
                  ->Fetch({.url = server.Url("index.html"),
                           .method = "POST",
                           .body = std::string(5'000'000, 'x'),
                           .unix_socket = folder.File("s")})
                  ->status,
              413);
    TryOut(server, large);
    client->CloseIdle();
  });
}

TEST(Http2Nghttpd, ServesManyAtOnceAndIsKilled) {
  const std::string program = "/usr/sbin/nghttpd";
  if (!std::filesystem::exists(program)) GTEST_SKIP() << "nghttp2-server is not installed";
  const Folder folder;
  const std::string large = Large();
  std::ofstream(folder.File("large")) << large;
  std::ofstream(folder.File("index.html")) << "hello";
  const auto client = MakeClient(PriorKnowledge());
  RunOnHub([&] {
    uint16_t port = 0;
    {
      Listener free = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
      port = free.LocalAddress().port();
    }
    RealServer server(*client,
                      {program, "--no-tls", "-a", "127.0.0.1", "--trailer", "x-sum: 7",
                       "--echo-upload", "-d", folder.path(), std::to_string(port)},
                      {.url = StrCat("http://127.0.0.1:", port, "/")});
    const HttpResponse echoed = *client->Fetch(
        {.url = server.Url("echo"), .method = "POST", .body = std::string(1'000'000, 'x')});
    EXPECT_EQ(echoed.body.size(), 1'000'000);
    EXPECT_EQ(server.Ask()->trailers.at(0).second, "7");
    TryOut(server, large);
    client->CloseIdle();
  });
}

}  // namespace
}  // namespace grove::http

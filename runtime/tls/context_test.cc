// The contexts: what they accept, present, and change while connections go on.
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/offload/offload.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/openssl.h"
#include "runtime/tls/session_cache.h"
#include "runtime/tls/stream.h"
#include "runtime/tls/ticket_keys.h"

namespace grove {
namespace {

class TlsContextTest : public HubTest {
 protected:
  TlsCertificateFiles Issue(std::string_view name, const std::string& names,
                            TestCertificateOptions::Key key = TestCertificateOptions::Key::kP256) {
    return authority_.Issue(name, {.common_name = std::string(name), .names = names, .key = key});
  }
  TlsClientContext Client(TlsClientOptions options = {}) {
    options.ca_file = authority_.ca_file();
    return *TlsClientContext::Create(options);
  }
  struct Pair {
    absl::StatusOr<TlsStream> server = absl::UnknownError("no handshake");
    absl::StatusOr<TlsStream> client = absl::UnknownError("no handshake");
  };
  static Pair Shake(const TlsServerContext& server, const TlsClientContext& client,
                    std::string_view host) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    Pair pair;
    auto accepting =
        *Spawn("server", [&] { pair.server = TlsStream::Accept(*Socket::Adopt(fds[0]), server); });
    pair.client = TlsStream::Connect(*Socket::Adopt(fds[1]), client, host);
    EXPECT_TRUE(accepting.Join().ok());
    return pair;
  }
  // Of the certificate that is presented to who asks for `host`.
  std::string SubjectFor(const TlsServerContext& server, std::string_view host) {
    const auto anyone = Client({.verification = TlsVerification::kDangerouslyAcceptAnyServer});
    return Shake(server, anyone, host).client->peer_certificate()->subject;
  }
  // Whether a second connection to `second` resumes what `first` began.
  bool Resumes(const TlsServerContext& first, const TlsServerContext& second,
               const TlsClientOptions& options = {}) {
    const TlsClientContext client = Client(options);
    Pair pair = Shake(first, client, "example.org");
    char byte[1];
    EXPECT_TRUE(pair.server->Write("s").ok());  // the tickets come along
    EXPECT_EQ(*pair.client->Read(byte), 1u);
    return Shake(second, client, "example.org").client->resumed();
  }
  // As Resumes(), with a client that asks for another name the second time; empty: for none.
  static bool ResumesUnderNames(const TlsServerContext& server, int version,
                                const std::string& first, const std::string& second) {
    SslContextPtr context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(context.get(), version);
    SessionPtr session;
    bool resumed = false;
    for (const std::string& name : {first, second}) {
      int fds[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
      auto accepting = *Spawn("server", [&] {
        auto stream = TlsStream::Accept(*Socket::Adopt(fds[0]), server);
        EXPECT_TRUE(stream.ok() && stream->Write("s").ok());  // the tickets come along
      });
      // A client that blocks has a thread of its own.
      OffloadPool thread({.threads = 1});
      EXPECT_TRUE(thread
                      .Run([&] {
                        SslPtr ssl(SSL_new(context.get()));
                        SSL_set_fd(ssl.get(), fds[1]);
                        if (!name.empty()) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
                        if (session != nullptr) SSL_set_session(ssl.get(), session.get());
                        char byte = 0;
                        EXPECT_EQ(SSL_connect(ssl.get()), 1);
                        EXPECT_EQ(SSL_read(ssl.get(), &byte, 1), 1);
                        resumed = SSL_session_reused(ssl.get()) == 1;
                        session.reset(SSL_get1_session(ssl.get()));
                        SSL_set_shutdown(ssl.get(),
                                         SSL_SENT_SHUTDOWN);  // else it must not be resumed
                        close(fds[1]);
                      })
                      .ok());
      EXPECT_TRUE(accepting.Join().ok());
    }
    return resumed;
  }
  static void ExpectMessage(const absl::Status& status, std::string_view part) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(std::string(status.message()).find(part), std::string::npos) << status;
  }

  TestAuthority authority_{"authority"};
  const TlsCertificateFiles certificate_ = Issue("server", "DNS:example.org");
};

TEST_F(TlsContextTest, NamesTheFileThatIsWrongAndWhy) {
  const auto create = [](TlsCertificateFiles files) {
    return TlsServerContext::Create({.certificates = {std::move(files)}}).status();
  };
  const absl::Status missing = create({.chain = "/nowhere.pem", .key = certificate_.key});
  EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
  ExpectMessage(create({.chain = certificate_.key, .key = certificate_.key}),
                "server.key: has no PEM certificate");
  ExpectMessage(create({.chain = certificate_.chain, .key = certificate_.chain}),
                "server.pem: has no usable PEM private key");
  ExpectMessage(create({.chain = certificate_.chain, .key = Issue("other", "").key}),
                "other.key: not the key of the first certificate in");
  const std::string broken = authority_.WriteFile(
      "broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  ExpectMessage(create({.chain = broken, .key = certificate_.key}), "broken: not a chain");
  const std::string locked = authority_.WriteFile(
      "locked",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
  ExpectMessage(create({.chain = certificate_.chain, .key = locked}), "locked: the private key is");
}

TEST_F(TlsContextTest, ChecksItsOptions) {
  const auto refused = [&](auto change, std::string_view why) {
    TlsServerOptions options{.certificates = {certificate_}};
    change(options);
    ExpectMessage(TlsServerContext::Create(options).status(), why);
  };
  refused([](auto& o) { o.certificates.clear(); }, "needs a certificate");
  refused([](auto& o) { o.certificates[0].names = {"a.*.org"}; }, "a.*.org");
  refused([](auto& o) { o.alpn = {""}; }, "ALPN");
  refused([](auto& o) { o.client_certificate = TlsClientCertificate::kOptional; }, "client_ca");
  refused([](auto& o) { o.ciphers = "ROT13"; }, "ROT13");
  refused([](auto& o) { o.ticket_keys = "short"; }, "5 bytes");
  refused([](auto& o) { o.session_lifetime = absl::Hours(169); }, "7 days");
  ExpectMessage(TlsClientContext::Create({.ca_file = certificate_.key}).status(), "server.key");
  ExpectMessage(TlsClientContext::Create({.alpn = {std::string(256, 'a')}}).status(), "256 bytes");
}

TEST_F(TlsContextTest, WarnsOfCertificatesThatWillHardlyWork) {
  const auto old = authority_.Issue("old", {.common_name = "old", .valid_until = -absl::Hours(1)});
  const TlsServerContext server = *TlsServerContext::Create({.certificates = {certificate_, old}});
  const absl::Time not_after = server.certificates()[0].not_after;
  const std::vector<std::string> now = server.Warnings(not_after);
  ASSERT_EQ(now.size(), 2u);
  EXPECT_NE(now[0].find("old.pem: certificate \"CN=old\" expired on 20"), std::string::npos);
  EXPECT_NE(now[1].find("names no host"), std::string::npos);
  EXPECT_EQ(server.Warnings(not_after + absl::Seconds(1)).size(), 3u);
  EXPECT_EQ(server.Warnings(server.certificates()[0].not_before - absl::Seconds(1)).size(), 3u);
}

TEST_F(TlsContextTest, TellsACommonNameOnlyIfThereIsOne) {
  const auto common_name = [&](const TestCertificateOptions& options) {
    const auto files = authority_.Issue("named", options);
    return TlsServerContext::Create({.certificates = {files}})->certificates()[0].common_name;
  };
  EXPECT_EQ(common_name({.common_name = "J\xc3\xbcrgen, Ltd"}), "J\xc3\xbcrgen, Ltd");
  EXPECT_EQ(common_name({.common_name = ""}), "");
  EXPECT_EQ(common_name({.common_name = "a", .second_common_name = "b"}), "");
}

TEST_F(TlsContextTest, PicksTheCertificateByName) {
  Run([&] {
    TlsCertificateFiles given = Issue("given", "DNS:unused.org");
    given.names = {"Given.org"};
    const TlsServerContext server = *TlsServerContext::Create(
        {.certificates = {certificate_, Issue("wild", "DNS:*.example.net,DNS:example.net"),
                          Issue("exact", "DNS:a.example.net"), given}});
    EXPECT_EQ(SubjectFor(server, "example.org"), "CN=server");
    EXPECT_EQ(SubjectFor(server, "example.net"), "CN=wild");
    EXPECT_EQ(SubjectFor(server, "B.example.net"), "CN=wild");
    EXPECT_EQ(SubjectFor(server, "a.example.net"), "CN=exact");
    EXPECT_EQ(SubjectFor(server, "a.b.example.net"), "CN=server");
    EXPECT_EQ(SubjectFor(server, "given.org"), "CN=given");
    EXPECT_EQ(SubjectFor(server, "unused.org"), "CN=server");
    EXPECT_EQ(SubjectFor(server, "10.0.0.1"), "CN=server");
  });
}

TEST_F(TlsContextTest, OneNameMayHaveKeysOfTwoTypes) {
  Run([&] {
    const auto rsa = Issue("rsa", "DNS:example.org", TestCertificateOptions::Key::kRsa2048);
    // Clients prefer ECDSA, so only its presence can have decided in both orders.
    for (const auto& both : {std::vector{certificate_, rsa}, std::vector{rsa, certificate_}}) {
      const TlsServerContext server = *TlsServerContext::Create({.certificates = both});
      EXPECT_EQ(SubjectFor(server, "example.org"), "CN=server");
    }
  });
}

TEST_F(TlsContextTest, AReloadServesNewConnectionsAndLeavesOldOnesAlone) {
  Run([&] {
    TlsServerContext server = *TlsServerContext::Create({.certificates = {certificate_}});
    Pair before = Shake(server, Client(), "example.org");
    authority_.Issue("server", {.common_name = "renewed", .names = "DNS:example.org"});
    EXPECT_TRUE(server.Reload().ok());
    EXPECT_EQ(SubjectFor(server, "example.org"), "CN=renewed");
    authority_.WriteFile("server.pem", "nothing");
    ExpectMessage(server.Reload(), "server.pem");
    EXPECT_EQ(SubjectFor(server, "example.org"), "CN=renewed");
    EXPECT_TRUE(before.client->Write("still").ok());
    std::string got(5, '\0');
    EXPECT_TRUE(before.server->ReadFull(got).ok());
    EXPECT_EQ(before.client->peer_certificate()->subject, "CN=server");
  });
}

TEST_F(TlsContextTest, ConnectionsOutliveTheirContexts) {
  Run([&] {
    Pair pair =
        Shake(*TlsServerContext::Create({.certificates = {certificate_}}), Client(), "example.org");
    char byte[1];
    EXPECT_TRUE(pair.server->Write("x").ok());
    EXPECT_EQ(*pair.client->Read(byte), 1u);
  });
}

TEST_F(TlsContextTest, SharedTicketKeysResumeAcrossWorkersAndRotate) {
  Run([&] {
    const std::string old_key = *TlsTicketKeys::Generate();
    const std::string new_key = *TlsTicketKeys::Generate();
    const auto worker = [&](const std::string& keys) {
      return *TlsServerContext::Create({.certificates = {certificate_}, .ticket_keys = keys});
    };
    TlsServerContext rotated = worker(old_key);
    EXPECT_TRUE(Resumes(worker(old_key), rotated));
    EXPECT_TRUE(rotated.SetTicketKeys(new_key + old_key).ok());
    EXPECT_TRUE(Resumes(worker(old_key), rotated));
    EXPECT_TRUE(rotated.Reload().ok());
    EXPECT_TRUE(Resumes(rotated, worker(new_key)));
    EXPECT_FALSE(Resumes(rotated, worker(old_key)));
    EXPECT_FALSE(Resumes(worker(""), worker("")));
    ExpectMessage(rotated.SetTicketKeys(""), "0 bytes");
  });
}

TEST_F(TlsContextTest, OtherDemandsOnClientsAreNotMetByAnOldSession) {
  Run([&] {
    const std::string key = *TlsTicketKeys::Generate();
    const TlsServerContext lax =
        *TlsServerContext::Create({.certificates = {certificate_}, .ticket_keys = key});
    const TlsServerContext strict =
        *TlsServerContext::Create({.certificates = {certificate_},
                                   .client_certificate = TlsClientCertificate::kOptional,
                                   .client_ca_file = authority_.ca_file(),
                                   .ticket_keys = key});
    const TlsClientOptions me{.certificate = Issue("me", "")};
    EXPECT_FALSE(Resumes(lax, strict, me));
    EXPECT_TRUE(Resumes(strict, strict, me));
  });
}

TEST_F(TlsContextTest, ARevokedClientIsRefusedAlsoWithAnOldSession) {
  Run([&] {
    const TlsClientOptions me{.certificate = Issue("me", "")};
    const TlsClientOptions other{.certificate = Issue("other", "")};
    const auto server = [&](const std::string& lists, const std::string& key) {
      return *TlsServerContext::Create({.certificates = {certificate_},
                                        .client_certificate = TlsClientCertificate::kOptional,
                                        .client_ca_file = authority_.ca_file(),
                                        .client_crl_file = lists,
                                        .ticket_keys = key});
    };
    const std::string key = *TlsTicketKeys::Generate();
    const std::string none = authority_.Revoke("none", {});
    const std::string one = authority_.Revoke("one", {*me.certificate});
    EXPECT_TRUE(Shake(server(none, key), Client(me), "example.org").server.ok());
    EXPECT_TRUE(Shake(server(one, key), Client(other), "example.org").server.ok());
    EXPECT_TRUE(Shake(server(one, key), Client(), "example.org").server.ok()) << "it shows none";
    const auto refusal = [&](const std::string& lists, const TlsClientOptions& who) {
      return Shake(server(lists, key), Client(who), "example.org").server.status().ToString();
    };
    EXPECT_THAT(refusal(one, me), testing::HasSubstr("certificate revoked"));
    EXPECT_TRUE(Resumes(server(none, key), server(none, key), me));
    EXPECT_FALSE(Resumes(server(none, key), server(one, key), other)) << "it was checked by others";
    const std::string late = authority_.Revoke("late", {}, -absl::Hours(1));
    EXPECT_THAT(refusal(late, other), testing::HasSubstr("CRL has expired"));
    EXPECT_EQ(server(late, key).Warnings(absl::Now()).size(), 1);
  });
}

TEST_F(TlsContextTest, Tls13CanBeDemanded) {
  Run([&] {
    const TlsServerContext server =
        *TlsServerContext::Create({.certificates = {certificate_}, .version_min = TlsVersion::k13});
    EXPECT_EQ(Shake(server, Client(), "example.org").client->version(), "TLSv1.3");
  });
}

// Another TLS client and HTTP over it.
TEST_F(TlsContextTest, CurlSpeaksToIt) {
  OffloadPool pool({.threads = 1});
  Run([&] {
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    const TlsServerContext server =
        *TlsServerContext::Create({.certificates = {certificate_}, .alpn = {"http/1.1"}});
    auto serving = *Spawn("server", [&] {
      absl::StatusOr<TlsStream> stream = TlsStream::Accept(*listener.Accept(), server);
      ASSERT_TRUE(stream.ok()) << stream.status();
      EXPECT_EQ(stream->alpn(), "http/1.1");
      BufferedReader reader(*stream);
      while (!reader.ReadLine()->empty()) continue;
      EXPECT_TRUE(stream->Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok());
    });
    const std::string port = std::to_string(SocketAddress::OfLocal(listener.fd()).port());
    std::string body;
    CURLcode code = CURLE_FAILED_INIT;
    EXPECT_TRUE(pool.Run([&] {
                      CURL* curl = curl_easy_init();
                      curl_slist* resolve = curl_slist_append(
                          nullptr, absl::StrCat("example.org:", port, ":127.0.0.1").c_str());
                      curl_easy_setopt(curl, CURLOPT_URL,
                                       absl::StrCat("https://example.org:", port).c_str());
                      curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve);
                      curl_easy_setopt(curl, CURLOPT_CAINFO, authority_.ca_file().c_str());
                      curl_easy_setopt(curl, CURLOPT_PROXY, "");
                      curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
                      curl_easy_setopt(
                          curl, CURLOPT_WRITEFUNCTION,
                          +[](char* bytes, size_t size, size_t count, std::string* out) {
                            out->append(bytes, size * count);
                            return size * count;
                          });
                      code = curl_easy_perform(curl);
                      curl_slist_free_all(resolve);
                      curl_easy_cleanup(curl);
                    })
                    .ok());
    EXPECT_EQ(code, CURLE_OK) << curl_easy_strerror(code);
    EXPECT_EQ(body, "ok");
    EXPECT_TRUE(serving.Join().ok());
  });
  pool.Stop();
}

SessionPtr NewSession(int version) {
  SessionPtr session(SSL_SESSION_new());
  SSL_SESSION_set_protocol_version(session.get(), version);
  return session;
}

TEST(TlsSessionCache, ForgetsTheHostNotUsedForLongest) {
  TlsSessionCache cache(2);
  cache.Put("a", NewSession(TLS1_2_VERSION));
  cache.Put("b", NewSession(TLS1_2_VERSION));
  EXPECT_NE(cache.Take("a"), nullptr);
  cache.Put("c", NewSession(TLS1_2_VERSION));
  EXPECT_EQ(cache.hosts(), 2u);
  EXPECT_EQ(cache.Take("b"), nullptr);
  EXPECT_NE(cache.Take("a"), nullptr);
}

TEST(TlsSessionCache, GivesTls13SessionsOutOnceAndOthersAgain) {
  TlsSessionCache cache(10);
  for (int i = 0; i < 3; ++i) cache.Put("new", NewSession(TLS1_3_VERSION));
  EXPECT_NE(cache.Take("new"), nullptr);
  EXPECT_NE(cache.Take("new"), nullptr);
  EXPECT_EQ(cache.Take("new"), nullptr);
  cache.Put("old", NewSession(TLS1_2_VERSION));
  EXPECT_NE(cache.Take("old"), nullptr);
  EXPECT_NE(cache.Take("old"), nullptr);
}

TEST_F(TlsContextTest, ASessionIsResumedUnderItsOwnNameAlone) {
  Run([&] {
    const TlsServerContext server = *TlsServerContext::Create(
        {.certificates = {Issue("names", "DNS:a.example,DNS:b.example")}});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      EXPECT_TRUE(ResumesUnderNames(server, version, "a.example", "a.example")) << version;
      EXPECT_TRUE(ResumesUnderNames(server, version, "a.example", "A.Example")) << version;
      EXPECT_TRUE(ResumesUnderNames(server, version, "", "")) << version;
      EXPECT_FALSE(ResumesUnderNames(server, version, "a.example", "b.example")) << version;
      EXPECT_FALSE(ResumesUnderNames(server, version, "a.example", "")) << version;
      EXPECT_FALSE(ResumesUnderNames(server, version, "", "a.example")) << version;
      EXPECT_FALSE(ResumesUnderNames(server, version, "none.example", "a.example")) << version;
    }
  });
}

TEST_F(TlsContextTest, AnUnknownGroupIsNamed) {
  const auto create = [&](std::vector<std::string> groups) {
    return TlsServerContext::Create({.certificates = {certificate_}, .groups = std::move(groups)})
        .status();
  };
  EXPECT_TRUE(create({}).ok());
  EXPECT_TRUE(create({"X25519", "P-521", "ffdhe2048"}).ok());
  ExpectMessage(create({"X25519", "X25518"}), "groups: \"X25518\": no group that OpenSSL knows");
  ExpectMessage(create({""}), "groups: \"\"");
  ExpectMessage(create({"X25519:P-256"}), "groups: \"X25519:P-256\"");
}

// A client that takes nothing but `group`.
absl::Status ShakeInGroup(const TlsServerContext& server, const char* group) {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  absl::Status accepted;
  auto accepting = *Spawn("server", [&] {
    auto stream = TlsStream::Accept(*Socket::Adopt(fds[0]), server);
    accepted = stream.ok() ? stream->Write("s") : stream.status();
  });
  OffloadPool thread({.threads = 1});
  EXPECT_TRUE(thread
                  .Run([&] {
                    SslContextPtr context(SSL_CTX_new(TLS_client_method()));
                    EXPECT_EQ(SSL_CTX_set1_groups_list(context.get(), group), 1);
                    SslPtr ssl(SSL_new(context.get()));
                    SSL_set_fd(ssl.get(), fds[1]);
                    char byte = 0;
                    if (SSL_connect(ssl.get()) == 1) SSL_read(ssl.get(), &byte, 1);
                    close(fds[1]);
                  })
                  .ok());
  EXPECT_TRUE(accepting.Join().ok());
  return accepted;
}

TEST_F(TlsContextTest, DearGroupsAreForWhoNamesThem) {
  Run([&] {
    const TlsServerContext usual = *TlsServerContext::Create({.certificates = {certificate_}});
    for (const char* group : {"X25519", "P-256", "P-384"}) {
      EXPECT_TRUE(ShakeInGroup(usual, group).ok()) << group;
    }
    for (const char* group : {"ffdhe2048", "ffdhe8192", "P-521"}) {
      EXPECT_FALSE(ShakeInGroup(usual, group).ok()) << group;
    }
    const TlsServerContext other =
        *TlsServerContext::Create({.certificates = {certificate_}, .groups = {"P-521"}});
    EXPECT_TRUE(ShakeInGroup(other, "P-521").ok());
    EXPECT_FALSE(ShakeInGroup(other, "X25519").ok());
  });
}

}  // namespace
}  // namespace grove

#include "server/admin/admin_port.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/socket.h"
#include "runtime/tls/fixture.h"
#include "server/http/serving/server_fixture.h"

namespace grove::admin {
namespace {

constexpr char kSecret[] = "0123456789abcdef";

class AdminPortTest : public testing::Test {
 protected:
  AdminPortTest() {
    char pattern[] = "/tmp/grove-admin-XXXXXX";
    folder_ = mkdtemp(pattern);
    config_.set_listen("127.0.0.1:0");
    config_.set_connections_max(16);
  }
  ~AdminPortTest() override { std::filesystem::remove_all(folder_); }

  config::v1::Token& AddToken() {
    const std::string path = folder_ + "/token";
    std::ofstream(path) << kSecret << "\n";
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    config::v1::Token* token = config_.add_tokens();
    token->set_name("prometheus");
    token->set_secret_file(path);
    token->set_role(config::v1::Token::ROLE_READ);
    return *token;
  }

  // Runs `body` beside the port, on invented time.
  void Run(const std::function<void(AdminPort&)>& body) {
    HubOptions options;
    options.clock = &clock_;
    options.poller = std::make_unique<FakePoller>(clock_);
    auto hub = Hub::Create(std::move(options));
    ASSERT_TRUE(hub.ok());
    OffloadPool offload({.threads = 1});
    RunOn(**hub, [&]() -> absl::Status {
      auto port = AdminPort::Open(config_);
      if (!port.ok()) return port.status();
      absl::Status started = (*port)->Start(
          {.metrics = [] { return std::string("up 1\n"); },
           .metrics_for =
               [](std::string_view tenant) { return "of " + std::string(tenant) + "\n"; },
           .metrics_content_type = "text/plain",
           .live = [] { return Health(); },
           .ready = [] { return Health(); },
           .debug = {{.name = "all", .what = "", .make = [](auto&) { return Json("all"); }},
                     {.name = "some",
                      .what = "",
                      .make = [](auto&) { return Json("all"); },
                      .make_for = [](auto&, auto tenant) { return Json(std::string(tenant)); }}}},
          offload);
      if (!started.ok()) return started;
      body(**port);
      (*port)->Drain();
      port_ = *std::move(port);
      return absl::OkStatus();
    });
    port_.reset();
    offload.Stop();
  }

  static http::Client Connect(const AdminPort& port) {
    return http::Client(*Socket::Connect(*SocketAddress::Parse(port.address())));
  }
  static std::string Ask(const AdminPort& port, std::string_view path, std::string_view fields) {
    http::Client client = Connect(port);
    client.Send(absl::StrCat("GET ", std::string(path), " HTTP/1.1\r\nHost: a\r\n",
                             std::string(fields), "Connection: close\r\n\r\n"));
    return client.ReadAll();
  }

  FakeClock clock_;
  std::string folder_;
  config::v1::Admin config_;
  std::unique_ptr<AdminPort> port_;
};

TEST_F(AdminPortTest, IsOpenWithoutTokens) {
  Run([](AdminPort& port) {
    EXPECT_TRUE(absl::StrContains(Ask(port, "/metrics", ""), "up 1\n"));
    EXPECT_EQ(port.refused_tokens(), 0u);
  });
}

TEST_F(AdminPortTest, WantsATokenOfWhoeverReadsMetricsAndNoneOfProbes) {
  AddToken();
  Run([](AdminPort& port) {
    EXPECT_TRUE(absl::StrContains(Ask(port, "/livez", ""), " 200 "));
    EXPECT_TRUE(absl::StrContains(Ask(port, "/", ""), " 200 "));
    const std::string none = Ask(port, "/metrics", "");
    EXPECT_TRUE(absl::StrContains(none, " 401 ")) << none;
    EXPECT_TRUE(absl::StrContains(none, "WWW-Authenticate: Bearer realm=")) << none;
    EXPECT_TRUE(absl::StrContains(Ask(port, "/metrics", "Authorization: Bearer wrong\r\n"),
                                  "error=\"invalid_token\""));
    EXPECT_EQ(port.refused_tokens(), 2u);
    const std::string right =
        Ask(port, "/metrics", absl::StrCat("Authorization: Bearer ", kSecret, "\r\n"));
    EXPECT_TRUE(absl::StrContains(right, " 200 ")) << right;
  });
}

TEST_F(AdminPortTest, ATenantsTokenShowsWhatIsTheTenants) {
  AddToken().set_tenant("acme");
  Run([](AdminPort& port) {
    const auto ask = [&](std::string_view path) {
      return Ask(port, path, absl::StrCat("Authorization: Bearer ", kSecret, "\r\n"));
    };
    EXPECT_TRUE(absl::StrContains(ask("/metrics"), "of acme\n")) << ask("/metrics");
    EXPECT_TRUE(absl::StrContains(ask("/debug/some"), "acme")) << ask("/debug/some");
    EXPECT_TRUE(absl::StrContains(ask("/debug/all"), " 403 ")) << ask("/debug/all");
  });
}

TEST_F(AdminPortTest, AnExpiredTokenOpensNothing) {
  AddToken().set_expire_time("2001-01-01T00:00:00Z");
  Run([](AdminPort& port) {
    EXPECT_TRUE(absl::StrContains(
        Ask(port, "/metrics", absl::StrCat("Authorization: Bearer ", kSecret, "\r\n")), " 401 "));
  });
}

TEST_F(AdminPortTest, AnswersAWrongTokenLate) {
  AddToken();
  Run([](AdminPort& port) {
    Hub& hub = *Hub::Current();
    const MonotonicNanos before = hub.ReadClock();
    Ask(port, "/metrics", "");
    EXPECT_GE(hub.ReadClock() - before, absl::ToInt64Nanoseconds(kRefusedAnswerDelay));
  });
}

TEST_F(AdminPortTest, HoldsUpNoMoreThanAShareOfItsConnections) {
  AddToken();
  Run([this](AdminPort& port) {
    std::vector<http::Client> held;
    for (int i = 0; i < config_.connections_max() / kDelayedShare; ++i) {
      held.push_back(Connect(port));
      held.back().Send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    while (port.refused_tokens() < held.size()) Yield();
    Hub& hub = *Hub::Current();
    const MonotonicNanos before = hub.ReadClock();
    EXPECT_TRUE(absl::StrContains(Ask(port, "/metrics", ""), " 401 "));
    EXPECT_LT(hub.ReadClock() - before, absl::ToInt64Nanoseconds(kRefusedAnswerDelay));
    for (http::Client& client : held) client.ReadOnce();
  });
}

TEST_F(AdminPortTest, SpeaksTlsAlone) {
  TestAuthority authority("authority");
  const TlsCertificateFiles files = authority.Issue("a", {.common_name = "admin"});
  config_.mutable_tls()->set_certificate_file(files.chain);
  config_.mutable_tls()->set_key_file(files.key);
  Run([](AdminPort& port) { EXPECT_FALSE(absl::StrContains(Ask(port, "/livez", ""), " 200 ")); });
}

TEST_F(AdminPortTest, NamesTheFileThatItCannotUse) {
  config_.mutable_tls()->set_certificate_file(folder_ + "/none");
  config_.mutable_tls()->set_key_file(folder_ + "/none");
  const absl::Status tls = AdminPort::Open(config_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(tls)) << tls;
  EXPECT_TRUE(absl::StartsWith(tls.message(), "admin.tls: ")) << tls;
  config_.clear_tls();
  config_.add_tokens()->set_secret_file(folder_ + "/none");
  const absl::Status token = AdminPort::Open(config_).status();
  EXPECT_TRUE(absl::StartsWith(token.message(), "admin.tokens: ")) << token;
}

}  // namespace
}  // namespace grove::admin

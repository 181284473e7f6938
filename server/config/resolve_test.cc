#include "server/config/resolve.h"

#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace grove::config {
namespace {

using config::v1::Config;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Environment TestEnvironment() {
  Environment environment;
  environment.home = "/home/u";
  environment.working_directory = "/work dir";
  environment.cpus = 6;
  return environment;
}

Config FromText(const std::string& text) {
  Config config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

absl::StatusOr<Config> Try(const std::string& text, const DaemonFlags& flags = {}) {
  return Resolve(flags, FromText(text), TestEnvironment());
}

Config Good(const std::string& text, const DaemonFlags& flags = {}) {
  const absl::StatusOr<Config> config = Try(text, flags);
  EXPECT_TRUE(config.ok()) << text << ": " << config.status();
  return config.ok() ? *config : Config();
}

std::string ErrorOf(const std::string& text, const DaemonFlags& flags = {}) {
  const absl::StatusOr<Config> config = Try(text, flags);
  return config.ok() ? "no error" : std::string(config.status().message());
}

// A file below the test's directory; names it.
std::string File(const std::string& name, const std::string& text, mode_t mode = 0600) {
  std::string path = ::testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::trunc) << text;
  EXPECT_EQ(chmod(path.c_str(), mode), 0);
  return path;
}

std::string Token(const std::string& name, const std::string& secret) {
  return "tokens {name: '" + name + "' role: ROLE_READ secret_file: '" +
         File("secret-" + name, secret) + "'} ";
}

// As Token(), with more fields.
std::string TokenWith(const std::string& fields) {
  const std::string token = Token("a", "0123456789abcdef");
  return token.substr(0, token.rfind('}')) + " " + fields + "} ";
}

std::string TlsSection() {
  return "tls {certificate_file: '" + File("cert", "x", 0644) + "' key_file: '" + File("key", "x") +
         "'} ";
}

TEST(Resolve, SaysEverythingThatIsWrong) {
  DaemonFlags flags;
  flags.workers = 999;
  EXPECT_EQ(ErrorOf("http {listen: 'x' routes {method: 'get' path: 'b'}} log {level: 'loud'} "
                    "tenants {name: 'A' queues {name: 'q' pool: 'none'}}",
                    flags)
                .substr(0, 11),
            "--workers: ");
  const std::string error = ErrorOf(
      "http {listen: 'x' routes {method: 'get' path: 'b'}} log {level: 'loud'} "
      "tenants {name: 'A' queues {name: 'q' pool: 'none'}}");
  for (const char* key : {"http.listen: ", "http.routes[0].method: ", "http.routes[0].path: ",
                          "http.routes[0].function: ", "log.level: ", "tenants[0].name: ",
                          "tenants[0].queues[0].pool: ", "\n7 errors"}) {
    EXPECT_THAT(error, HasSubstr(key));
  }
}

TEST(Resolve, WarnsOfWhatIsLegalAndHardlyMeant) {
  Problems problems;
  Resolve({},
          FromText("runtime {stuck_ms: 5000 stuck_kill_ms: 10} "
                   "tenants {name: 'a' pools {name: 'p'}}"),
          TestEnvironment(), &problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_THAT(problems.Warnings(),
              ::testing::UnorderedElementsAre(
                  HasSubstr("runtime.stuck_kill_ms: 10 is less than runtime.stuck_ms"),
                  "tenants[0].pools[0]: no queue of tenant 'a' feeds pool 'p'"));
}

TEST(Resolve, FillsEveryDefault) {
  const Config config = Good("");
  EXPECT_EQ(config.http().listen(), "127.0.0.1:8090");
  EXPECT_EQ(config.control().listen(), "127.0.0.1:8091");
  EXPECT_EQ(config.admin().listen(), "127.0.0.1:8092");
  EXPECT_EQ(config.workers(), 6);
  EXPECT_EQ(config.drain_timeout_ms(), 30'000);
  EXPECT_EQ(config.http().body_max_bytes(), 8'388'608);
  EXPECT_EQ(config.fetch().redirects_max(), 5);
  EXPECT_EQ(config.tasks().retention_ms(), 3'600'000);
  EXPECT_EQ(config.backdoor().memory_max_bytes(), 16'777'216);
  EXPECT_EQ(config.runtime().fibers_max(), 1'000'000);
  EXPECT_EQ(config.runtime().stack_bytes(), 0);
  EXPECT_EQ(config.log().format(), config::v1::Log::FORMAT_TEXT);
  EXPECT_EQ(config.log().level(), "info");
  EXPECT_FALSE(config.control().has_tls());
}

TEST(Resolve, AddsTheDefaultTenantWithQueueAndPool) {
  const Config config = Good("tenants {name: 'acme'}");
  ASSERT_EQ(config.tenants_size(), 2);
  for (const config::v1::Tenant& tenant : config.tenants()) {
    ASSERT_EQ(tenant.queues_size(), 1);
    EXPECT_EQ(tenant.queues(0).name(), "default");
    EXPECT_EQ(tenant.queues(0).pool(), "default");
    EXPECT_EQ(tenant.queues(0).order(), config::v1::Queue::ORDER_FIFO);
    EXPECT_EQ(tenant.queues(0).depth_max(), 1'000'000);
    ASSERT_EQ(tenant.pools_size(), 1);
    EXPECT_EQ(tenant.pools(0).size(), 1'000);
  }
  EXPECT_EQ(config.tenants(1).name(), "default");
}

TEST(Resolve, AddsNothingToATenantThatListsItsQueuesAndPools) {
  const Config config =
      Good("tenants {name: 'a' queues {name: 'q' pool: 'p'} pools {name: 'p' size: 2}}");
  EXPECT_EQ(config.tenants(0).queues_size(), 1);
  EXPECT_EQ(config.tenants(0).pools_size(), 1);
  EXPECT_EQ(config.tenants(0).pools(0).size(), 2);
}

TEST(Resolve, IsStableOnItsOwnResult) {
  const Config once = Good("tenants {name: 'a' queues {name: 'q'}}");
  EXPECT_EQ(Resolve({}, once, TestEnvironment())->SerializeAsString(), once.SerializeAsString());
}

TEST(Resolve, PutsFlagsOverTheFile) {
  DaemonFlags flags;
  flags.http = "localhost:1";
  flags.control = "unix:/c";
  flags.admin = "[::1]:3";
  flags.workers = 2;
  flags.state_dir = "/s";
  flags.run_dir = "/r";
  flags.log_format = "json";
  flags.log_level = "ERROR";
  flags.drain_timeout_ms = 9;
  const Config config = Good(
      "http {listen: 'bad'} control {listen: 'bad'} admin {listen: 'bad'} workers: 4 "
      "state_dir: '/x' run_dir: '/y' log {format: FORMAT_TEXT level: 'bad'} drain_timeout_ms: 7",
      flags);
  EXPECT_EQ(config.http().listen(), "127.0.0.1:1");
  EXPECT_EQ(config.control().listen(), "unix:/c");
  EXPECT_EQ(config.admin().listen(), "[::1]:3");
  EXPECT_EQ(config.workers(), 2);
  EXPECT_EQ(config.state_dir() + config.run_dir(), "/s/r");
  EXPECT_EQ(config.log().format(), config::v1::Log::FORMAT_JSON);
  EXPECT_EQ(config.log().level(), "error");
  EXPECT_EQ(config.drain_timeout_ms(), 9);
}

TEST(Resolve, ChecksNumbersOnBothSidesOfTheirBounds) {
  DaemonFlags flags;
  for (const int64_t good : {1, 256}) {
    flags.workers = good;
    EXPECT_EQ(Good("", flags).workers(), good);
  }
  for (const int64_t bad : {-1, 0, 257}) {
    flags.workers = bad;
    EXPECT_THAT(ErrorOf("", flags), HasSubstr("--workers: "));
    EXPECT_THAT(ErrorOf("", flags), HasSubstr("is not within 1 to 256"));
  }
  DaemonFlags drain;
  drain.drain_timeout_ms = 0;
  EXPECT_THAT(ErrorOf("", drain), HasSubstr("--drain_timeout_ms: 0 is not within 1 to"));
  EXPECT_EQ(ErrorOf("workers: 257"), "workers: 257 is not within 1 to 256");
  EXPECT_THAT(ErrorOf("http {idle_timeout_ms: -1}"), HasSubstr("http.idle_timeout_ms: -1"));
  EXPECT_THAT(ErrorOf("tenants {name: 'a' pools {name: 'p' size: -1}}"),
              HasSubstr("tenants[0].pools[0].size: -1 is not within"));
  EXPECT_EQ(ErrorOf("runtime {stack_bytes: 16384}"), "no error");
  EXPECT_THAT(ErrorOf("runtime {stack_bytes: 16383}"), HasSubstr("runtime.stack_bytes: 16383"));
}

TEST(Resolve, BoundsTheDefaultNumberOfWorkers) {
  Environment environment = TestEnvironment();
  environment.cpus = 300;
  EXPECT_EQ(Resolve({}, {}, environment)->workers(), 256);
}

TEST(Resolve, AShareOfTheMemoryAllowedIsForTasks) {
  const auto share = [](int64_t allowed) {
    Environment environment = TestEnvironment();
    environment.memory_bytes = allowed;
    return Resolve({}, Config(), environment)->tasks().memory_max_bytes();
  };
  EXPECT_EQ(share(400 << 20), 100 << 20);
  EXPECT_EQ(share(INT64_MAX), int64_t{2} << 30);
  EXPECT_EQ(share(0), 1 << 20);
  EXPECT_EQ(Good("tasks {memory_max_bytes: 5000000}").tasks().memory_max_bytes(), 5000000);
}

TEST(Resolve, AZeroThatMeansNeverIsNoDefault) {
  EXPECT_EQ(Good("").runtime().stuck_kill_ms(), 30'000);
  EXPECT_EQ(Good("runtime {stuck_kill_ms: 0}").runtime().stuck_kill_ms(), 0);
  EXPECT_EQ(Good("runtime {stuck_ms: 0}").runtime().stuck_ms(), 5'000);
  EXPECT_THAT(ErrorOf("runtime {stuck_kill_ms: -1}"), HasSubstr("runtime.stuck_kill_ms"));
}

TEST(Resolve, FindsDirectoriesAsXdgSays) {
  const struct {
    const char* state_home;
    const char* runtime_dir;
    const char* text;
    const char* state_dir;
    const char* run_dir;
  } kCases[] = {
      {"", "", "", "/home/u/.local/state/grove", "/home/u/.local/state/grove/run"},
      {"/st", "", "", "/st/grove", "/st/grove/run"},
      {"", "/run/user/1", "", "/home/u/.local/state/grove", "/run/user/1/grove"},
      {"relative", "relative", "", "/home/u/.local/state/grove", "/home/u/.local/state/grove/run"},
      {"/st", "/rt", "state_dir: '/a/' run_dir: '/b//c/'", "/a", "/b/c"},
      {"/st", "", "state_dir: 'd/../e'", "/work dir/e", "/work dir/e/run"},
  };
  for (const auto& c : kCases) {
    Environment environment = TestEnvironment();
    environment.state_home = c.state_home;
    environment.runtime_dir = c.runtime_dir;
    const absl::StatusOr<Config> config = Resolve({}, FromText(c.text), environment);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->state_dir(), c.state_dir);
    EXPECT_EQ(config->run_dir(), c.run_dir);
  }
}

TEST(Resolve, NeedsAHomeOrAStateDirectory) {
  Environment environment = TestEnvironment();
  environment.home = "";
  EXPECT_THAT(std::string(Resolve({}, {}, environment).status().message()),
              HasSubstr("state_dir: no default, since neither XDG_STATE_HOME nor HOME is set"));
  EXPECT_TRUE(Resolve({}, FromText("state_dir: '/s'"), environment).ok());
}

TEST(Resolve, RefusesARunDirectoryThatLeavesNoRoomForSocketNames) {
  DaemonFlags flags;
  flags.run_dir = "/" + std::string(86, 'x');
  EXPECT_EQ(Good("", flags).run_dir().size() + std::string("/worker-255.backdoor").size(), 107u);
  flags.run_dir = "/" + std::string(87, 'x');
  EXPECT_THAT(ErrorOf("", flags), HasSubstr("has 88 bytes, and at most 87 leave room"));
  EXPECT_THAT(ErrorOf("", flags), HasSubstr("--run_dir: "));
}

TEST(Resolve, RefusesPlainListenersBeyondLoopback) {
  for (const std::string& section : {std::string("http"), std::string("admin")}) {
    for (const char* open : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1"}) {
      const std::string text = section + " {listen: '" + open + "'";
      EXPECT_THAT(ErrorOf(text + "}"), HasSubstr(section + ".listen: " + open + " is reachable"));
      EXPECT_THAT(ErrorOf(text + "}"), HasSubstr(section + ".insecure: true or --insecure"));
      EXPECT_EQ(ErrorOf(text + " insecure: true}"), "no error");
    }
    EXPECT_EQ(ErrorOf(section + " {listen: '127.9.9.9:1'}"), "no error");
  }
}

TEST(Resolve, NamesTheFlagThatABadValueCameFrom) {
  DaemonFlags flags;
  flags.http = "0.0.0.0:1";
  EXPECT_THAT(ErrorOf("", flags), HasSubstr("--http: 0.0.0.0:1 is reachable"));
  flags.http = "nonsense";
  EXPECT_THAT(ErrorOf("", flags), HasSubstr("--http: 'nonsense' is no listen address"));
  EXPECT_THAT(ErrorOf("http {listen: 'x'}"), HasSubstr("http.listen: 'x' is no listen address"));
  DaemonFlags log;
  log.log_format = "xml";
  EXPECT_EQ(ErrorOf("", log), "--log_format: 'xml': want text or json");
  DaemonFlags level;
  level.log_level = "loud";
  EXPECT_THAT(ErrorOf("", level), HasSubstr("--log_level: 'loud': want debug"));
}

TEST(Resolve, NeedsTlsAndTokensForControlBeyondLoopback) {
  const std::string open = "control {listen: '0.0.0.0:1' ";
  const std::string token = Token("ops", "0123456789abcdef");
  EXPECT_THAT(ErrorOf(open + "}"), HasSubstr("without control.tls and control.tokens;"));
  EXPECT_THAT(ErrorOf(open + token + "}"), HasSubstr("without control.tls;"));
  EXPECT_THAT(ErrorOf(open + TlsSection() + "}"), HasSubstr("without control.tokens;"));
  EXPECT_EQ(ErrorOf(open + TlsSection() + token + "}"), "no error");
  EXPECT_EQ(ErrorOf(open + "insecure: true}"), "no error");
}

TEST(Resolve, WhatSaysTheDefaultIsAsWhatSaysNothing) {
  const auto resolved = [](const std::string& text) { return Good(text).DebugString(); };
  EXPECT_EQ(resolved("audit {file: 'audit.log'}"), resolved(""));
  const std::string listener =
      absl::StrCat("http {listeners {address: '127.0.0.1:0' tls {certificates {certificate_file: '",
                   File("cert", "x", 0644), "' key_file: '", File("key", "x"), "'} ");
  EXPECT_EQ(resolved(listener + "version_min: '1.2'}}}"), resolved(listener + "}}}"));
}

TEST(Resolve, TakesCertificatesWithRolesForTokens) {
  const std::string files =
      "certificate_file: '" + File("cert", "x", 0644) + "' key_file: '" + File("key", "x") + "' ";
  const std::string authorities = "client_ca_file: '" + File("ca", "x", 0644) + "' ";
  const std::string role = "roles {certificate: 'CN:ci' role: ROLE_ADMIN} ";
  const std::string open = "control {listen: '0.0.0.0:1' tls {" + files;
  EXPECT_EQ(ErrorOf(open + authorities + role + "}}"), "no error");
  EXPECT_THAT(ErrorOf(open + authorities + "}}"), HasSubstr("without control.tokens"));
  EXPECT_THAT(ErrorOf("control {tls {" + files + role + "}}"),
              HasSubstr("control.tls.client_ca_file: want the authorities of clients' "
                        "certificates, since these have roles"));
  EXPECT_THAT(ErrorOf("control {tls {" + files + "client_certificate: DEMAND_REQUIRED}}"),
              HasSubstr("control.tls.client_ca_file: want the authorities"));
  EXPECT_THAT(ErrorOf("control {tls {" + files + authorities + "client_certificate: DEMAND_NONE}}"),
              HasSubstr("control.tls.client_certificate: want optional or required"));
  EXPECT_THAT(ErrorOf("control {tls {" + files + "client_ca_file: '/none'}}"),
              HasSubstr("control.tls.client_ca_file: /none"));
  const std::string wrong = ErrorOf("control {tls {" + files + authorities +
                                    "roles {certificate: 'ci' tenant: 'acme'}}}");
  EXPECT_THAT(wrong, HasSubstr("control.tls.roles[0].certificate: 'ci': want a name after"));
  EXPECT_THAT(wrong, HasSubstr("control.tls.roles[0].role: want viewer, writer, operator"));
  EXPECT_THAT(wrong, HasSubstr("control.tls.roles[0].tenant: no tenant 'acme'"));
}

TEST(Resolve, NeedsTlsAndTokensForAdminBeyondLoopback) {
  const std::string open = "admin {listen: '0.0.0.0:1' ";
  const std::string token = Token("prometheus", "0123456789abcdef");
  EXPECT_THAT(ErrorOf(open + "}"), HasSubstr("without admin.tls and admin.tokens;"));
  EXPECT_THAT(ErrorOf(open + token + "}"), HasSubstr("without admin.tls;"));
  EXPECT_THAT(ErrorOf(open + TlsSection() + "}"), HasSubstr("without admin.tokens;"));
  EXPECT_EQ(ErrorOf(open + TlsSection() + token + "}"), "no error");
  EXPECT_EQ(ErrorOf("admin {" + token + "}"), "no error");
  EXPECT_THAT(ErrorOf("admin {tls {}}"), HasSubstr("admin.tls: needs both"));
  EXPECT_THAT(ErrorOf("admin {" + Token("a", "short") + "}"),
              HasSubstr("admin.tokens[0].secret_file: "));
}

TEST(Resolve, OpensAllListenersWithInsecure) {
  DaemonFlags flags;
  flags.insecure = true;
  const Config config =
      Good("http {listen: '0.0.0.0:1'} control {listen: '0.0.0.0:2'} admin {listen: '0.0.0.0:3'}",
           flags);
  EXPECT_TRUE(config.http().insecure() && config.control().insecure() && config.admin().insecure());
}

TEST(Resolve, RefusesOneAddressForTwoListeners) {
  EXPECT_EQ(ErrorOf("admin {listen: 'localhost:8090'}"),
            "admin.listen: 127.0.0.1:8090 is taken by http.listen");
  EXPECT_EQ(ErrorOf("http {listen: '127.0.0.1:0'} admin {listen: '127.0.0.1:0'}"), "no error");
  EXPECT_NE(ErrorOf("http {listen: 'unix:/a'} admin {listen: 'unix:/a'}"), "no error");
}

TEST(Resolve, ChecksTlsAndTokenFiles) {
  EXPECT_THAT(ErrorOf("control {tls {}}"), HasSubstr("control.tls: needs both"));
  EXPECT_THAT(ErrorOf("control {tls {certificate_file: '/x'}}"), HasSubstr("needs both"));
  EXPECT_THAT(ErrorOf("control {tls {certificate_file: '/nonexistent' key_file: '/y'}}"),
              HasSubstr("control.tls.certificate_file: /nonexistent"));
  EXPECT_THAT(ErrorOf("control {tokens {name: 'a' secret_file: '/x'}}"),
              HasSubstr("control.tokens[0].role: want viewer, writer, operator, admin or debug"));
  EXPECT_THAT(ErrorOf("admin {tokens {name: 'a' roles: [ROLE_VIEWER, ROLE_DEBUG]}}"),
              AllOf(Not(HasSubstr("role: want")), HasSubstr("secret_file: want a file")));
  EXPECT_THAT(ErrorOf("control {tokens {name: 'a' role: ROLE_READ}}"),
              HasSubstr("control.tokens[0].secret_file: want a file"));
  EXPECT_THAT(ErrorOf("control {" + Token("a", "short") + "}"),
              HasSubstr("control.tokens[0].secret_file: "));
  const std::string both = Token("a", "0123456789abcdef") + Token("b", "0123456789abcdef");
  EXPECT_THAT(ErrorOf("control {" + both + "}"),
              HasSubstr("control.tokens[1].secret_file: another token has the same secret"));
  const std::string twice = Token("a", "0123456789abcdef");
  EXPECT_THAT(ErrorOf("control {" + twice + twice + "}"),
              HasSubstr("control.tokens[1].name: 'a' stands twice"));
}

TEST(Resolve, ChecksWhoseATokenIs) {
  const std::string tenants = "tenants {name: 'acme'} tenants {name: 'globex'} ";
  for (const char* tenant : {"", "acme", "default"}) {
    const std::string token = TokenWith(std::string("tenant: '") + tenant + "'");
    EXPECT_EQ(ErrorOf(absl::StrCat(tenants, "control {", token, "} admin {", token, "}")),
              "no error");
  }
  EXPECT_THAT(ErrorOf(tenants + "control {" + TokenWith("tenant: 'acmee'") + "}"),
              HasSubstr("control.tokens[0].tenant: no tenant 'acmee'; did you mean 'acme'?"));
  EXPECT_THAT(ErrorOf(tenants + "admin {" + TokenWith("tenant: 'x'") + "}"),
              HasSubstr("admin.tokens[0].tenant: no tenant 'x'; known: default, acme, globex"));
}

TEST(Resolve, ChecksUntilWhenATokenHolds) {
  const auto error = [](const std::string& time) {
    return ErrorOf("control {" + TokenWith("expire_time: '" + time + "'") + "}");
  };
  EXPECT_EQ(error("2999-01-31T00:00:00Z"), "no error");
  EXPECT_EQ(error("2999-01-31T00:00:00.5+01:00"), "no error");
  // That it is over is a warning.
  EXPECT_EQ(error("1999-01-31T00:00:00Z"), "no error");
  EXPECT_THAT(error("tomorrow"), HasSubstr("control.tokens[0].expire_time: 'tomorrow' is no time"));
  EXPECT_THAT(error("2999-01-31"), HasSubstr("is no time of RFC 3339"));
}

TEST(Resolve, ChecksNames) {
  for (const std::string& name :
       {std::string("a"), std::string("0"), std::string("a-b_c.d"), std::string(63, 'a')}) {
    EXPECT_EQ(ErrorOf("tenants {name: '" + name + "'}"), "no error");
  }
  for (const std::string& name :
       {std::string(""), std::string("A"), std::string("-a"), std::string("a-"), std::string("a/b"),
        std::string("a b"), std::string(64, 'a')}) {
    EXPECT_THAT(ErrorOf("tenants {name: '" + name + "'}"), HasSubstr("tenants[0].name: "));
  }
}

TEST(Resolve, ChecksTenantsQueuesAndPools) {
  EXPECT_THAT(ErrorOf("tenants {name: 'a'} tenants {name: 'a'}"),
              HasSubstr("tenants[1].name: 'a' stands twice"));
  EXPECT_THAT(ErrorOf("tenants {name: 'a' queues {name: 'q'} queues {name: 'q'}}"),
              HasSubstr("tenants[0].queues[1].name: 'q' stands twice"));
  EXPECT_THAT(ErrorOf("tenants {name: 'a' pools {name: 'p'} pools {name: 'p'}}"),
              HasSubstr("tenants[0].pools[1].name: 'p' stands twice"));
  EXPECT_EQ(ErrorOf("tenants {name: 'a' queues {name: 'q' pool: 'p'}}"),
            "tenants[0].queues[0].pool: tenant 'a' has no pool 'p'; add it to tenants[0].pools");
  EXPECT_EQ(
      ErrorOf("tenants {name: 'a' queues {name: 'q'}} tenants {name: 'b' queues {name: 'q'}}"),
      "no error");
}

TEST(Resolve, ChecksRoutesAndRanges) {
  EXPECT_EQ(ErrorOf("http {routes {path: '/' function: 'f'} routes {method: 'GET' path: '/' "
                    "function: 'f'}}"),
            "no error");
  EXPECT_THAT(ErrorOf("http {routes {path: 'x' function: 'f'}}"), HasSubstr("routes[0].path: 'x'"));
  EXPECT_THAT(ErrorOf("http {routes {path: '/?a' function: 'f'}}"), HasSubstr("routes[0].path"));
  EXPECT_THAT(ErrorOf("http {routes {path: '/'}}"), HasSubstr("http.routes[0].function: want"));
  EXPECT_THAT(ErrorOf("http {routes {method: 'get' path: '/' function: 'f'}}"),
              HasSubstr("http.routes[0].method: 'get' is no method"));
  EXPECT_THAT(ErrorOf("http {routes {path: '/' function: 'f'} routes {path: '/' function: 'g'}}"),
              HasSubstr("http.routes[1]: / stands twice"));
  EXPECT_THAT(ErrorOf("fetch {allow: '10.0.0.0/8' allow: '10.1.0.0/8'}"),
              HasSubstr("fetch.allow[1]: '10.1.0.0/8' is no address range"));
}

TEST(Resolve, ChecksTheBoundsOfOrigins) {
  EXPECT_THAT(ErrorOf("fetch {origins {pattern: 'example.org'}}"),
              HasSubstr("fetch.origins[0].pattern: 'example.org' is no origin: want https://HOST"));
  EXPECT_THAT(ErrorOf("fetch {origins {pattern: 'http://*'} origins {pattern: 'http://*'}}"),
              HasSubstr("fetch.origins[1].pattern: http://* stands twice, first in fetch.origins"));
  EXPECT_THAT(ErrorOf("fetch {per_origin {requests_per_second: 1 requests_per_minute: 1}}"),
              HasSubstr("fetch.per_origin: want requests_per_second or requests_per_minute"));
  EXPECT_THAT(ErrorOf("fetch {origins {pattern: 'http://a' burst: 2}}"),
              HasSubstr("fetch.origins[0]: burst wants requests_per_second"));
  EXPECT_THAT(ErrorOf("fetch {origins {pattern: 'http://a' breaker_open_ms: -1}}"),
              HasSubstr("fetch.origins[0].breaker_open_ms: -1 is not within 1 to 86400000"));
  const Config config = Good("fetch {origins {pattern: 'http://a' concurrency_max: 2}}");
  EXPECT_EQ(config.fetch().per_origin().concurrency_max(), 16);
  EXPECT_EQ(config.fetch().per_origin().breaker_failures(), 5);
  EXPECT_EQ(config.fetch().per_origin().breaker_open_ms(), 30'000);
  EXPECT_EQ(config.fetch().origins(0).breaker_failures(), 0);
}

TEST(Resolve, ChecksWhereSpansGo) {
  const config::v1::Tracing tracing =
      Good("tracing {endpoint: 'https://collector.example.org/v1/traces'}").tracing();
  EXPECT_EQ(tracing.sampled_per_million(), 1'000'000);
  EXPECT_EQ(tracing.queue_max(), 8'192);
  EXPECT_EQ(Good("tracing {sampled_per_million: 0}").tracing().sampled_per_million(), 0);
  for (const char* wrong : {"collector:4318", "http://", "http:///v1/traces", "http://:4318/",
                            "grpc://collector", "http://a b/"}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("tracing {endpoint: '", wrong, "'}")),
                HasSubstr(absl::StrCat("tracing.endpoint: '", wrong, "' is no URL: want http://")));
  }
  EXPECT_THAT(ErrorOf("tracing {headers {name: 'a b' secret_file: '/nowhere'}}"),
              HasSubstr("tracing.headers[0].name: 'a b' is no field"));
  EXPECT_THAT(ErrorOf("tracing {headers {name: 'a'}}"),
              HasSubstr("tracing.headers[0].secret_file: want a file with the field's value"));
  EXPECT_THAT(ErrorOf("tracing {headers {name: 'a' secret_file: '/nowhere'}}"),
              HasSubstr("tracing.headers[0].secret_file: "));
  EXPECT_THAT(ErrorOf("tracing {sampled_per_million: 1000001}"),
              HasSubstr("tracing.sampled_per_million: 1000001 is not within 0 to 1000000"));
}

TEST(Resolve, ChecksTheSecretsOfRequests) {
  EXPECT_THAT(ErrorOf("fetch {secrets {name: 'a'}}"),
              HasSubstr("fetch.secrets[0].secret_file: want a file with the secret"));
  EXPECT_THAT(ErrorOf("fetch {secrets {name: 'A' secret_file: '/nowhere'}}"),
              HasSubstr("fetch.secrets[0].name: 'A' is no name"));
  EXPECT_THAT(ErrorOf("fetch {secrets {name: 'a' secret_file: '/nowhere'}}"),
              HasSubstr("fetch.secrets[0].secret_file: "));
  EXPECT_THAT(ErrorOf("fetch {secrets {name: 'a' tenant: 'nobody' secret_file: '/nowhere'}}"),
              HasSubstr("fetch.secrets[0].tenant: no tenant 'nobody'"));
  const std::string twice = ErrorOf(
      "fetch {secrets {name: 'a' secret_file: '/x'} secrets {name: 'a' secret_file: '/x'} "
      "secrets {name: 'a' tenant: 'b' secret_file: '/x'}} tenants {name: 'b'}");
  EXPECT_THAT(twice, HasSubstr("fetch.secrets[1].name: 'a' stands twice"));
  EXPECT_THAT(twice, ::testing::Not(HasSubstr("fetch.secrets[2].name")));
}

TEST(Resolve, RefusesTextsThatNoLogOrPathShouldHold) {
  for (const char* bad : {"/a\nb", "/\xff", "/\xc0\xaf", "/\xed\xa0\x80", "/\xf4\x90\x80\x80",
                          "/\xe2\x82", "/\x7f"}) {
    DaemonFlags flags;
    flags.state_dir = bad;
    EXPECT_EQ(ErrorOf("", flags), "state_dir: want UTF-8 without control characters");
  }
  DaemonFlags flags;
  flags.state_dir = "/gr\xc3\xbcn/\xe2\x82\xac/\xf0\x9f\x8c\xb3";
  EXPECT_EQ(ErrorOf("", flags), "no error");
}

TEST(Environment, OfThisProcessHasCpusAndAPlace) {
  const Environment environment = Environment::OfThisProcess();
  EXPECT_GE(environment.cpus, 1);
  EXPECT_EQ(environment.working_directory[0], '/');
}

}  // namespace
}  // namespace grove::config

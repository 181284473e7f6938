// TestServer: the distribution's PostgreSQL on a directory and a port of its own.
//
// It listens on a UNIX socket and on 127.0.0.1, asks for passwords (SCRAM), speaks TLS with a
// certificate made on the spot, and syncs nothing. A thread reads its log, which says when it is
// ready. It dies with the test.
#ifndef GROVE_DATABASE_POSTGRES_SERVER_FIXTURE_H_
#define GROVE_DATABASE_POSTGRES_SERVER_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "database/postgres/connection_options.h"
#include "database/postgres/connector.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/tls/fixture.h"

namespace grove::postgres {

class TestServer {
 public:
  static constexpr const char* kUser = "grove";
  static constexpr const char* kPassword = "a secret of tests";

  // Where the programs are; empty if PostgreSQL is not installed.
  static std::string Programs();

  // Starts one. A failure is the test's.
  TestServer();
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // SIGKILL to all its processes at once, as a machine that loses its power.
  void Kill();
  // After Kill() or Stop(): on the same data, socket and port.
  void Start();
  // SIGINT: it ends its sessions and itself.
  void Stop();
  bool running() const { return pid_ > 0; }

  // By the UNIX socket; by TCP, where TLS is to be had.
  ConnectionOptions Options() const;
  ConnectionOptions TcpOptions() const;
  const std::string& ca_file() const { return authority_.ca_file(); }
  uint16_t port() const { return port_; }
  std::string Log();

 private:
  void InitDatabase();
  void WriteConfig();
  // As the unprivileged user that PostgreSQL wants, if this is root.
  std::vector<std::string> AsUser(std::vector<std::string> command) const;
  void AwaitReady();
  void Reap();

  const std::string programs_;
  std::string directory_;
  uint16_t port_ = 0;
  TestAuthority authority_{"postgres"};
  pid_t pid_ = -1;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string log_;     // guarded by mutex_
  bool ended_ = false;  // guarded by mutex_
};

// Tests that share one server, which starts with the first of them. Each has a hub on real time.
class PostgresTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!TestServer::Programs().empty()) server_ = new TestServer;
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << "PostgreSQL is not installed in /usr/lib/postgresql";
    if (!server_->running()) server_->Start();
  }

  // Runs `body` on a hub; nothing of it is left then.
  template <typename F>
  void Run(F&& body) {
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, body);
    const HubStats stats = hub->Stats();
    EXPECT_EQ(stats.fibers_live, 0u);
    EXPECT_EQ(stats.timers_armed, 0u);
    EXPECT_EQ(stats.descriptors, 0u);
  }
  // With a connection by the UNIX socket.
  template <typename F>
  void WithConnection(F&& body, ConnectionOptions options = server_->Options()) {
    Run([&] {
      std::unique_ptr<Connector> connector = *Connector::Create();
      absl::StatusOr<std::unique_ptr<Connection>> connection = connector->Connect(options);
      ASSERT_TRUE(connection.ok()) << connection.status();
      body(**connection);
      EXPECT_EQ(connector->stats().connections, (*connection)->open() ? 1 : 0);
    });
  }

  static inline TestServer* server_ = nullptr;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_SERVER_FIXTURE_H_

// The distribution's mariadbd as a server of a test's own: in a folder of its own, on a UNIX socket
// alone, as an unprivileged user.
#ifndef GROVE_DATABASE_MARIADB_MARIADB_FIXTURE_H_
#define GROVE_DATABASE_MARIADB_MARIADB_FIXTURE_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "database/mariadb/client.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"

extern char** environ;

namespace grove::mariadb {

class MariadbServer {
 public:
  static bool Exists() {
    return std::filesystem::exists("/usr/sbin/mariadbd") &&
           std::filesystem::exists("/usr/bin/mariadb-install-db");
  }

  // Blocks, as all of it.
  MariadbServer() {
    char path[] = "/tmp/grove-mariadb-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    folder_ = path;
    if (geteuid() == 0) {
      EXPECT_EQ(chown(path, kNobody, kNobody), 0);
    }
    FILE* said = nullptr;
    const pid_t install =
        Spawn({"/usr/bin/mariadb-install-db", "--no-defaults", "--datadir=" + folder_ + "/data",
               "--auth-root-authentication-method=normal", "--skip-test-db", "--tmpdir=" + folder_},
              said);
    std::string all;
    for (int letter = fgetc(said); letter != EOF; letter = fgetc(said)) {
      all.push_back(static_cast<char>(letter));
    }
    fclose(said);
    int status = -1;
    waitpid(install, &status, 0);
    EXPECT_EQ(status, 0) << all;
  }
  ~MariadbServer() {
    Kill();
    std::filesystem::remove_all(folder_);
  }
  MariadbServer(const MariadbServer&) = delete;
  MariadbServer& operator=(const MariadbServer&) = delete;

  // With what is added to mariadbd's command line. Until it is ready.
  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {"/usr/sbin/mariadbd",
                                        "--no-defaults",
                                        "--datadir=" + folder_ + "/data",
                                        "--socket=" + socket(),
                                        "--skip-networking",
                                        "--performance-schema=OFF",
                                        "--tmpdir=" + folder_,
                                        "--innodb-buffer-pool-size=16M",
                                        "--pid-file=" + folder_ + "/pid",
                                        "--innodb-lock-wait-timeout=50"};
    command.insert(command.end(), more.begin(), more.end());
    FILE* said = nullptr;
    process_ = Spawn(command, said);
    std::string all;
    char line[4096];
    while (fgets(line, sizeof(line), said) != nullptr) {
      all += line;
      if (std::string_view(line).find("ready for connections") != std::string_view::npos) {
        log_.reset(said);
        return;
      }
    }
    fclose(said);
    ADD_FAILURE() << "mariadbd ended before it was ready: " << all;
  }
  void Kill() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = -1;
    log_.reset();
  }

  std::string socket() const { return folder_ + "/socket"; }
  ServerOptions Options() const { return {.unix_socket = socket(), .user = "root"}; }
  // A copy of `file` that the server can read.
  std::string Readable(const std::string& file) const {
    const std::string copy = folder_ + "/" + std::filesystem::path(file).filename().string();
    std::filesystem::copy_file(file, copy, std::filesystem::copy_options::overwrite_existing);
    if (geteuid() == 0) {
      EXPECT_EQ(chown(copy.c_str(), kNobody, kNobody), 0);
    }
    return copy;
  }

 private:
  static constexpr uid_t kNobody = 65534;
  struct CloseFile {
    void operator()(FILE* file) const { fclose(file); }
  };

  // `said`: its output and errors.
  static pid_t Spawn(std::vector<std::string> command, FILE*& said) {
    if (geteuid() == 0) {
      const std::string id = std::to_string(kNobody);
      command.insert(command.begin(),
                     {"/usr/bin/setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups"});
    }
    std::vector<char*> arguments;
    for (std::string& each : command) arguments.push_back(each.data());
    arguments.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    pid_t process = -1;
    EXPECT_EQ(posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    said = fdopen(ends[0], "r");
    return process;
  }

  std::string folder_;
  pid_t process_ = -1;
  std::unique_ptr<FILE, CloseFile> log_;  // open as long as it writes
};

// One server for all tests of a suite, with a database "grove".
class MariadbTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!MariadbServer::Exists()) return;
    server_ = new MariadbServer;
    server_->Start();
    RunWith(server_->Options(),
            [](Client& client) { EXPECT_TRUE(client.Execute("CREATE DATABASE grove").ok()); });
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << "there is no mariadbd (package mariadb-server)";
  }

  static ServerOptions Options() {
    ServerOptions options = server_->Options();
    options.database = "grove";
    return options;
  }
  // On the real clock: the server is another process.
  template <typename F>
  static void RunWith(ClientOptions options, F&& body) {
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
      ASSERT_TRUE(client.ok()) << client.status();
      body(**client);
      (*client)->Close();
    });
    EXPECT_EQ(hub->Stats().descriptors, 0u);
  }
  template <typename F>
  static void RunWith(ServerOptions options, F&& body) {
    RunWith(ClientOptions{.server = std::move(options)}, std::forward<F>(body));
  }
  template <typename F>
  static void RunWith(F&& body) {
    RunWith(Options(), std::forward<F>(body));
  }

  static inline MariadbServer* server_ = nullptr;
};

}  // namespace grove::mariadb

#endif  // GROVE_DATABASE_MARIADB_MARIADB_FIXTURE_H_

#include "database/postgres/server_fixture.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "runtime/hub/check.h"
#include "runtime/io/socket_address.h"

namespace grove::postgres {
namespace {

namespace fs = std::filesystem;

constexpr int kStartsMax = 5;  // another process may take the port in between

uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  GROVE_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  const uint16_t port = SocketAddress::OfLocal(fd).port();
  close(fd);
  return port;
}

// With its output in `out`; a negative `out` is ours.
pid_t Launch(const std::vector<std::string>& command, int out) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  if (out >= 0) {
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
  }
  execvp(words[0], words.data());
  _exit(127);
}

int RunToEnd(const std::vector<std::string>& command) {
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t pid = Launch(command, null);
  close(null);
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::ifstream list("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; list >> child;) children.push_back(child);
  return children;
}

void Write(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

}  // namespace

std::string TestServer::Programs() {
  std::string best;
  std::error_code none;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none)) {
    const fs::path bin = version.path() / "bin";
    if (fs::exists(bin / "initdb") && fs::exists(bin / "postgres")) {
      best = std::max(best, bin.string());
    }
  }
  return best;
}

TestServer::TestServer() : programs_(Programs()) {
  // Not below the test's own directory: the server's user may not look into that of root, and the
  // name of a socket is at most 107 bytes.
  char name[] = "/tmp/grove-postgres-XXXXXX";
  GROVE_CHECK(mkdtemp(name) != nullptr, "mkdtemp");
  directory_ = name;
  InitDatabase();
  Start();
}

TestServer::~TestServer() {
  if (running()) Kill();
  fs::remove_all(directory_);
}

std::vector<std::string> TestServer::AsUser(std::vector<std::string> command) const {
  std::vector<std::string> whole = {"setpriv", "--pdeathsig", "KILL"};
  if (geteuid() == 0) {
    whole.insert(whole.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
  }
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

void TestServer::InitDatabase() {
  const fs::path directory = directory_;
  Write(directory / "password", kPassword);
  if (geteuid() == 0) {
    const passwd* const user = getpwnam("postgres");
    GROVE_CHECK(user != nullptr, "there is no user postgres");
    GROVE_CHECK(chown(directory_.c_str(), user->pw_uid, user->pw_gid) == 0, "chown");
    GROVE_CHECK(chown((directory / "password").c_str(), user->pw_uid, user->pw_gid) == 0, "chown");
  }
  const int status =
      RunToEnd(AsUser({programs_ + "/initdb", "-D", directory_ + "/data", "-U", kUser, "-A",
                       "scram-sha-256", "--pwfile", directory_ + "/password", "-E", "UTF8",
                       "--locale=C", "--no-sync", "--no-instructions"}));
  GROVE_CHECK(status == 0, "initdb failed");
  WriteConfig();
}

void TestServer::WriteConfig() {
  const fs::path data = fs::path(directory_) / "data";
  const TlsCertificateFiles files = authority_.Issue("server", {.names = "DNS:localhost"});
  fs::copy_file(files.chain, data / "server.crt");
  fs::copy_file(files.key, data / "server.key");
  fs::permissions(data / "server.key", fs::perms::owner_read);
  if (geteuid() == 0) {
    const passwd* const user = getpwnam("postgres");
    for (const char* file : {"server.crt", "server.key"}) {
      GROVE_CHECK(chown((data / file).c_str(), user->pw_uid, user->pw_gid) == 0, "chown");
    }
  }
  std::ofstream(data / "postgresql.conf", std::ios::app)
      << "unix_socket_directories = '" << directory_ << "'\n"
      << "listen_addresses = '127.0.0.1'\n"
      << "ssl = on\nfsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"
      << "max_connections = 60\nshared_buffers = 16MB\nautovacuum = off\n"
      << "log_line_prefix = '%p '\n";
}

void TestServer::Start() {
  for (int starts = 0; starts < kStartsMax && !running(); ++starts) {
    if (port_ == 0) port_ = FreePort();
    int pipe[2];
    GROVE_CHECK(pipe2(pipe, O_CLOEXEC) == 0, "pipe2");
    {
      const std::lock_guard lock(mutex_);
      log_.clear();
      ended_ = false;
    }
    pid_ = Launch(
        AsUser({programs_ + "/postgres", "-D", directory_ + "/data", "-p", std::to_string(port_)}),
        pipe[1]);
    close(pipe[1]);
    reader_ = std::thread([this, fd = pipe[0]] {
      char buffer[4096];
      for (ssize_t got = 0; (got = read(fd, buffer, sizeof(buffer))) > 0;) {
        const std::lock_guard lock(mutex_);
        log_.append(buffer, static_cast<size_t>(got));
        changed_.notify_all();
      }
      close(fd);
      const std::lock_guard lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    });
    AwaitReady();
  }
  GROVE_CHECK(running(), "PostgreSQL does not start");
}

void TestServer::AwaitReady() {
  bool ready = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      ready = log_.find("database system is ready to accept connections") != std::string::npos;
      return ready || ended_;
    });
    if (!ready) ADD_FAILURE() << log_;
  }
  if (ready) return;
  Reap();
  port_ = 0;
}

void TestServer::Reap() {
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  reader_.join();
}

void TestServer::Kill() {
  // Stopped first, so that it has no more children than these.
  kill(pid_, SIGSTOP);
  std::vector<int> gone;
  for (const pid_t child : ChildrenOf(pid_)) {
    const int fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
    if (fd < 0) continue;
    gone.push_back(fd);
    kill(child, SIGKILL);
  }
  kill(pid_, SIGKILL);
  for (const int fd : gone) {
    pollfd end{.fd = fd, .events = POLLIN, .revents = 0};
    poll(&end, 1, -1);
    close(fd);
  }
  Reap();
}

void TestServer::Stop() {
  kill(pid_, SIGINT);
  Reap();
}

ConnectionOptions TestServer::Options() const {
  ConnectionOptions options;
  options.hosts = {{.host = directory_, .port = port_}};
  options.database = "postgres";
  options.user = kUser;
  options.password = kPassword;
  return options;
}

ConnectionOptions TestServer::TcpOptions() const {
  ConnectionOptions options = Options();
  options.hosts = {{.host = "localhost", .port = port_}};
  options.tls = TlsMode::kVerifyFull;
  options.ca_file = ca_file();
  return options;
}

std::string TestServer::Log() {
  const std::lock_guard lock(mutex_);
  return log_;
}

}  // namespace grove::postgres

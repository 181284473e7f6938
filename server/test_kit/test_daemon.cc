#include "server/test_kit/test_daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "http/client/http_client.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/test_kit/daemon_process.h"

namespace grove::test_kit {
namespace {

// Shown of a log in a status.
constexpr size_t kLogLinesShown = 60;
constexpr std::string_view kUnix = "unix:";

std::string InPath(const std::string& program) {
  if (program.find('/') != std::string::npos) return std::filesystem::absolute(program);
  const char* const path = getenv("PATH");
  for (std::string_view folder : StrSplit(path != nullptr ? path : "", ':')) {
    std::string candidate = StrCat(folder, "/", program);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return program;  // whose start says that it is not there
}

// The first value of `key` in a line that says that it serves; empty: there is none yet. Control
// says so, too, and maybe first.
std::string ServingAddress(std::string_view log, std::string_view key) {
  constexpr std::string_view kServing = " \"serving\" ";
  const std::string name = StrCat(" ", key, "=");
  for (size_t line = log.find(kServing); line != std::string_view::npos;
       line = log.find(kServing, line + 1)) {
    const size_t end = log.find('\n', line);
    if (end == std::string_view::npos) return "";
    const std::string_view fields = log.substr(line, end - line);
    const size_t at = fields.find(name);
    if (at == std::string_view::npos) continue;
    const std::string_view value = fields.substr(at + name.size());
    return std::string(value.substr(0, value.find_first_of(", ")));
  }
  return "";
}

std::string LastLines(const std::string& log) {
  size_t from = log.size();
  for (size_t lines = 0; from > 0 && lines <= kLogLinesShown; ++lines) {
    const size_t end = log.rfind('\n', from - 1);
    from = end == std::string::npos ? 0 : end;
  }
  return log.substr(from == 0 ? 0 : from + 1);
}

}  // namespace

TestDaemon::TestDaemon(const std::string& program, TestDaemonOptions options)
    : program_(InPath(program)),
      options_(std::move(options)),
      process_(std::make_unique<DaemonProcess>()) {
  // Short: the path of a UNIX socket has at most 107 bytes.
  char folder[] = "/tmp/grove-test-XXXXXX";
  if (mkdtemp(folder) == nullptr) {
    status_ = ErrnoStatus(errno, "mkdtemp /tmp/grove-test-XXXXXX");
    return;
  }
  folder_ = folder;
  Start().IgnoreError();  // status()
}

TestDaemon::~TestDaemon() {
  if (process_->running()) Stop().IgnoreError();
  const bool failed = options_.failed != nullptr && options_.failed();
  if (failed || has_failed_ || !status_.ok()) {
    const std::string log = StrCat("--- ", program_, ": its log\n", Log(), "---\n");
    fwrite(log.data(), 1, log.size(), stderr);
  }
  process_->Kill();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

// --- Its life ------------------------------------------------------------------------------------

std::vector<std::string> TestDaemon::Command() const {
  std::map<std::string, std::string> flags = {
      {"--http", "127.0.0.1:0"}, {"--control", "127.0.0.1:0"}, {"--admin", "127.0.0.1:0"},
      {"--workers", "1"},        {"--log_format", "text"},     {"--log_level", "info"}};
  std::vector<std::string> command = {program_};
  for (const std::string& flag : options_.flags) {
    const size_t equals = flag.find('=');
    if (equals == std::string::npos) {
      command.push_back(flag);
    } else {
      flags[flag.substr(0, equals)] = flag.substr(equals + 1);
    }
  }
  flags["--run_dir"] = folder_ + "/run";
  flags["--state_dir"] = folder_ + "/state";
  if (!options_.config.empty()) flags["--config"] = folder_ + "/config.yaml";
  for (const auto& [name, value] : flags) command.push_back(StrCat(name, "=", value));
  return command;
}

absl::Status TestDaemon::Start() {
  if (process_->running()) return absl::FailedPreconditionError("it runs");
  if (folder_.empty()) return status_;
  status_ = Launch();
  if (!status_.ok()) {
    process_->Kill();
    status_ = WithLog(status_);
  }
  return status_;
}

absl::Status TestDaemon::Launch() {
  client_.reset();
  http_address_.clear();
  if (!options_.config.empty()) {
    std::ofstream config(folder_ + "/config.yaml");
    config << options_.config;
    if (!config.flush()) return absl::UnavailableError("the config cannot be written");
  }
  absl::Status status = process_->Start(Command(), options_.environment, folder_ + "/log");
  if (!status.ok()) return status;
  status = process_->AwaitLog(
      [this](std::string_view log) {
        http_address_ = ServingAddress(log, "http");
        return !http_address_.empty();
      },
      options_.at_most);
  if (!status.ok()) {
    return absl::Status(status.code(), StrCat("it does not serve: ", status.message()));
  }
  client::ClientOptions options;
  options.address = control_address();
  options.token = options_.token;
  options.timeout = options_.at_most;
  absl::StatusOr<std::unique_ptr<client::Client>> client = client::Client::Create(options);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  return absl::OkStatus();
}

absl::Status TestDaemon::Stop() {
  if (!process_->running()) return absl::FailedPreconditionError("it does not run");
  client_.reset();
  process_->Signal(SIGTERM);
  const absl::StatusOr<int> code = process_->AwaitEnd(options_.at_most);
  const size_t left = code.ok() ? process_->Session().size() : 0;
  absl::Status status;
  if (!code.ok()) {
    status = absl::Status(code.status().code(), StrCat(code.status().message(), " after SIGTERM"));
  } else if (*code != 0) {
    status = absl::InternalError(StrCat("it has ended with exit code ", *code));
  } else if (left > 0) {
    status = absl::InternalError(StrCat("it has ended, and left ", left, " processes behind"));
  }
  process_->Kill();
  if (status.ok()) return status;
  has_failed_ = true;
  return WithLog(status);
}

absl::Status TestDaemon::Restart() {
  if (absl::Status stopped = Stop(); !stopped.ok()) return stopped;
  return Start();
}

void TestDaemon::Kill() {
  client_.reset();
  process_->Kill();
}

// --- What it is asked ----------------------------------------------------------------------------

TestAnswer TestDaemon::Request(std::string_view method, std::string_view target,
                               std::string_view body, const TestFields& fields) {
  if (!process_->running() || http_address_.empty()) return {.body = "the daemon does not run"};
  absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create();
  GROVE_CHECK(hub.ok(), "no hub for the request");
  TestAnswer answer;
  const absl::Status ran = (*hub)->Run([&]() -> absl::Status {
    absl::StatusOr<std::unique_ptr<http::HttpClient>> client =
        http::HttpClient::Create({.follow_redirects = false, .decode = false});
    if (!client.ok()) return client.status();
    http::HttpRequest request;
    request.url = Url(target);
    request.method = std::string(method);
    request.fields = fields;
    request.body = std::string(body);
    if (http_address_.starts_with(kUnix)) request.unix_socket = http_address_.substr(kUnix.size());
    Timeout timeout(options_.at_most);
    absl::StatusOr<http::HttpResponse> response = (*client)->Fetch(std::move(request));
    if (!response.ok()) return response.status();
    answer = {response->status, std::move(response->fields), std::move(response->body)};
    return absl::OkStatus();
  });
  if (!ran.ok()) answer.body = std::string(ran.message());  // with status 0: why
  return answer;
}

absl::StatusOr<v1::Task> TestDaemon::RunTask(std::string_view function, std::string_view input,
                                             std::string_view content_type) {
  if (client_ == nullptr) return absl::UnavailableError("the daemon does not run");
  v1::SpawnTaskRequest request;
  request.mutable_spec()->set_function(std::string(function));
  request.mutable_spec()->set_input(std::string(input));
  request.mutable_spec()->set_content_type(std::string(content_type));
  const absl::StatusOr<v1::Task> spawned = client_->Spawn(request);
  if (!spawned.ok()) return spawned.status();
  client::WaitOptions options;
  options.timeout = options_.at_most;
  options.view = v1::TASK_VIEW_FULL;
  return client_->Wait(spawned->name(), options);
}

client::Client& TestDaemon::client() {
  GROVE_CHECK(client_ != nullptr, "TestDaemon::client() of a daemon that does not run");
  return *client_;
}

// --- Where it is ---------------------------------------------------------------------------------

std::string TestDaemon::Url(std::string_view path) const {
  const bool by_path = http_address_.starts_with(kUnix);
  return StrCat("http://", by_path ? std::string("localhost") : http_address_, path);
}

std::string TestDaemon::Address(std::string_view name) const {
  std::ifstream file(folder_ + "/run/control.addresses");
  std::string key, value;
  while (file >> key >> value) {
    if (key == name) return value;
  }
  return "";
}

pid_t TestDaemon::pid() const {
  return process_->pid();
}

std::string TestDaemon::Log() const {
  return process_->Log();
}

absl::Status TestDaemon::WithLog(const absl::Status& status) const {
  return absl::Status(status.code(), StrCat(program_, ": ", status.message(),
                                            "\n--- the end of its log\n", LastLines(Log()), "---"));
}

}  // namespace grove::test_kit

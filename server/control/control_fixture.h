// ControlFixture: a whole control on ports that the kernel chose, with a gRPC client and fake
// workers, for tests.
#ifndef GROVE_SERVER_CONTROL_CONTROL_FIXTURE_H_
#define GROVE_SERVER_CONTROL_CONTROL_FIXTURE_H_

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"
#include "server/control/control.h"
#include "server/control/fake_supervisor.h"
#include "server/control/fake_worker.h"
#include "server/schedules/sqlite_schedule_store.h"
#include "server/tasks/resolved_tasks.h"
#include "server/tasks/sqlite_store.h"
#include "server/tenancy/registry.h"

namespace grove::control {

// The reason in the ErrorInfo of grpc-status-details-bin; empty if there is none of domain "grove".
inline std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status rpc;
  if (!rpc.ParseFromString(status.error_details())) return "";
  for (const google::protobuf::Any& detail : rpc.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == "grove") return info.reason();
  }
  return "";
}

class ControlFixture : public testing::Test {
 protected:
  static constexpr int kWorkers = 2;

  ControlFixture() : scoreboard_(*metrics::Scoreboard::Create(kWorkers)) {
    char pattern[] = "/tmp/grove-control-XXXXXX";
    directory_ = mkdtemp(pattern);
    config_.set_run_dir(directory_);
    config_.set_state_dir(directory_);
    // Where tests read it.
    config_.mutable_audit()->set_file("-");
    config_.set_workers(kWorkers);
    for (int worker = 0; worker < kWorkers; ++worker) {
      scoreboard_.slot(worker).state = metrics::SlotState::kDown;
    }
    tasks::FillTasks(*config_.mutable_tasks());
    // Tests that leave a hanging task behind wait this long at their end.
    config_.set_drain_timeout_ms(100);
    config_.mutable_control()->set_listen("127.0.0.1:0");
    config_.mutable_control()->set_connections_max(1000);
    config_.mutable_control()->set_calls_waiting_max(10'000);
    config_.mutable_control()->set_handshake_timeout_ms(10'000);
    config_.mutable_control()->set_idle_timeout_ms(600'000);
    config_.mutable_admin()->set_listen("127.0.0.1:0");
    config_.mutable_admin()->set_connections_max(256);
  }

  ~ControlFixture() override {
    StopControl();
    workers_.clear();
    std::filesystem::remove_all(directory_);
  }

  void StartWorker(int worker) {
    workers_[worker] =
        std::make_unique<FakeWorker>(worker, absl::StrCat(directory_, "/worker-", worker, ".link"));
  }

  // `tenant` empty: of the operators.
  void AddToken(const std::string& name, config::v1::Token::Role role, const std::string& secret,
                const std::string& tenant = "") {
    const std::string path = absl::StrCat(directory_, "/", name);
    std::ofstream(path) << secret << "\n";
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    config::v1::Token* token = config_.mutable_control()->add_tokens();
    token->set_name(name);
    token->set_role(role);
    token->set_secret_file(path);
    token->set_tenant(tenant);
  }

  // Returns once it serves; `started` says how that went.
  void StartControl() {
    store_ = *tasks::SqliteStore::Open({.state_dir = directory_});
    hub_ = *Hub::Create({.stack_bytes = 256 * 1024});
    schedules_ = *schedules::SqliteScheduleStore::Open(directory_);
    auto control = Control::Create(*hub_, config_, scoreboard_, *store_, registry_, *schedules_,
                                   /*volatile_tasks_fd=*/-1, self_check_);
    ASSERT_TRUE(control.ok()) << control.status();
    control_ = *std::move(control);
    absl::Notification started;
    thread_ = std::thread([this, &started] {
      RunOn(*hub_, [this, &started]() -> absl::Status {
        start_status_ = control_->Start(supervisor_ == nullptr ? -1 : supervisor_->child_fd());
        started.Notify();
        if (!start_status_.ok()) return start_status_;
        stop_.Wait().IgnoreError();
        control_->Drain();
        drained_.Notify();
        return control_->Stop();
      });
    });
    started.WaitForNotification();
    ASSERT_TRUE(start_status_.ok()) << start_status_;
    channel_ = grpc::CreateChannel(control_->grpc_address(), grpc::InsecureChannelCredentials());
  }

  // The metrics' text, from the admin port.
  std::string Scrape() {
    const std::string address = control_->admin_address();
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    std::string text;
    char piece[4096];
    for (ssize_t got; (got = read(fd, piece, sizeof(piece))) > 0;) {
      text.append(piece, static_cast<size_t>(got));
    }
    close(fd);
    return text;
  }
  void AwaitMetric(const std::string& line) {
    while (!absl::StrContains(Scrape(), absl::StrCat("\n", line, "\n"))) {
    }
  }

  void BeginStop() {
    hub_->Post([this] { stop_.Set(); });
  }

  void StopControl() {
    if (!thread_.joinable()) return;
    BeginStop();
    thread_.join();
    control_.reset();
    hub_.reset();
    store_.reset();
    schedules_.reset();
  }

  std::string directory_;
  config::v1::Config config_;
  tasks::SelfCheck self_check_ = tasks::SelfCheck::kAfterEveryEvent;
  metrics::Scoreboard scoreboard_;
  std::map<int, std::unique_ptr<FakeWorker>> workers_;
  // Control has a channel to it if it stands before the start.
  std::unique_ptr<FakeSupervisor> supervisor_;
  std::unique_ptr<tasks::SqliteStore> store_;
  tenancy::MemoryRegistry registry_;
  std::unique_ptr<schedules::SqliteScheduleStore> schedules_;
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<Control> control_;
  absl::Status start_status_;
  absl::Notification drained_;
  Event stop_;
  std::thread thread_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CONTROL_FIXTURE_H_

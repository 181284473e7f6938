#include "server/worker/backdoor_listener.h"

#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/buffered_reader.h"

namespace grove::worker {
namespace {

using ::testing::StartsWith;

class BackdoorListenerTest : public HubTest {
 protected:
  BackdoorListenerTest()
      : path_("/tmp/grove-backdoor-listener-" + std::to_string(getpid())),
        fetch_(*functions::FetchClient::Create(functions::FetchPolicy{})) {
    const backdoor::BackdoorLimits limits;
    config_.set_sessions_max(2);
    config_.set_instructions_max(limits.instructions_max);
    config_.set_time_max_ms(absl::ToInt64Milliseconds(limits.time_max));
    config_.set_memory_max_bytes(limits.memory_max_bytes);
    config_.set_output_max_bytes(limits.output_max_bytes);
  }
  ~BackdoorListenerTest() override { unlink(path_.c_str()); }

  // Calls `body` while sessions are admitted at `path_`.
  template <typename F>
  void Serve(F body) {
    Run([&] {
      Listener listener = Listen();
      BackdoorListener backdoor(config_, {.worker = 0}, publisher_);
      auto serving = Spawn("serving", [&] { return backdoor.Run(listener); });
      body();
      serving->Cancel();
      EXPECT_EQ(serving->Join().code(), absl::StatusCode::kCancelled);
    });
  }

  Socket Connect() { return *Socket::ConnectUnix(path_); }
  // What comes up to and including `end`.
  static std::string ReadTo(Socket& socket, const std::string& end) {
    BufferedReader reader(socket);
    return reader.ReadUntil(end, 1000).value_or("nothing");
  }

  config::v1::Backdoor config_;
  metrics::WorkerSlot slot_;
  const std::string path_;
  const std::unique_ptr<functions::FetchClient> fetch_;
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 0, .fetch = *fetch_, .offload = offload_};
  Attempts::Functions functions_;
  Attempts attempts_{functions_, services_, {}};
  http::ServerStats http_stats_;
  Watchdog watchdog_{*hub_, {}};
  Publisher publisher_{slot_, http_stats_, attempts_, *fetch_, offload_, watchdog_};

 private:
  Listener Listen() {
    return *Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + path_)));
  }
};

TEST_F(BackdoorListenerTest, AdmitsAsManySessionsAsTheConfigSaysAndPublishesThem) {
  Serve([&] {
    Socket first = Connect();
    Socket second = Connect();
    EXPECT_THAT(ReadTo(first, "> "), StartsWith("grove worker 0"));
    EXPECT_THAT(ReadTo(second, "> "), StartsWith("grove worker 0"));
    Socket third = Connect();
    EXPECT_EQ(ReadTo(third, "\n"), "refused: 2 sessions are open (backdoor.sessions_max)\n");
    publisher_.Publish(*hub_);
    EXPECT_EQ(slot_.backdoor_sessions.load(), 2);
  });
}

TEST(BackdoorLimits, AreTheConfigs) {
  config::v1::Backdoor config;
  config.set_instructions_max(1'000);
  config.set_time_max_ms(20);
  config.set_memory_max_bytes(3 << 20);
  config.set_output_max_bytes(4'096);
  const backdoor::BackdoorLimits limits = BackdoorLimitsOf(config);
  EXPECT_EQ(limits.instructions_max, 1'000);
  EXPECT_EQ(limits.time_max, absl::Milliseconds(20));
  EXPECT_EQ(limits.memory_max_bytes, 3 << 20);
  EXPECT_EQ(limits.output_max_bytes, 4'096);
}

}  // namespace
}  // namespace grove::worker

// ServerFixture: a server on a hub of its own, with clients in the same hub; for tests.
//
// On invented time (runtime/hub/hub_fixture.h): a time-out takes none, and nothing depends on how
// fast the machine is. Only tests with threads beside the hub need kReal, since time that is
// invented does not wait for them.
#ifndef GROVE_SERVER_HTTP_SERVING_SERVER_FIXTURE_H_
#define GROVE_SERVER_HTTP_SERVING_SERVER_FIXTURE_H_

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/sync/event.h"
#include "server/http/serving/server.h"

namespace grove::http {

// Nothing in a test waits longer; only a bug makes it fire.
inline constexpr absl::Duration kTestTimeout = absl::Seconds(20);

// The other end of a connection.
class Client {
 public:
  explicit Client(Socket socket) : socket_(std::move(socket)) {}

  void Send(std::string_view bytes) { ASSERT_TRUE(socket_.Write(bytes).ok()); }
  // What one read(2) gives; "" at the end, "reset" if the connection was reset.
  std::string ReadOnce() {
    std::string bytes(256 * 1024, '\0');
    const absl::StatusOr<size_t> got = socket_.Read(bytes);
    if (!got.ok()) return "reset";
    bytes.resize(*got);
    return bytes;
  }
  // Up to the end of the stream.
  std::string ReadAll() {
    std::string all;
    for (std::string piece; !(piece = ReadOnce()).empty();) {
      all += piece;
      if (piece == "reset") break;
    }
    return all;
  }
  // Until what was read ends in `end`.
  std::string ReadUntil(std::string_view end) {
    std::string all;
    while (!all.ends_with(end)) {
      const std::string piece = ReadOnce();
      all += piece;
      if (piece.empty() || piece == "reset") break;
    }
    return all;
  }
  std::string Ask(std::string_view bytes) {
    Send(bytes);
    return ReadOnce();
  }
  Socket& socket() { return socket_; }

 private:
  Socket socket_;
};

class ServerFixture : public testing::Test {
 protected:
  enum class Time { kInvented, kReal };
  explicit ServerFixture(Time time = Time::kInvented) : time_(time) {}

  // Runs `body` on a fiber beside the server; then all must be gone.
  void Run(const std::function<void()>& body) {
    HubOptions hub_options;
    if (time_ == Time::kInvented) {
      hub_options.clock = &clock_;
      hub_options.poller = std::make_unique<FakePoller>(clock_);
    }
    auto hub = Hub::Create(std::move(hub_options));
    ASSERT_TRUE(hub.ok());
    RunOn(**hub, [&]() -> absl::Status {
      Timeout timeout(kTestTimeout);
      server_ = std::make_unique<Server>(options_, std::move(router_), stats_);
      body();
      server_->Drain();
      absl::Status idle = server_->AwaitIdle();
      Yield();
      EXPECT_EQ((*hub)->Stats().fibers_live, 1) << "only this fiber is left";
      if (idle.ok()) server_.reset();
      return idle;
    });
    EXPECT_EQ((*hub)->Stats().timers_armed, 0);
    EXPECT_EQ(stats_.open, 0);
    EXPECT_EQ(stats_.running, 0);
  }
  // A new connection to the server.
  Client Connect() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    EXPECT_TRUE(server_->Adopt(*Socket::Adopt(fds[0])).ok());
    return Client(*Socket::Adopt(fds[1]));
  }
  void Handle(std::string_view method, std::string_view path, Handler handler) {
    const absl::Status added = router_.Add(method, path, std::move(handler));
    EXPECT_TRUE(added.ok()) << added;
  }

  const Time time_;
  FakeClock clock_;
  ServerOptions options_;
  ServerStats stats_;
  Router router_;
  std::unique_ptr<Server> server_;
};

// `response` without the Date line, whose value changes.
inline std::string WithoutDate(std::string response) {
  for (size_t at; (at = response.find("Date: ")) != std::string::npos;) {
    response.erase(at, response.find('\n', at) + 1 - at);
  }
  return response;
}

inline std::string StatusOf(std::string_view response) {
  return std::string(response.substr(0, response.find('\r')));
}

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_SERVER_FIXTURE_H_

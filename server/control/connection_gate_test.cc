#include "server/control/connection_gate.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove::control {
namespace {

class ConnectionGateTest : public testing::Test {
 protected:
  ~ConnectionGateTest() override {
    if (gate_ != nullptr) gate_->Stop();
    for (int fd : taken_) close(fd);
  }

  void Start(const std::string& listen, size_t connections_max) {
    auto gate = ConnectionGate::Bind(listen, connections_max);
    ASSERT_TRUE(gate.ok()) << gate.status();
    gate_ = *std::move(gate);
    gate_->Start([this](int fd) {
      std::lock_guard lock(mutex_);
      taken_.push_back(fd);
      changed_.notify_all();
    });
  }

  int Connect() {
    const SocketAddress address = *SocketAddress::Parse(gate_->address());
    const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, address.raw(), address.length), 0);
    return fd;
  }

  void AwaitTaken(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return taken_.size() >= count; });
  }

  // Whether the other end closed it; waits for a byte or an end.
  static bool IsClosed(int fd) {
    char byte;
    const ssize_t got = read(fd, &byte, 1);
    close(fd);
    return got <= 0;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> taken_;
  std::unique_ptr<ConnectionGate> gate_;
};

TEST_F(ConnectionGateTest, TakesAsManyAsAllowedAndClosesTheRest) {
  Start("127.0.0.1:0", 2);
  const int first = Connect(), second = Connect();
  AwaitTaken(2);
  EXPECT_TRUE(IsClosed(Connect()));
  EXPECT_TRUE(IsClosed(Connect()));
  EXPECT_EQ(gate_->refused(), 2);
  EXPECT_EQ(gate_->open(), 2);
  EXPECT_EQ(send(first, "x", 1, MSG_NOSIGNAL), 1);
  close(first);
  close(second);
}

TEST_F(ConnectionGateTest, APlaceIsFreeWhenItsSocketIsClosed) {
  Start("127.0.0.1:0", 1);
  const int first = Connect();
  AwaitTaken(1);
  {
    std::lock_guard lock(mutex_);
    close(taken_[0]);
    taken_.clear();
  }
  close(first);
  // The gate counts again at most every few milliseconds.
  for (;;) {
    const int next = Connect();
    timeval patience = {.tv_usec = 50'000};
    setsockopt(next, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    char byte;
    const bool closed = read(next, &byte, 1) == 0;
    close(next);
    if (!closed) break;
  }
  AwaitTaken(1);
}

TEST_F(ConnectionGateTest, TheCountFallsWithoutNewConnections) {
  Start("127.0.0.1:0", 10);
  const int first = Connect();
  AwaitTaken(1);
  EXPECT_EQ(gate_->open(), 1);
  {
    std::lock_guard lock(mutex_);
    close(taken_[0]);
    taken_.clear();
  }
  while (gate_->open() != 0) std::this_thread::yield();
  close(first);
}

TEST_F(ConnectionGateTest, AUnixPathIsThereUntilTheEnd) {
  char pattern[] = "/tmp/grove-gate-XXXXXX";
  const std::string folder = mkdtemp(pattern);
  const std::string path = folder + "/socket";
  Start("unix:" + path, 1);
  EXPECT_EQ(gate_->address(), "unix:" + path);
  const int first = Connect();
  AwaitTaken(1);
  EXPECT_TRUE(IsClosed(Connect()));
  close(first);
  gate_->Stop();
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST_F(ConnectionGateTest, StopsWithoutAConnectionAndWithoutAStart) {
  Start("127.0.0.1:0", 1);
  gate_->Stop();
  auto never_started = ConnectionGate::Bind("127.0.0.1:0", 1);
  ASSERT_TRUE(never_started.ok());
}

TEST_F(ConnectionGateTest, SaysWhyItCannotBind) {
  Start("127.0.0.1:0", 1);
  EXPECT_FALSE(ConnectionGate::Bind(gate_->address(), 1).ok());
  EXPECT_EQ(ConnectionGate::Bind("nonsense", 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grove::control

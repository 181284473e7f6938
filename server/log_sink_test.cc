#include "server/log_sink.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace grove {
namespace {

constexpr size_t kQueueBytes = 64 * 1024;
const std::string kLine = std::string(99, 'x') + "\n";

class LogSinkTest : public ::testing::TestWithParam<bool> {
 protected:
  LogSinkTest() {
    if (GetParam()) {
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_), 0);
    } else {
      EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    }
    EXPECT_EQ(fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
  }
  ~LogSinkTest() override {
    for (const int fd : ends_) close(fd);
  }
  static std::string TellLost(uint64_t lines) { return "lost " + std::to_string(lines) + "\n"; }
  // All that is there.
  std::string Read() const {
    std::string all;
    char piece[4096];
    for (ssize_t got; (got = read(ends_[0], piece, sizeof(piece))) > 0;) all.append(piece, got);
    return all;
  }

  // Until the reader's end takes no more.
  void Fill() const {
    fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    while (write(ends_[1], "-", 1) == 1) continue;
    fcntl(ends_[1], F_SETFL, 0);
  }

  int ends_[2] = {-1, -1};  // 0: the reader's
};

INSTANTIATE_TEST_SUITE_P(Readers, LogSinkTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Socket" : "Pipe"; });

TEST_P(LogSinkTest, WritesAtOnceWithoutAThread) {
  LogSink sink(ends_[1], &TellLost);
  sink.Append("a\n");
  EXPECT_EQ(Read(), "a\n");
  EXPECT_EQ(sink.WaitsFor(), -1);
}

TEST_P(LogSinkTest, LeavesTheSharedDescriptorBlocking) {
  LogSink sink(ends_[1], &TellLost);
  sink.Append("a\n");
  EXPECT_EQ(fcntl(ends_[1], F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(LogSinkTest, AReaderThatStopsHoldsNobodyAndHearsWhatWasDropped) {
  LogSink sink(ends_[1], &TellLost, kQueueBytes);
  uint64_t appended = 0;
  while (sink.dropped() < 10) {
    sink.Append(kLine);
    ++appended;
  }
  EXPECT_GE(sink.WaitsFor(), 0);
  std::string all;
  while (sink.WaitsFor() >= 0) {
    all += Read();
    sink.Drain();
  }
  all += Read();
  std::string expected;
  for (uint64_t i = 10; i < appended; ++i) expected += kLine;
  EXPECT_TRUE(all == expected + "lost 10\n")
      << all.size() << " bytes, " << all.substr(all.size() - 200);
}

TEST_P(LogSinkTest, WhatComesBehindALossFollowsItsCount) {
  LogSink sink(ends_[1], &TellLost, kQueueBytes);
  while (sink.dropped() < 3) sink.Append(kLine);
  Read();
  sink.Drain();
  sink.Append("next\n");
  std::string all;
  for (sink.Drain(); sink.WaitsFor() >= 0; sink.Drain()) all += Read();
  all += Read();
  EXPECT_NE(all.find("lost 3\nnext\n"), std::string::npos) << all.size() << " bytes";
}

TEST_P(LogSinkTest, TheThreadWritesAndStopLeavesNothing) {
  LogSink sink(ends_[1], &TellLost);
  sink.Start();
  for (int i = 0; i < 100; ++i) sink.Append(kLine);
  sink.Stop(absl::Seconds(30));
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += kLine;
  EXPECT_EQ(Read(), expected);
}

TEST_P(LogSinkTest, StopWithAReaderThatStoppedIsBounded) {
  LogSink sink(ends_[1], &TellLost, kQueueBytes);
  Fill();
  sink.Start();
  while (sink.dropped() == 0) sink.Append(kLine);
  sink.Stop(absl::ZeroDuration());
  EXPECT_GE(sink.WaitsFor(), 0) << "it is still there, and nobody waited for it";
}

TEST_P(LogSinkTest, AChildForgetsWhatItsParentHasNotWritten) {
  LogSink sink(ends_[1], &TellLost, kQueueBytes);
  while (sink.dropped() == 0) sink.Append(kLine);
  sink.Forget();
  EXPECT_EQ(sink.WaitsFor(), -1);
  EXPECT_EQ(sink.dropped(), 0u);
}

TEST(LogSink, AReaderThatIsGoneHoldsNobody) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  LogSink sink(ends[1], [](uint64_t) { return std::string("lost\n"); });
  close(ends[0]);
  sink.Append(kLine);
  EXPECT_EQ(sink.WaitsFor(), -1);
  close(ends[1]);
}

}  // namespace
}  // namespace grove

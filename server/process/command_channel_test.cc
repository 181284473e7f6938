#include "server/process/command_channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "server/link/frame.h"

namespace grove::process {
namespace {

using internal::v1::ChildMessage;
using internal::v1::SupervisorMessage;

// The supervisor's end, and the child's as a bare descriptor.
class CommandChannelTest : public testing::Test {
 protected:
  CommandChannelTest() {
    auto opened = CommandChannel::Open("grove-w1");
    EXPECT_TRUE(opened.ok()) << opened.status();
    channel_ = std::move(opened->first);
    child_ = opened->second;
  }
  ~CommandChannelTest() override { CloseChild(); }

  void CloseChild() {
    if (child_ >= 0) close(std::exchange(child_, -1));
  }
  void Write(std::string_view bytes) {
    ASSERT_EQ(write(child_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  // What the child has to read, without waiting for more.
  std::string ReadAll() {
    std::string all;
    std::array<char, 65536> piece;
    for (ssize_t got; (got = recv(child_, piece.data(), piece.size(), MSG_DONTWAIT)) > 0;) {
      all.append(piece.data(), static_cast<size_t>(got));
    }
    return all;
  }
  static std::string Frame(const std::string& bytes) {
    const auto header = link::EncodeFrameLength(static_cast<uint32_t>(bytes.size()));
    return std::string(header.data(), header.size()) + bytes;
  }
  static std::string Acknowledged(uint64_t id) {
    ChildMessage message;
    message.mutable_log_level_set()->set_id(id);
    return Frame(message.SerializeAsString());
  }
  static SupervisorMessage LevelOf(size_t bytes) {
    SupervisorMessage message;
    message.mutable_set_log_level()->set_level(std::string(bytes, 'x'));
    return message;
  }
  std::vector<uint64_t> ReadIds() {
    std::vector<uint64_t> ids;
    for (const ChildMessage& message : channel_.Read()) ids.push_back(message.log_level_set().id());
    return ids;
  }
  // Sends until the kernel takes no more.
  void FillSocket() {
    while (channel_.waiting_bytes() == 0) ASSERT_TRUE(channel_.Send(LevelOf(50'000)));
  }

  CommandChannel channel_;
  int child_ = -1;
};

using Ids = std::vector<uint64_t>;

TEST_F(CommandChannelTest, ReadsWhatHasComeAndNeverWaits) {
  EXPECT_EQ(ReadIds(), Ids());
  Write(Acknowledged(1) + Acknowledged(2));
  EXPECT_EQ(ReadIds(), (Ids{1, 2}));
  EXPECT_TRUE(channel_.open());
}

TEST_F(CommandChannelTest, MessagesMayComeByteByByte) {
  const std::string bytes = Acknowledged(7);
  for (size_t at = 0; at + 1 < bytes.size(); ++at) {
    Write(bytes.substr(at, 1));
    ASSERT_EQ(ReadIds(), Ids());
  }
  Write(bytes.substr(bytes.size() - 1));
  EXPECT_EQ(ReadIds(), Ids{7});
}

TEST_F(CommandChannelTest, LastWordsAreReadBeforeTheEnd) {
  Write(Acknowledged(1));
  CloseChild();
  EXPECT_EQ(ReadIds(), Ids{1});
  EXPECT_FALSE(channel_.open());
  EXPECT_EQ(channel_.fd(), -1);
  EXPECT_EQ(ReadIds(), Ids());
}

TEST_F(CommandChannelTest, TheEndOfTheChildIsNoErrorInTheLog) {
  testing::internal::CaptureStderr();
  Write(std::string_view("\0\0\0\5ab", 6));
  CloseChild();
  ReadIds();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(CommandChannelTest, NonsenseClosesItAfterWhatWasRight) {
  testing::internal::CaptureStderr();
  Write(Acknowledged(1) + Frame("\xff\xff\xff") + Acknowledged(2));
  EXPECT_EQ(ReadIds(), Ids{1});
  EXPECT_FALSE(channel_.open());
  EXPECT_FALSE(channel_.Send(LevelOf(1)));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("command channel closed; the child goes on without it"), log.npos) << log;
  EXPECT_NE(log.find("name=grove-w1"), log.npos) << log;
}

TEST_F(CommandChannelTest, AMessageAboveTheLimitClosesItAtItsLength) {
  const auto allowed = link::EncodeFrameLength(kChildMessageBytesMax);
  Write(std::string_view(allowed.data(), allowed.size()));
  EXPECT_EQ(ReadIds(), Ids());
  EXPECT_TRUE(channel_.open());
}

TEST_F(CommandChannelTest, AMessageOneByteAboveTheLimitClosesIt) {
  const auto refused = link::EncodeFrameLength(kChildMessageBytesMax + 1);
  Write(std::string_view(refused.data(), refused.size()));
  EXPECT_EQ(ReadIds(), Ids());
  EXPECT_FALSE(channel_.open());
}

TEST_F(CommandChannelTest, MessagesOfANewerChildAreTaken) {
  // Field 99, which this build does not know.
  Write(Frame("\x98\x06\x01"));
  const std::vector<ChildMessage> messages = channel_.Read();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind_case(), ChildMessage::KIND_NOT_SET);
}

TEST_F(CommandChannelTest, SendsAtOnceWhatTheKernelTakes) {
  ASSERT_TRUE(channel_.Send(LevelOf(10)));
  EXPECT_EQ(channel_.events(), POLLIN);
  EXPECT_EQ(ReadAll(), Frame(LevelOf(10).SerializeAsString()));
}

TEST_F(CommandChannelTest, WhatTheChildDoesNotReadWaitsAndComesWhole) {
  FillSocket();
  EXPECT_EQ(channel_.events(), POLLIN | POLLOUT);
  ASSERT_TRUE(channel_.Send(LevelOf(3)));
  std::string all;
  while (channel_.waiting_bytes() > 0) {
    all += ReadAll();
    channel_.Flush();
  }
  all += ReadAll();
  EXPECT_EQ(channel_.events(), POLLIN);
  EXPECT_EQ(all.size() % Frame(LevelOf(50'000).SerializeAsString()).size(),
            Frame(LevelOf(3).SerializeAsString()).size());
  EXPECT_TRUE(all.ends_with(Frame(LevelOf(3).SerializeAsString())));
}

TEST_F(CommandChannelTest, AChildThatNeverReadsLosesItBeforeTheBacklogGrowsBeyondItsBound) {
  testing::internal::CaptureStderr();
  FillSocket();
  size_t most = 0;
  while (channel_.Send(LevelOf(50'000))) most = std::max(most, channel_.waiting_bytes());
  EXPECT_FALSE(channel_.open());
  EXPECT_LE(most, kCommandBacklogBytesMax + 100);
  EXPECT_GT(most, kCommandBacklogBytesMax / 2);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("it does not read"), log.npos) << log;
}

TEST_F(CommandChannelTest, AFirstMessageMayBeLargerThanTheBacklog) {
  EXPECT_TRUE(channel_.Send(LevelOf(2 * kCommandBacklogBytesMax)));
  EXPECT_GT(channel_.waiting_bytes(), kCommandBacklogBytesMax);
}

TEST_F(CommandChannelTest, SendingToADeadChildIsNoErrorAndLastWordsAreStillRead) {
  Write(Acknowledged(1));
  CloseChild();
  EXPECT_TRUE(channel_.Send(LevelOf(1)));
  EXPECT_EQ(channel_.waiting_bytes(), 0u);
  EXPECT_EQ(ReadIds(), Ids{1});
  EXPECT_FALSE(channel_.open());
}

TEST_F(CommandChannelTest, OneReadTakesNoMoreThanItsBound) {
  ChildMessage message;
  message.mutable_config_applied()->mutable_status()->set_message(std::string(100'000, 'x'));
  const std::string frame = Frame(message.SerializeAsString());
  int size = 1 << 20;
  ASSERT_EQ(setsockopt(child_, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0 ||
                setsockopt(child_, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0,
            true);
  size_t written = 0;
  fcntl(child_, F_SETFL, O_NONBLOCK);
  for (ssize_t put;
       (put = write(child_, frame.data(), frame.size())) == static_cast<ssize_t>(frame.size());) {
    ++written;
  }
  ASSERT_GT(written, 3u);
  EXPECT_LE(channel_.Read().size(), kCommandReadBytesMax / frame.size() + 1);
  EXPECT_TRUE(channel_.open());
}

TEST(CommandChannel, EndsAreCloseOnExec) {
  auto opened = CommandChannel::Open("grove-control");
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(fcntl(opened->first.fd(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(opened->second, F_GETFD), FD_CLOEXEC);
  close(opened->second);
}

TEST(CommandChannel, ToNobodySaysAndHearsNothing) {
  CommandChannel none;
  EXPECT_FALSE(none.open());
  EXPECT_TRUE(none.Read().empty());
  EXPECT_FALSE(none.Send(SupervisorMessage()));
  none.Flush();
}

}  // namespace
}  // namespace grove::process

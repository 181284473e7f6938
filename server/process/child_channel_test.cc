#include "server/process/child_channel.h"

#include <sys/socket.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub_fixture.h"
#include "server/link/frame.h"
#include "server/log.h"
#include "server/process/command_channel.h"

namespace grove::process {
namespace {

using internal::v1::ChildMessage;
using internal::v1::SupervisorMessage;

// A child's end on its hub, and the supervisor's beside it.
class ChildChannelTest : public HubTest {
 protected:
  // Runs `body` on a fiber while the channel runs on another one.
  void Talk(absl::AnyInvocable<void()> body) {
    RunOn(*hub_, [&] {
      auto opened = CommandChannel::Open("grove-w0");
      ASSERT_TRUE(opened.ok());
      supervisor_ = std::move(opened->first);
      running_ = *Spawn("channel", [this, fd = opened->second] { return child_.Run(fd); });
      Yield();
      body();
      running_.Cancel();
      running_.Join().IgnoreError();
      running_ = FiberHandle();
      supervisor_.Close();
    });
  }
  // The next that the child says.
  ChildMessage Hear() {
    for (;;) {
      std::vector<ChildMessage> messages = supervisor_.Read();
      if (!messages.empty() || !supervisor_.open()) {
        return messages.empty() ? ChildMessage() : messages.front();
      }
      Yield();
    }
  }
  void AwaitHeard(size_t count) {
    while (heard_.size() < count) Yield();
  }

  std::vector<std::string> heard_;
  ChildChannel child_{{
      .reply =
          [this](const internal::v1::OperationReply& reply) {
            heard_.push_back(absl::StrCat("reply ", reply.id()));
          },
      .operations =
          [this](const internal::v1::OperationsChanged& changed) {
            heard_.push_back(absl::StrCat("operations ", changed.operations_size()));
          },
      .apply_config =
          [this](const internal::v1::ApplyConfig& apply) {
            heard_.push_back(absl::StrCat("config ", apply.generation()));
          },
      .ended = [this] { heard_.emplace_back("ended"); },
  }};
  CommandChannel supervisor_;
  FiberHandle running_;
};

using Heard = std::vector<std::string>;

TEST_F(ChildChannelTest, HandsWhatComesToItsHandlerInOrder) {
  Talk([&] {
    SupervisorMessage message;
    message.mutable_operations()->add_operations();
    supervisor_.Send(message);
    message.mutable_reply()->set_id(4);
    supervisor_.Send(message);
    message.mutable_apply_config()->set_generation(2);
    supervisor_.Send(message);
    AwaitHeard(3);
    EXPECT_EQ(heard_, (Heard{"operations 1", "reply 4", "config 2"}));
  });
}

TEST_F(ChildChannelTest, SaysWhatItIsGiven) {
  Talk([&] {
    ChildMessage message;
    message.mutable_request()->set_id(9);
    ASSERT_TRUE(child_.Send(message).ok());
    EXPECT_EQ(Hear().request().id(), 9u);
  });
}

TEST_F(ChildChannelTest, SetsTheLogLevelItselfAndSaysSo) {
  SetLogLevel(LogLevel::kError);
  Talk([&] {
    SupervisorMessage message;
    message.mutable_set_log_level()->set_id(3);
    message.mutable_set_log_level()->set_level("warning");
    supervisor_.Send(message);
    EXPECT_EQ(Hear().log_level_set().id(), 3u);
    testing::internal::CaptureStderr();
    Log(LogLevel::kWarning, "audible");
    EXPECT_NE(testing::internal::GetCapturedStderr().find("audible"), std::string::npos);
  });
}

TEST_F(ChildChannelTest, TheSupervisorsEndEndsItWithoutAnError) {
  Talk([&] {
    supervisor_.Close();
    EXPECT_TRUE(running_.Join().ok());
    EXPECT_EQ(heard_, Heard{"ended"});
    EXPECT_FALSE(child_.open());
    EXPECT_TRUE(absl::IsUnavailable(child_.Send(ChildMessage())));
  });
}

TEST_F(ChildChannelTest, WhatANewerSupervisorSaysIsPassedOver) {
  Talk([&] {
    supervisor_.Send(SupervisorMessage());
    SupervisorMessage message;
    message.mutable_reply()->set_id(1);
    supervisor_.Send(message);
    AwaitHeard(1);
    EXPECT_EQ(heard_, Heard{"reply 1"});
  });
}

TEST_F(ChildChannelTest, NonsenseEndsItWithAnErrorInTheLogAlone) {
  Talk([&] {
    testing::internal::CaptureStderr();
    const std::string nonsense("\0\0\0\1\xff", 5);
    ASSERT_EQ(send(supervisor_.fd(), nonsense.data(), nonsense.size(), 0), 5);
    EXPECT_TRUE(running_.Join().ok());
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("no SupervisorMessage"), log.npos) << log;
  });
}

TEST_F(ChildChannelTest, AMessageAboveTheLimitIsRefusedAndTheChannelGoesOn) {
  Talk([&] {
    ChildMessage message;
    message.mutable_request()->set_requested_by(std::string(kChildMessageBytesMax, 'x'));
    EXPECT_TRUE(absl::IsInvalidArgument(child_.Send(message)));
    message.mutable_request()->set_requested_by("local");
    EXPECT_TRUE(child_.Send(message).ok());
    EXPECT_EQ(Hear().request().requested_by(), "local");
  });
}

TEST_F(ChildChannelTest, ASupervisorThatDoesNotReadGetsNoMoreThanTheBacklog) {
  Talk([&] {
    ChildMessage message;
    message.mutable_request()->set_requested_by(std::string(kChildMessageBytesMax / 2, 'x'));
    absl::Status sent;
    for (int i = 0; sent.ok() && i < 100; ++i) sent = child_.Send(message);
    EXPECT_TRUE(absl::IsResourceExhausted(sent)) << sent;
  });
}

TEST(ChildChannel, BeforeItRunsNothingIsSent) {
  ChildChannel channel({});
  EXPECT_TRUE(absl::IsUnavailable(channel.Send(ChildMessage())));
}

}  // namespace
}  // namespace grove::process

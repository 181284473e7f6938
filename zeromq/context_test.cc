#include "zeromq/context.h"

#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "runtime/hub/timeout.h"
#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

class ContextTest : public SocketTest {};

TEST_F(ContextTest, OptionsOutOfRangeAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(Context::Create({.io_threads = 0}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Context::Create({.sockets_max = -1}).status()));
}

TEST_F(ContextTest, TooManySocketsAreRefused) {
  context_ = *Context::Create({.sockets_max = 2});
  Run([this] {
    auto one = Open(SocketType::kPair);
    auto two = Open(SocketType::kPair);
    EXPECT_TRUE(absl::IsResourceExhausted(Socket::Open(*context_, SocketType::kPair).status()));
  });
}

TEST_F(ContextTest, ClosesOnceItsSocketsAreClosedAndOpensNoMore) {
  Run([this] {
    auto socket = Open(SocketType::kPair);
    EXPECT_TRUE(absl::IsFailedPrecondition(context_->Close()));
    socket->Close();
    EXPECT_TRUE(context_->Close().ok());
    EXPECT_TRUE(context_->Close().ok());
    EXPECT_TRUE(absl::IsAborted(Socket::Open(*context_, SocketType::kPair).status()));
  });
}

TEST_F(ContextTest, ItsCloseWaitsForWhatWasSentWithoutHoldingUpTheHub) {
  Run([this] {
    auto receiving = *Context::Create();
    auto pull = *Socket::Open(*receiving, SocketType::kPull);
    const std::string address = *pull->Bind("tcp://127.0.0.1:*");
    auto push = Open(SocketType::kPush, {.linger = absl::InfiniteDuration()});
    EXPECT_TRUE(push->Connect(address).ok());
    constexpr int kMessages = 5000;  // more than the high water marks and the kernel hold
    auto receiver = *Spawn("receiver", [&] {
      for (int i = 0; i < kMessages; ++i) EXPECT_EQ(pull->Receive()->at(0).size(), 1000u);
    });
    for (int i = 0; i < kMessages; ++i) EXPECT_TRUE(push->Send(std::string(1000, 'x')).ok());
    push->Close();
    EXPECT_TRUE(context_->Close().ok());
    EXPECT_TRUE(receiver.Join().ok());
  });
}

TEST_F(ContextTest, ATimeoutEndsTheWaitForAPeerThatIsAway) {
  Run([this] {
    auto push = Open(SocketType::kPush, {.linger = absl::InfiniteDuration()});
    auto pull = Open(SocketType::kPull);
    const std::string address = *pull->Bind("tcp://127.0.0.1:*");
    EXPECT_TRUE(pull->Unbind(address).ok());
    EXPECT_TRUE(push->Connect(address).ok());
    EXPECT_TRUE(push->Send("to nobody").ok());
    push->Close();
    pull->Close();
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(context_->Close()));
    }
    auto late_context = *Context::Create();
    auto late = *Socket::Open(*late_context, SocketType::kPull);
    while (!late->Bind(address).ok()) Yield();
    EXPECT_EQ(Text(late->Receive()), "to nobody");
    EXPECT_TRUE(context_->Close().ok());
  });
}

TEST_F(ContextTest, WithoutLingerWhatWasNotSentIsDropped) {
  Run([this] {
    auto push = Open(SocketType::kPush, {.linger = absl::ZeroDuration()});
    EXPECT_TRUE(push->Connect("tcp://127.0.0.1:9").ok());
    EXPECT_TRUE(push->Send("to nobody").ok());
    push->Close();
    EXPECT_TRUE(context_->Close().ok());
  });
}

TEST_F(ContextTest, InAForkedChildItMayDieButNotBeUsed) {
#if defined(GROVE_TSAN)
  GTEST_SKIP() << "TSan bears no fork beside threads";
#endif
  Run([this] {
    auto socket = Open(SocketType::kPair);
    const auto in_child = [](absl::FunctionRef<void()> body) {
      const pid_t child = fork();
      if (child == 0) {
        fclose(stderr);
        alarm(60);  // if it waits for ever after all
        body();
        _exit(0);
      }
      int status = 0;
      EXPECT_EQ(waitpid(child, &status, 0), child);
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    };
    EXPECT_EQ(in_child([&] { (void)Socket::Open(*context_, SocketType::kPair); }), 128 + SIGABRT);
    EXPECT_EQ(in_child([&] { (void)socket->Send("m"); }), 128 + SIGABRT);
    EXPECT_EQ(in_child([&] { context_ = nullptr; }), 0);
  });
}

TEST_F(ContextTest, OneThatDiesBeforeItsSocketsFailsACheck) {
  EXPECT_DEATH(Run([this] {
                 auto socket = Open(SocketType::kPair);
                 context_ = nullptr;
               }),
               "died while sockets of it are open");
}

}  // namespace
}  // namespace grove::zeromq

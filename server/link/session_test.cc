#include "server/link/session.h"

#include <sys/socket.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"

namespace grove::link {
namespace {

using ::testing::ElementsAre;

// One end of a link: says what it is told to, remembers what it hears.
class SessionTest : public HubTest {
 protected:
  // Runs `body` on a fiber, with the session on another one.
  void Converse(absl::AnyInvocable<void()> body) {
    EXPECT_TRUE(hub_->Run([&]() -> void {
                      int ends[2];
                      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
                      peer_ = *Socket::Adopt(ends[0]);
                      Session session(*Socket::Adopt(ends[1]));
                      session_ = &session;
                      fiber_ = *Spawn("near", [&] {
                        return session.Run([this](std::string_view bytes) { return Take(bytes); },
                                           [this] { return Next(); });
                      });
                      body();
                      fiber_.Cancel();
                      fiber_.Join().IgnoreError();
                      fiber_ = FiberHandle();
                      peer_.Close();
                    })
                    .ok());
  }

  absl::Status Take(std::string_view bytes) {
    heard_.emplace_back(bytes);
    if (bytes == "nonsense") return absl::InvalidArgumentError("not of this link");
    if (bytes == "enough") session_->End(absl::AbortedError("enough"));
    took_.Set();
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Next() {
    while (to_say_.empty()) {
      say_.Reset();
      if (absl::Status status = say_.Wait(); !status.ok()) return status;
    }
    std::string bytes = std::move(to_say_.front());
    to_say_.pop_front();
    if (bytes == "broken") return absl::InternalError("cannot be said");
    return bytes;
  }
  void Say(std::string bytes) {
    to_say_.push_back(std::move(bytes));
    say_.Set();
  }
  void AwaitTaken() {
    took_.Reset();
    ASSERT_TRUE(took_.Wait().ok());
  }

  Socket peer_;
  Session* session_ = nullptr;
  FiberHandle fiber_;
  std::vector<std::string> heard_;
  std::deque<std::string> to_say_;
  Event say_;
  Event took_;
};

TEST_F(SessionTest, ReadsWhileItWrites) {
  Converse([&] {
    // More than the socket holds: the writer parks until the peer reads.
    Say(std::string(4 << 20, 'x'));
    ASSERT_TRUE(WriteFrame(peer_, "hello").ok());
    AwaitTaken();
    EXPECT_THAT(heard_, ElementsAre("hello"));
    EXPECT_EQ(ReadFrame(peer_)->size(), 4u << 20);
    Say("last");
    EXPECT_EQ(*ReadFrame(peer_), "last");
  });
}

TEST_F(SessionTest, EndsWithThePeer) {
  Converse([&] {
    peer_.Close();
    EXPECT_TRUE(absl::IsOutOfRange(fiber_.Join()));
  });
}

TEST_F(SessionTest, HearsWhatAPeerSaidBeforeItClosed) {
  Converse([&] {
    ASSERT_TRUE(WriteFrame(peer_, "last words").ok());
    peer_.Close();
    // The writer finds the stream broken at once.
    Say("too late");
    EXPECT_TRUE(absl::IsOutOfRange(fiber_.Join()));
    EXPECT_THAT(heard_, ElementsAre("last words"));
  });
}

TEST_F(SessionTest, APeerThatWritesNoMoreIsGoneEvenIfItReads) {
  Converse([&] {
    ASSERT_TRUE(peer_.ShutdownWrite().ok());
    EXPECT_TRUE(absl::IsOutOfRange(fiber_.Join()));
    EXPECT_FALSE(ReadFrame(peer_).ok());
  });
}

TEST_F(SessionTest, AFrameThatBreaksOffIsABrokenStream) {
  Converse([&] {
    ASSERT_TRUE(peer_.Write(std::string_view("\0\0\0\5ab", 6)).ok());
    peer_.Close();
    EXPECT_TRUE(absl::IsUnavailable(fiber_.Join()));
  });
}

TEST_F(SessionTest, EndsWithTheErrorOfWhoTakes) {
  Converse([&] {
    ASSERT_TRUE(WriteFrame(peer_, "nonsense").ok());
    EXPECT_TRUE(absl::IsInvalidArgument(fiber_.Join()));
  });
}

TEST_F(SessionTest, EndsWithTheErrorOfWhoSays) {
  Converse([&] {
    Say("broken");
    EXPECT_TRUE(absl::IsInternal(fiber_.Join()));
  });
}

TEST_F(SessionTest, EndsWithAFrameThatIsTooLargeToWrite) {
  Converse([&] {
    Say(std::string(kFrameBytesMax + 1, 'x'));
    EXPECT_TRUE(absl::IsInvalidArgument(fiber_.Join()));
  });
}

TEST_F(SessionTest, TakesNothingAfterItsEnd) {
  Converse([&] {
    ASSERT_TRUE(WriteFrame(peer_, "enough").ok());
    ASSERT_TRUE(WriteFrame(peer_, "more").ok());
    EXPECT_TRUE(absl::IsAborted(fiber_.Join()));
    EXPECT_THAT(heard_, ElementsAre("enough"));
  });
}

TEST_F(SessionTest, TheFirstEndCounts) {
  Converse([&] {
    session_->End(absl::AbortedError("another one came"));
    session_->End(absl::InternalError("later"));
    EXPECT_TRUE(absl::IsAborted(fiber_.Join()));
  });
}

TEST_F(SessionTest, EndsWhenItsFiberIsCancelledThoughThePeerReadsNothing) {
  Converse([&] {
    Say(std::string(4 << 20, 'x'));
    Yield();
    fiber_.Cancel();
    EXPECT_TRUE(absl::IsCancelled(fiber_.Join()));
  });
}

}  // namespace
}  // namespace grove::link

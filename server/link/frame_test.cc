#include "server/link/frame.h"

#include <sys/socket.h>

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::link {
namespace {

// Runs `body` on a fiber with both ends of a stream.
void WithPair(absl::AnyInvocable<void(Socket&, Socket&)> body) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  auto hub = Hub::Create();
  ASSERT_TRUE(hub.ok()) << hub.status();
  RunOn(**hub, [&] {
    auto a = Socket::Adopt(fds[0]);
    auto b = Socket::Adopt(fds[1]);
    ASSERT_TRUE(a.ok() && b.ok());
    body(*a, *b);
  });
}

TEST(Frame, ReadsBackWhatWasWritten) {
  WithPair([](Socket& a, Socket& b) {
    ASSERT_TRUE(WriteFrame(a, "hello").ok());
    ASSERT_TRUE(WriteFrame(a, "").ok());
    EXPECT_EQ(*ReadFrame(b), "hello");
    EXPECT_EQ(*ReadFrame(b), "");
  });
}

TEST(Frame, CarriesFramesLargerThanTheFirstPiece) {
  WithPair([](Socket& a, Socket& b) {
    std::string large(5 << 20, 'x');
    large.back() = 'y';
    auto writer = Spawn("writer", [&] { EXPECT_TRUE(WriteFrame(a, large).ok()); });
    EXPECT_TRUE(*ReadFrame(b) == large);
    EXPECT_TRUE(writer->Join().ok());
  });
}

TEST(Frame, LengthStandsBigEndianBeforeTheBytes) {
  WithPair([](Socket& a, Socket& b) {
    ASSERT_TRUE(WriteFrame(a, "ab").ok());
    std::array<char, 6> bytes;
    ASSERT_TRUE(b.ReadFull(bytes).ok());
    EXPECT_EQ(std::string_view(bytes.data(), bytes.size()), std::string_view("\0\0\0\2ab", 6));
  });
}

TEST(Frame, LengthAtTheLimitIsTakenAndAboveItRefused) {
  WithPair([](Socket& a, Socket& b) {
    ASSERT_TRUE(WriteFrame(a, "1234").ok());
    EXPECT_TRUE(ReadFrame(b, 4).ok());
    ASSERT_TRUE(WriteFrame(a, "12345").ok());
    EXPECT_EQ(ReadFrame(b, 4).status().code(), absl::StatusCode::kInvalidArgument);
  });
}

TEST(Frame, EndBetweenFramesDiffersFromEndInsideOne) {
  WithPair([](Socket& a, Socket& b) {
    ASSERT_TRUE(WriteFrame(a, "x").ok());
    a.Close();
    EXPECT_TRUE(ReadFrame(b).ok());
    EXPECT_TRUE(absl::IsOutOfRange(ReadFrame(b).status()));
  });
  WithPair([](Socket& a, Socket& b) {
    ASSERT_TRUE(a.Write(std::string_view("\0\0\0\5ab", 6)).ok());
    a.Close();
    EXPECT_TRUE(absl::IsUnavailable(ReadFrame(b).status()));
  });
}

}  // namespace
}  // namespace grove::link

#include "runtime/watch/blocked_call.h"

#include <gtest/gtest.h>

namespace grove {
namespace {

using State = BlockedCall::State;

TEST(BlockedCall, OfAThreadThatComputesIsNone) {
  EXPECT_EQ(ParseBlockedCall("running\n").ToString(), "computes");
  EXPECT_EQ(ParseBlockedCall("-1 0x7ffd0 0x55d0\n").ToString(), "computes");
}

TEST(BlockedCall, NamesTheCallAndItsDescriptor) {
  const BlockedCall call = ParseBlockedCall("0 0x1f 0x7f1 0x20 0x0 0x0 0x0 0x7ffe 0x7f11\n");
  EXPECT_EQ(call.name, "read");
  EXPECT_EQ(call.fd, 31);
  EXPECT_EQ(call.ToString(), "read(fd 31)");
}

TEST(BlockedCall, TakesNoOtherFirstArgumentForADescriptor) {
  const BlockedCall call = ParseBlockedCall("202 0x7f0 0x80 0x0 0x0 0x0 0x0 0x7ffe 0x7f11\n");
  EXPECT_EQ(call.fd, -1);
  EXPECT_EQ(call.ToString(), "futex()");
}

TEST(BlockedCall, ShowsTheNumberOfACallWithoutAName) {
  EXPECT_EQ(ParseBlockedCall("9999 0x3 0x0\n").ToString(), "syscall 9999()");
}

TEST(BlockedCall, SaysThatItDoesNotKnow) {
  for (const char* text : {"", "\n", "what", "permission denied"}) {
    EXPECT_EQ(ParseBlockedCall(text).state, State::kUnknown) << text;
  }
  EXPECT_EQ(ReadBlockedCall(-1).ToString(), "unknown");
}

TEST(BlockedCall, ShowsWhatTheDescriptorIsAndWhereTheKernelWaits) {
  BlockedCall call = ParseBlockedCall("0 0x7 0x0\n");
  call.fd_target = "pipe:[4711]";
  call.wait_channel = "pipe_read";
  EXPECT_EQ(call.ToString(), "read(fd 7 pipe:[4711]) in pipe_read");
}

}  // namespace
}  // namespace grove

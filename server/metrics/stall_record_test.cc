#include "server/metrics/stall_record.h"

#include "gtest/gtest.h"

namespace grove::metrics {
namespace {

StallRecord Stall() {
  return {.held_ms = 120,
          .fiber = 7,
          .name = "http.connection",
          .spawned_at = "a.cc:1",
          .tenant = "acme",
          .task = "t/1",
          .call = "read(fd 7)",
          .stack = {"f()", "g()"}};
}

TEST(StallRecord, ComesBackAsItWas) {
  const auto stalls = DecodeStalls({{.time_us = 5, .text = EncodeStall(Stall())}});
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_EQ(stalls[0].time_us, 5);
  EXPECT_EQ(stalls[0].held_ms, 120);
  EXPECT_FALSE(stalls[0].ended);
  EXPECT_EQ(stalls[0].name + stalls[0].spawned_at + stalls[0].tenant + stalls[0].task,
            "http.connectiona.cc:1acmet/1");
  EXPECT_EQ(stalls[0].call, "read(fd 7)");
  EXPECT_EQ(stalls[0].stack, (std::vector<std::string>{"f()", "g()"}));
}

TEST(StallRecord, AnEndIsPutIntoItsStall) {
  const StallRecord end{.held_ms = 900, .ended = true, .fiber = 7, .name = "http.connection"};
  const auto stalls = DecodeStalls({{.text = EncodeStall(Stall())}, {.text = EncodeStall(end)}});
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_TRUE(stalls[0].ended);
  EXPECT_EQ(stalls[0].held_ms, 900);
  EXPECT_EQ(stalls[0].stack.size(), 2u);
}

TEST(StallRecord, LeavesOutOuterFramesWhereItWouldBeTooLong) {
  StallRecord stall = Stall();
  stall.stack.assign(64, std::string(300, 'f'));
  const std::string line = EncodeStall(stall);
  EXPECT_LE(line.size(), RecentLog::kLineBytesMax);
  EXPECT_GT(DecodeStalls({{.text = line}})[0].stack.size(), 5u);
}

TEST(StallRecord, RubbishIsLeftOut) {
  EXPECT_TRUE(DecodeStalls({{.text = ""},
                            {.text = "stall\x1fx"},
                            {.text = "a\x1f"
                                     "b\x1f"
                                     "c"}})
                  .empty());
}

}  // namespace
}  // namespace grove::metrics

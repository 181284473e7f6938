#include "client/cli/text.h"

#include <gtest/gtest.h>

#include "grove/v1/task_service.pb.h"

namespace grove::client::cli {
namespace {

google::protobuf::Timestamp At(int64_t seconds) {
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  return time;
}

TEST(Escape, DisarmsWhatATerminalWouldObey) {
  EXPECT_EQ(Escape("a\x1b[31m\n\t\x7f"), "a\\x1b[31m\\n\\t\\x7f");
  EXPECT_EQ(Escape("\xc2\x9b"), "\\u009b");
  EXPECT_EQ(Escape("\xe2\x80\xae"), "\\u202e");
}

TEST(Escape, KeepsUtf8AndShowsBrokenBytes) {
  EXPECT_EQ(Escape("né €"), "né €");
  EXPECT_EQ(Escape("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Escape("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80"));
}

TEST(Cut, CountsCharactersNotBytes) {
  EXPECT_EQ(Cut("ééé", 3), "ééé");
  EXPECT_EQ(Cut("éééé", 3), "éé…");
}

TEST(DurationText, ShowsTwoUnitsAtMost) {
  EXPECT_EQ(DurationText(absl::Microseconds(70)), "70us");
  EXPECT_EQ(DurationText(absl::Milliseconds(999)), "999ms");
  EXPECT_EQ(DurationText(absl::Milliseconds(1500)), "1.50s");
  EXPECT_EQ(DurationText(absl::Milliseconds(9999)), "9.99s");
  EXPECT_EQ(DurationText(absl::Seconds(59)), "59s");
  EXPECT_EQ(DurationText(absl::Seconds(200)), "3m20s");
  EXPECT_EQ(DurationText(absl::Hours(52)), "2d4h");
}

TEST(AgeText, LooksBackAndForward) {
  const absl::Time now = absl::FromUnixSeconds(1000);
  EXPECT_EQ(AgeText(At(997), now), "3s ago");
  EXPECT_EQ(AgeText(At(1005), now), "in 5s");
  EXPECT_EQ(AgeText(At(1000), now), "now");
  EXPECT_EQ(AgeText(At(0), now), "-");
}

TEST(BytesText, ChangesUnitAt1024) {
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(1024), "1.0 KiB");
  EXPECT_EQ(BytesText(5 << 20), "5.0 MiB");
}

TEST(ShortEnumName, DropsTheTypesPrefix) {
  EXPECT_EQ(ShortEnumName(*v1::TaskState_descriptor(), v1::TASK_STATE_TIMED_OUT), "TIMED_OUT");
  EXPECT_EQ(ShortEnumName(*v1::Attempt::State_descriptor(), v1::Attempt::STATE_INTERRUPTED),
            "INTERRUPTED");
  EXPECT_EQ(ShortEnumName(*v1::TaskState_descriptor(), 99), "99");
}

}  // namespace
}  // namespace grove::client::cli

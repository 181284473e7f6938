#include "proto/well_known_times.h"

#include "gtest/gtest.h"

namespace grove::proto {
namespace {

TEST(WellKnownTimes, DurationsComeBack) {
  for (int64_t us : {int64_t{0}, int64_t{1}, int64_t{999'999}, int64_t{1'000'000}, int64_t{-1},
                     int64_t{-1'500'000}}) {
    google::protobuf::Duration duration;
    SetMicros(us, &duration);
    EXPECT_EQ(ToMicros(duration), us);
    EXPECT_LT(std::abs(duration.nanos()), 1'000'000'000);
  }
}

TEST(WellKnownTimes, ADurationBelowAMicrosecondIsNotNothing) {
  google::protobuf::Duration duration;
  duration.set_nanos(1);
  EXPECT_EQ(ToMicros(duration), 1);
  duration.set_nanos(-1);
  EXPECT_EQ(ToMicros(duration), -1);
}

TEST(WellKnownTimes, TimesComeBack) {
  google::protobuf::Timestamp time;
  SetMicros(1'700'000'000'000'001, &time);
  EXPECT_EQ(time.seconds(), 1'700'000'000);
  EXPECT_EQ(time.nanos(), 1000);
  EXPECT_EQ(ToMicros(time), 1'700'000'000'000'001);
}

}  // namespace
}  // namespace grove::proto

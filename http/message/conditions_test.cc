#include "http/message/conditions.h"

#include <vector>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

constexpr char kBefore[] = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr char kModified[] = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr char kAfter[] = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr std::time_t kModifiedSeconds = 784111777;
constexpr std::time_t kNow = 1'800'000'000;
constexpr Validators kCurrent{.etag = "\"a\"", .last_modified = kModifiedSeconds};

using Given = std::vector<Field>;

Verdict Judge(const Given& fields) {
  return JudgeConditions(fields, kCurrent, kNow);
}

TEST(Conditions, WithoutAnyItProceeds) {
  EXPECT_EQ(Judge({}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"Accept", "*"}, {"Range", "bytes=0-1"}}), Verdict::kProceed);
}

TEST(Conditions, IfMatchComparesStrongly) {
  EXPECT_EQ(Judge({{"If-Match", "\"a\""}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"if-match", "\"x\", \"a\""}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-Match", "*"}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-Match", "\"x\""}}), Verdict::kFailed);
  EXPECT_EQ(Judge({{"If-Match", "W/\"a\""}}), Verdict::kFailed);
  EXPECT_EQ(Judge({{"If-Match", ""}}), Verdict::kFailed);
}

TEST(Conditions, IfNoneMatchComparesWeakly) {
  EXPECT_EQ(Judge({{"If-None-Match", "\"a\""}}), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-None-Match", "W/\"a\""}}), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-None-Match", "\"x\" ,,W/\"y\",\"a\""}}), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-None-Match", "*"}}), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-None-Match", "\"x\""}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-None-Match", "a"}}), Verdict::kProceed);
}

TEST(Conditions, TagsOfSeveralFieldsAreOneList) {
  EXPECT_EQ(Judge({{"If-None-Match", "\"x\""}, {"If-None-Match", "\"a\""}}), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-Match", "\"x\""}, {"If-Match", "\"a\""}}), Verdict::kProceed);
}

TEST(Conditions, ATagMayHoldACommaButIsNoPartOfAnother) {
  constexpr Validators comma{.etag = "\"a,b\"", .last_modified = kModifiedSeconds};
  const Given fields = {{"If-None-Match", "\"x\", \"a,b\""}};
  EXPECT_EQ(JudgeConditions(fields, comma, kNow), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-None-Match", "\"a,b\""}}), Verdict::kProceed);
}

TEST(Conditions, DatesCompareBySeconds) {
  EXPECT_EQ(Judge({{"If-Modified-Since", kBefore}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-Modified-Since", kModified}}), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-Modified-Since", kAfter}}), Verdict::kNotModified);
  EXPECT_EQ(Judge({{"If-Unmodified-Since", kBefore}}), Verdict::kFailed);
  EXPECT_EQ(Judge({{"If-Unmodified-Since", kModified}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-Unmodified-Since", kAfter}}), Verdict::kProceed);
}

TEST(Conditions, AMalformedOrRepeatedDateIsIgnored) {
  EXPECT_EQ(Judge({{"If-Modified-Since", "yesterday"}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-Unmodified-Since", "0"}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-Modified-Since", kAfter}, {"If-Modified-Since", kAfter}}),
            Verdict::kProceed);
}

TEST(Conditions, TagsTakePrecedenceOverDates) {
  EXPECT_EQ(Judge({{"If-Match", "\"a\""}, {"If-Unmodified-Since", kBefore}}), Verdict::kProceed);
  EXPECT_EQ(Judge({{"If-None-Match", "\"x\""}, {"If-Modified-Since", kAfter}}), Verdict::kProceed);
}

TEST(Conditions, WhatMustHoldIsJudgedBeforeWhatMustNot) {
  EXPECT_EQ(Judge({{"If-None-Match", "\"a\""}, {"If-Match", "\"x\""}}), Verdict::kFailed);
  EXPECT_EQ(Judge({{"If-None-Match", "\"a\""}, {"If-Unmodified-Since", kBefore}}),
            Verdict::kFailed);
  EXPECT_EQ(Judge({{"If-Match", "\"a\""}, {"If-None-Match", "\"a\""}}), Verdict::kNotModified);
}

TEST(RangeStands, WithoutIfRangeOrWithTheCurrentOne) {
  const auto stands = [](const Given& fields) { return RangeStands(fields, kCurrent, kNow); };
  EXPECT_TRUE(stands({}));
  EXPECT_TRUE(stands({{"If-Range", "\"a\""}}));
  EXPECT_FALSE(stands({{"If-Range", "W/\"a\""}}));
  EXPECT_FALSE(stands({{"If-Range", "\"x\""}}));
  EXPECT_TRUE(stands({{"If-Range", kModified}}));
  EXPECT_FALSE(stands({{"If-Range", kBefore}}));
  EXPECT_FALSE(stands({{"If-Range", kAfter}}));
  EXPECT_FALSE(stands({{"If-Range", "rubbish"}}));
  EXPECT_FALSE(stands({{"If-Range", "\"a\""}, {"If-Range", "\"a\""}}));
}

TEST(RangeStands, NotByADateWhoseSecondIsNotOver) {
  const Given fields = {{"If-Range", kModified}};
  EXPECT_FALSE(RangeStands(fields, kCurrent, kModifiedSeconds));
  EXPECT_TRUE(RangeStands(fields, kCurrent, kModifiedSeconds + 1));
}

}  // namespace
}  // namespace grove::http

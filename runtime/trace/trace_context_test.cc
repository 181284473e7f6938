#include "runtime/trace/trace_context.h"

#include <string>

#include "gtest/gtest.h"

namespace grove {
namespace {

constexpr char kGood[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, ATraceparentIsReadAndWritten) {
  const auto context = ParseTraceparent(kGood);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(FormatTraceId(context->trace), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(FormatSpanId(context->span), "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(FormatTraceparent(*context), kGood);
}

TEST(TraceContextTest, OnlyTheSampledFlagIsKnown) {
  EXPECT_FALSE(
      ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")->sampled);
  EXPECT_FALSE(
      ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe")->sampled);
  const auto all = ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff");
  EXPECT_EQ(FormatTraceparent(*all), kGood);
}

TEST(TraceContextTest, AMalformedTraceparentIsNone) {
  for (const char* bad : {
           "",
           "00",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",    // short
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",  // version
                                                                        // 00 ends here
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
           "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",  // upper
                                                                       // case
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",  // no
                                                                       // trace
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",  // no span
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",  // no
                                                                       // version
           "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bz-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0z",
           "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
       }) {
    EXPECT_FALSE(ParseTraceparent(bad).has_value()) << bad;
  }
}

TEST(TraceContextTest, OfALaterVersionWhatIsKnownIsTaken) {
  for (const char* later : {"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-follows",
                            "fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-"}) {
    const auto context = ParseTraceparent(later);
    ASSERT_TRUE(context.has_value()) << later;
    EXPECT_EQ(FormatTraceparent(*context), kGood);
  }
}

TEST(TraceContextTest, ATracestateIsPassedOnAsItIs) {
  EXPECT_EQ(NormaliseTracestate("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
            "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
  EXPECT_EQ(NormaliseTracestate("a=1 ,\t , b=2,"), "a=1,b=2");
  EXPECT_EQ(NormaliseTracestate(""), "");
}

TEST(TraceContextTest, AMalformedTracestateIsDropped) {
  for (const char* bad : {"a", "=1", "a=", "a=1,b", "a=1=2", "a=\x01", "a=\xc3\xa4"}) {
    EXPECT_EQ(NormaliseTracestate(bad), "") << bad;
  }
}

TEST(TraceContextTest, ATracestateHasAtMost32Members) {
  std::string members = "k0=v";
  for (int i = 1; i < kTracestateMembersMax; ++i) members += ",k" + std::to_string(i) + "=v";
  EXPECT_EQ(NormaliseTracestate(members), members);
  EXPECT_EQ(NormaliseTracestate(members + ",one=more"), "");
}

TEST(TraceContextTest, OfATracestateThatIsTooLongLongMembersGoFirstThenTheLast) {
  const std::string longer = "long=" + std::string(130, 'x');
  std::string small;
  for (const char* key : {"a=", "b=", "c=", "d="}) {
    small += (small.empty() ? "" : ",") + (key + std::string(100, 'y'));
  }
  EXPECT_EQ(NormaliseTracestate(longer + "," + small), small);
  const std::string fifth = "e=" + std::string(101, 'y');
  EXPECT_EQ(NormaliseTracestate(small + "," + fifth), small);
  const std::string fits = "e=" + std::string(98, 'y');
  EXPECT_EQ(NormaliseTracestate(small + "," + fits).size(), kTracestateBytesMax);
}

}  // namespace
}  // namespace grove

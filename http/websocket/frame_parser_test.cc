#include "http/websocket/frame_parser.h"

#include <string>

#include "gtest/gtest.h"
#include "http/websocket/message_transcript.h"

namespace grove::http::websocket {
namespace {

using Event = FrameParser::Event;

// How many of the bytes, fed one by one, are taken before the parser refuses; -1: all are.
int RefusedAt(std::string bytes, bool compression = false, uint64_t frame_bytes_max = 1 << 20) {
  FrameParser parser(Role::kServer, frame_bytes_max, compression);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::span<char> piece(&bytes[i], 1);
    Event event;
    while ((event = parser.Next(piece)) != Event::kNeedMore) {
      if (event == Event::kBad) return static_cast<int>(i);
    }
  }
  return -1;
}

TEST(FrameParser, YieldsPayloadsAsViewsIntoTheCallersBytes) {
  FrameParser parser(Role::kServer, 100, false);
  std::string bytes = ClientFrame(0x81, "Hello") + "rest";
  std::span<char> rest(bytes);
  ASSERT_EQ(parser.Next(rest), Event::kHead);
  EXPECT_EQ(parser.head().payload_bytes, 5u);
  ASSERT_EQ(parser.Next(rest), Event::kPayload);
  EXPECT_EQ(parser.payload().data(), bytes.data() + 6);
  EXPECT_EQ(std::string(parser.payload().begin(), parser.payload().end()), "Hello");
  ASSERT_EQ(parser.Next(rest), Event::kEnd);
  EXPECT_EQ(std::string(rest.begin(), rest.end()), "rest");
}

TEST(FrameParser, RefusesAReservedOpcodeAtItsFirstByte) {
  for (int opcode = 0; opcode < 16; ++opcode) {
    const bool known = opcode == 1 || opcode == 2 || (opcode >= 8 && opcode <= 10);
    EXPECT_EQ(RefusedAt(ClientFrame(kFin | opcode, "")), known ? -1 : 0) << opcode;
  }
}

TEST(FrameParser, RefusesReservedBits) {
  for (const int bits : {0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70}) {
    EXPECT_EQ(RefusedAt(ClientFrame(kFin | bits | 1, "a")), 0) << bits;
    EXPECT_EQ(RefusedAt(ClientFrame(kFin | bits | 1, "a"), true), bits == 0x40 ? -1 : 0) << bits;
  }
}

TEST(FrameParser, TakesRsv1OnTheFirstFrameOfAMessageOnly) {
  EXPECT_EQ(RefusedAt(ClientFrame(kRsv1 | 1, "a") + ClientFrame(kFin, "b"), true), -1);
  EXPECT_EQ(RefusedAt(ClientFrame(kRsv1 | 1, "a") + ClientFrame(kFin | kRsv1, "b"), true), 7);
  EXPECT_EQ(RefusedAt(ClientFrame(kFin | kRsv1 | 9, ""), true), 0);
}

TEST(FrameParser, RefusesAnUnmaskedFrameAtItsSecondByte) {
  EXPECT_EQ(RefusedAt(Unmasked(0x81, "Hello")), 1);
}

TEST(FrameParser, RefusesFragmentedAndLongControlFrames) {
  for (const int opcode : {8, 9, 10}) {
    EXPECT_EQ(RefusedAt(ClientFrame(opcode, "")), 0);
    EXPECT_EQ(RefusedAt(ClientFrame(kFin | opcode, std::string(125, 'a'))), -1);
    EXPECT_EQ(RefusedAt(ClientFrame(kFin | opcode, std::string(126, 'a'))), 1);
  }
}

TEST(FrameParser, RefusesLengthsThatAreNotInTheirShortestForm) {
  EXPECT_EQ(RefusedAt(std::string("\x82\xfe\x00\x7d", 4)), 3);
  EXPECT_EQ(RefusedAt(std::string("\x82\xfe\x00\x7e", 4)), -1);
  EXPECT_EQ(RefusedAt(std::string("\x82\xff\0\0\0\0\0\0\xff\xff", 10)), 9);
  EXPECT_EQ(RefusedAt(std::string("\x82\xff\0\0\0\0\0\x01\x00\x00", 10)), -1);
  EXPECT_EQ(RefusedAt(std::string("\x82\xff\x80\0\0\0\0\0\0\0", 10), false, UINT64_MAX), 9);
}

TEST(FrameParser, RefusesAFrameOverTheLimitBeforeItsPayload) {
  EXPECT_EQ(RefusedAt(ClientFrame(0x82, std::string(200, 'a')), false, 200), -1);
  EXPECT_EQ(RefusedAt(ClientFrame(0x82, std::string(201, 'a')), false, 200), 3);
  FrameParser parser(Role::kServer, 1, false);
  std::string bytes = ClientFrame(0x82, "ab");
  std::span<char> rest(bytes);
  EXPECT_EQ(parser.Next(rest), Event::kBad);
  EXPECT_EQ(parser.failure().code, kCloseTooBig);
}

TEST(FrameParser, KnowsWhetherAMessageIsUnderWay) {
  EXPECT_EQ(RefusedAt(ClientFrame(kFin, "a")), 0);
  EXPECT_EQ(RefusedAt(ClientFrame(0, "a")), 0);
  EXPECT_EQ(RefusedAt(ClientFrame(1, "a") + ClientFrame(0x81, "b")), 7);
  EXPECT_EQ(RefusedAt(ClientFrame(1, "a") + ClientFrame(0, "b") + ClientFrame(0x80, "c")), -1);
  EXPECT_EQ(RefusedAt(ClientFrame(1, "a") + ClientFrame(0x89, "") + ClientFrame(0x80, "c")), -1);
  EXPECT_EQ(RefusedAt(ClientFrame(1, "a") + ClientFrame(0x80, "b") + ClientFrame(0x80, "c")), 14);
}

TEST(FrameParser, StaysBad) {
  FrameParser parser(Role::kServer, 10, false);
  std::string bytes = "\x83";
  std::span<char> rest(bytes);
  EXPECT_EQ(parser.Next(rest), Event::kBad);
  std::string good = ClientFrame(0x81, "a");
  rest = good;
  EXPECT_EQ(parser.Next(rest), Event::kBad);
  EXPECT_EQ(parser.failure().code, kCloseProtocolError);
}

TEST(FrameParser, RefusesAMaskFromAServerAtItsSecondByte) {
  std::string bytes = ClientFrame(0x81, "Hello");
  FrameParser parser(Role::kClient, 100, false);
  std::span<char> first(bytes.data(), 1);
  EXPECT_EQ(parser.Next(first), Event::kNeedMore);
  std::span<char> second(bytes.data() + 1, 1);
  EXPECT_EQ(parser.Next(second), Event::kBad);
  EXPECT_EQ(parser.failure().code, kCloseProtocolError);
}

TEST(FrameParser, LeavesAServersPayloadAsItIs) {
  std::string bytes = Unmasked(0x82, "Hello");
  FrameParser parser(Role::kClient, 100, false);
  std::span<char> rest(bytes);
  ASSERT_EQ(parser.Next(rest), Event::kHead);
  ASSERT_EQ(parser.Next(rest), Event::kPayload);
  EXPECT_EQ(std::string(parser.payload().begin(), parser.payload().end()), "Hello");
  EXPECT_EQ(parser.Next(rest), Event::kEnd);
}

}  // namespace
}  // namespace grove::http::websocket

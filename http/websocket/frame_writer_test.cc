#include "http/websocket/frame_writer.h"

#include "gtest/gtest.h"
#include "http/websocket/message_transcript.h"

namespace grove::http::websocket {
namespace {

std::string HeadOf(uint64_t bytes) {
  return FrameHeadBytes({.final = true, .opcode = Opcode::kBinary, .payload_bytes = bytes});
}

TEST(FrameWriter, WritesTheExamplesOfTheRfc) {
  EXPECT_EQ(FrameHeadBytes({.final = true, .opcode = Opcode::kText, .payload_bytes = 5}) + "Hello",
            "\x81\x05Hello");
  EXPECT_EQ(ControlFrame(Opcode::kPing, "Hello"), "\x89\x05Hello");
  EXPECT_EQ(HeadOf(256), std::string("\x82\x7e\x01\x00", 4));
  EXPECT_EQ(HeadOf(65536), std::string("\x82\x7f\0\0\0\0\0\x01\0\0", 10));
}

TEST(FrameWriter, UsesTheShortestLength) {
  EXPECT_EQ(HeadOf(0), std::string("\x82\0", 2));
  EXPECT_EQ(HeadOf(125), "\x82\x7d");
  EXPECT_EQ(HeadOf(126), std::string("\x82\x7e\0\x7e", 4));
  EXPECT_EQ(HeadOf(65535), "\x82\x7e\xff\xff");
}

TEST(FrameWriter, MarksACompressedMessageWithRsv1) {
  EXPECT_EQ(FrameHeadBytes({.final = true, .compressed = true, .opcode = Opcode::kText}),
            std::string("\xc1\0", 2));
}

TEST(FrameWriter, ClosesWithACodeAndAReasonOrWithNeither) {
  EXPECT_EQ(CloseFrame(1001, "bye"),
            "\x88\x05\x03\xe9"
            "bye");
  EXPECT_EQ(CloseFrame(kCloseNoCode, "unsent"), std::string("\x88\0", 2));
}

TEST(FrameWriter, CutsALongReasonBetweenCharacters) {
  std::string reason(122, 'a');
  reason += "\xe2\x82\xac";  // its bytes 122 to 124; 123 fit
  EXPECT_EQ(CloseFrame(1000, reason), "\x88\x7c\x03\xe8" + std::string(122, 'a'));
}

TEST(FrameWriter, MasksAClientsFrames) {
  const FrameMask mask = MaskKey{'\x37', '\xfa', '\x21', '\x3d'};  // RFC 6455, 5.7
  EXPECT_EQ(ControlFrame(Opcode::kPing, "Hello", mask), ClientFrame(0x89, "Hello"));
  EXPECT_EQ(CloseFrame(1000, "done", mask), ClientClose(1000, "done"));
  EXPECT_EQ(CloseFrame(kCloseNoCode, "", mask), ClientFrame(0x88, ""));
}

TEST(FrameWriter, SaysInEveryFormOfLengthThatItMasks) {
  const FrameMask mask = MaskKey{'\x37', '\xfa', '\x21', '\x3d'};
  for (const size_t bytes : {0u, 125u, 126u, 65535u, 65536u}) {
    const std::string frame = ClientFrame(0x82, std::string(bytes, 'b'));
    const std::string head =
        FrameHeadBytes({.final = true, .opcode = Opcode::kBinary, .payload_bytes = bytes}, mask);
    EXPECT_EQ(head, frame.substr(0, frame.size() - bytes)) << bytes;
  }
}

}  // namespace
}  // namespace grove::http::websocket

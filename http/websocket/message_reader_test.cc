#include "http/websocket/message_reader.h"

#include "gtest/gtest.h"
#include "http/websocket/message_transcript.h"

namespace grove::http::websocket {
namespace {

using Lines = std::vector<std::string>;

ReaderSetup Limited(uint64_t message_bytes_max) {
  ReaderSetup setup;
  setup.limits.message_bytes_max = message_bytes_max;
  return setup;
}

ReaderSetup Compressed(uint64_t message_bytes_max = 1 << 20, bool context_takeover = true) {
  ReaderSetup setup = Limited(message_bytes_max);
  setup.deflate.emplace();
  setup.deflate->client_no_context_takeover = !context_takeover;
  return setup;
}

// `message` as a client's permessage-deflate payload.
std::string Deflated(std::string_view message) {
  Deflater deflater(15, 6, true);
  std::string payload;
  EXPECT_TRUE(deflater.Add(message, payload) && deflater.Finish(payload));
  return payload;
}

TEST(MessageReader, ReadsTheExamplesOfTheRfc) {
  // RFC 6455, 5.7.
  EXPECT_EQ(Transcript("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), Lines{"text Hello"});
  EXPECT_EQ(Transcript(ClientFrame(0x01, "Hel") + ClientFrame(0x80, "lo")), Lines{"text Hello"});
  EXPECT_EQ(Transcript("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), Lines{"pong Hello"});
  EXPECT_EQ(Transcript(ClientFrame(0x89, "Hello")), Lines{"ping Hello"});
  EXPECT_EQ(Transcript(ClientFrame(0x82, std::string(256, 'b'))),
            Lines{"binary " + std::string(256, 'b')});
  EXPECT_EQ(Transcript(ClientFrame(0x82, std::string(65536, 'b'))),
            Lines{"binary " + std::string(65536, 'b')});
}

TEST(MessageReader, ReadsMessagesOfEveryLengthForm) {
  for (const size_t bytes : {0u, 1u, 125u, 126u, 127u, 128u, 65535u, 65536u}) {
    EXPECT_EQ(Transcript(ClientFrame(0x81, std::string(bytes, '*'))),
              Lines{"text " + std::string(bytes, '*')});
    EXPECT_EQ(Transcript(ClientFrame(0x82, std::string(bytes, '\xfe'))),
              Lines{"binary " + std::string(bytes, '\xfe')});
  }
}

TEST(MessageReader, TakesControlFramesBetweenFragments) {
  EXPECT_EQ(Transcript(ClientFrame(0x01, "a") + ClientFrame(0x89, "1") + ClientFrame(0x00, "b") +
                       ClientFrame(0x8a, "2") + ClientFrame(0x80, "c")),
            (Lines{"ping 1", "pong 2", "text abc"}));
}

TEST(MessageReader, TakesEmptyFragments) {
  EXPECT_EQ(Transcript(ClientFrame(0x01, "") + ClientFrame(0x00, "") + ClientFrame(0x80, "")),
            Lines{"text "});
  EXPECT_EQ(Transcript(ClientFrame(0x01, "") + ClientFrame(0x00, "m") + ClientFrame(0x80, "")),
            Lines{"text m"});
}

TEST(MessageReader, DeliversWhatCameBeforeAViolation) {
  EXPECT_EQ(Transcript(ClientFrame(0x81, "a") + ClientFrame(0x83, "b") + ClientFrame(0x89, "c")),
            (Lines{"text a", "fail 1002"}));
}

TEST(MessageReader, RefusesAMessageOverTheLimitBeforeItsPayload) {
  EXPECT_EQ(Transcript(ClientFrame(0x82, "12345"), Limited(5)), Lines{"binary 12345"});
  EXPECT_EQ(Transcript(ClientFrame(0x82, "123456").substr(0, 2), Limited(5)), Lines{"fail 1009"});
}

TEST(MessageReader, BoundsAMessageAndNotOnlyItsFragments) {
  EXPECT_EQ(Transcript(ClientFrame(0x02, "123") + ClientFrame(0x80, "45"), Limited(5)),
            Lines{"binary 12345"});
  EXPECT_EQ(Transcript(ClientFrame(0x02, "123") + ClientFrame(0x00, "456"), Limited(5)),
            Lines{"fail 1009"});
}

TEST(MessageReader, BoundsTheNumberOfFragments) {
  ReaderSetup setup;
  setup.limits.fragments_max = 3;
  const std::string two = ClientFrame(0x02, "") + ClientFrame(0x00, "");
  EXPECT_EQ(Transcript(two + ClientFrame(0x80, ""), setup), Lines{"binary "});
  EXPECT_EQ(Transcript(two + ClientFrame(0x00, "") + ClientFrame(0x80, ""), setup),
            Lines{"fail 1009"});
}

TEST(MessageReader, RefusesATextThatIsNotUtf8AtItsFirstWrongByte) {
  const std::string text = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
  EXPECT_EQ(Transcript(ClientFrame(0x81, text)), Lines{"text " + text});
  const std::string bad = ClientFrame(0x81, text + "\xed\xa0\x80" + "edited");
  EXPECT_EQ(Transcript(bad), Lines{"fail 1007"});
  // Up to the byte that gives the surrogate away: the head has six.
  EXPECT_EQ(Transcript(bad.substr(0, 6 + text.size() + 1)), Lines{});
  EXPECT_EQ(Transcript(bad.substr(0, 6 + text.size() + 2)), Lines{"fail 1007"});
}

TEST(MessageReader, TakesCharactersThatAreSplitOverFragments) {
  const std::string euro = "\xe2\x82\xac";
  EXPECT_EQ(Transcript(ClientFrame(0x01, euro.substr(0, 1)) + ClientFrame(0x00, euro.substr(1, 1)) +
                       ClientFrame(0x89, "") + ClientFrame(0x80, euro.substr(2))),
            (Lines{"ping ", "text " + euro}));
  EXPECT_EQ(Transcript(ClientFrame(0x01, euro.substr(0, 1)) + ClientFrame(0x80, "")),
            Lines{"fail 1007"});
  EXPECT_EQ(Transcript(ClientFrame(0x81, euro.substr(0, 2))), Lines{"fail 1007"});
}

TEST(MessageReader, LeavesBinaryMessagesAsTheyAre) {
  EXPECT_EQ(Transcript(ClientFrame(0x82, "\xff\xfe")), Lines{"binary \xff\xfe"});
}

TEST(MessageReader, ReadsACloseAndNothingAfterIt) {
  EXPECT_EQ(Transcript(ClientFrame(0x88, "") + ClientFrame(0x81, "late")), Lines{"close 1005 "});
  EXPECT_EQ(Transcript(ClientClose(1000, "bye") + ClientFrame(0x81, "late")),
            Lines{"close 1000 bye"});
  EXPECT_EQ(Transcript(ClientClose(1000, std::string(123, 'x'))),
            Lines{"close 1000 " + std::string(123, 'x')});
}

TEST(MessageReader, RefusesACloseOfOneByteOrWithAReasonThatIsNotUtf8) {
  EXPECT_EQ(Transcript(ClientFrame(0x88, "x")), Lines{"fail 1002"});
  EXPECT_EQ(Transcript(ClientClose(1000, "\xce\xba\xff")), Lines{"fail 1007"});
}

TEST(MessageReader, TakesExactlyTheCloseCodesThatMayBeSent) {
  for (int code = 0; code <= 5001; ++code) {
    const bool may = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                     (code >= 3000 && code <= 4999);
    const std::string line = may ? "close " + std::to_string(code) + " " : "fail 1002";
    ASSERT_EQ(Transcript(ClientClose(static_cast<uint16_t>(code))), Lines{line});
  }
  EXPECT_EQ(Transcript(ClientClose(65535)), Lines{"fail 1002"});
}

TEST(MessageReader, InflatesTheExamplesOfTheRfc) {
  // RFC 7692, 7.2.3.1 and 7.2.3.2.
  const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
  const std::string first = ClientFrame(kRsv1 | 1, hello.substr(0, 3));
  EXPECT_EQ(Transcript(ClientFrame(0xc1, hello), Compressed()), Lines{"text Hello"});
  EXPECT_EQ(Transcript(first + ClientFrame(kFin, hello.substr(3)), Compressed()),
            Lines{"text Hello"});
  const std::string again("\xf2\x00\x11\x00\x00", 5);
  EXPECT_EQ(Transcript(ClientFrame(0xc1, hello) + ClientFrame(0xc1, again), Compressed()),
            (Lines{"text Hello", "text Hello"}));
  // 7.2.3.3 to 7.2.3.5: no compression, BFINAL, two blocks.
  EXPECT_EQ(
      Transcript(ClientFrame(0xc1, std::string("\x00\x05\x00\xfa\xffHello\x00", 11)), Compressed()),
      Lines{"text Hello"});
  EXPECT_EQ(Transcript(ClientFrame(0xc1, std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8)),
                       Compressed()),
            Lines{"text Hello"});
  EXPECT_EQ(Transcript(ClientFrame(0xc1, std::string("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9"
                                                     "\x07\x00",
                                                     13)),
                       Compressed()),
            Lines{"text Hello"});
}

TEST(MessageReader, GoesOnAfterABlockWithBfinal) {
  const std::string final_block("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8);
  const std::string again("\xf2\x00\x11\x00\x00", 5);
  EXPECT_EQ(Transcript(ClientFrame(0xc1, final_block) + ClientFrame(0xc1, again), Compressed()),
            (Lines{"text Hello", "text Hello"}));
}

TEST(MessageReader, ForgetsTheContextWhereThatWasAgreed) {
  const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
  const std::string again("\xf2\x00\x11\x00\x00", 5);
  EXPECT_EQ(
      Transcript(ClientFrame(0xc1, hello) + ClientFrame(0xc1, again), Compressed(1 << 20, false)),
      (Lines{"text Hello", "fail 1007"}));
}

TEST(MessageReader, TakesUncompressedMessagesAlthoughCompressionIsAgreed) {
  EXPECT_EQ(Transcript(ClientFrame(0x81, "plain"), Compressed()), Lines{"text plain"});
  EXPECT_EQ(Transcript(ClientFrame(0xc1, Deflated("")) + ClientFrame(0x81, "x"), Compressed()),
            (Lines{"text ", "text x"}));
}

TEST(MessageReader, RefusesWhatIsNoDeflate) {
  EXPECT_EQ(Transcript(ClientFrame(0xc2, "\xff\xff\xff\xff"), Compressed()), Lines{"fail 1007"});
  const std::string cut = Deflated("some text that is long enough to be cut").substr(0, 12);
  EXPECT_EQ(Transcript(ClientFrame(0xc2, cut), Compressed()), Lines{"fail 1007"});
}

TEST(MessageReader, StopsInflatingAtTheLimit) {
  const std::string bomb = Deflated(std::string(8 << 20, '\0'));
  ASSERT_LT(bomb.size(), 20'000u);
  ReaderSetup setup = Compressed(64 * 1024);
  EXPECT_EQ(Transcript(ClientFrame(0xc2, bomb), setup, [] { return size_t{4096}; }),
            Lines{"fail 1009"});
  const std::string edge(1000, 'e');
  EXPECT_EQ(Transcript(ClientFrame(0xc2, Deflated(edge)), Compressed(1000)),
            Lines{"binary " + edge});
  EXPECT_EQ(Transcript(ClientFrame(0xc2, Deflated(edge)), Compressed(999)), Lines{"fail 1009"});
}

TEST(MessageReader, ChecksTheUtf8OfWhatItInflates) {
  EXPECT_EQ(Transcript(ClientFrame(0xc1, Deflated("ab\xff")), Compressed()), Lines{"fail 1007"});
  EXPECT_EQ(Transcript(ClientFrame(0xc1, Deflated("\xe2\x82")), Compressed()), Lines{"fail 1007"});
}

TEST(MessageReader, SaysWhatIsWrongFirstHoweverTheBytesCome) {
  // What is not UTF-8 lies before the limit; beyond it, in the same piece.
  const std::string before = std::string(700, 'x') + "\xff" + std::string(400, 'y');
  EXPECT_EQ(Transcript(ClientFrame(0xc1, Deflated(before)), Compressed(1000)), Lines{"fail 1007"});
  const std::string beyond = std::string(1000, 'x') + "\xff";
  EXPECT_EQ(Transcript(ClientFrame(0xc1, Deflated(beyond)), Compressed(1000)), Lines{"fail 1009"});
}

}  // namespace
}  // namespace grove::http::websocket

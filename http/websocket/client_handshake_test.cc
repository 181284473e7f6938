#include "http/websocket/client_handshake.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

using ::testing::HasSubstr;

class ClientHandshakeTest : public testing::Test {
 protected:
  // Adds or replaces a field of the answer; an empty value takes it away.
  void Set(std::string_view name, std::string_view value) {
    std::erase_if(answer_, [&](const Field& field) { return field.name == name; });
    if (!value.empty()) answer_.push_back({name, value});
  }
  std::string Offer(std::string_view name) {
    for (const auto& [each, value] : handshake_.Fields()) {
      if (each == name) return value;
    }
    return "none";
  }
  // Why the answer is refused with this field; "" if it is taken.
  std::string RefusedWith(std::string_view name, std::string_view value) {
    const std::vector<Field> before = answer_;
    Set(name, value);
    const absl::Status status = handshake_.TakeAnswer(answer_).status();
    answer_ = before;
    EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
    return std::string(status.message());
  }

  // RFC 6455, 1.3.
  ClientHandshake handshake_{.subprotocols = {"chat", "superchat"},
                             .deflate = DeflatePolicy{.server_window_bits = 15},
                             .key = "dGhlIHNhbXBsZSBub25jZQ=="};
  std::vector<Field> answer_ = {{"Upgrade", "websocket"},
                                {"Connection", "Upgrade"},
                                {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};
};

TEST_F(ClientHandshakeTest, AsksForWhatItWasTold) {
  EXPECT_EQ(Offer("Sec-WebSocket-Version"), "13");
  EXPECT_EQ(Offer("Sec-WebSocket-Key"), "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(Offer("Sec-WebSocket-Protocol"), "chat, superchat");
  EXPECT_EQ(Offer("Sec-WebSocket-Extensions"), "permessage-deflate; client_max_window_bits");
  handshake_.subprotocols.clear();
  handshake_.deflate.reset();
  EXPECT_EQ(Offer("Sec-WebSocket-Protocol"), "none");
  EXPECT_EQ(Offer("Sec-WebSocket-Extensions"), "none");
}

TEST_F(ClientHandshakeTest, HasANewKeyOf16BytesEachTime) {
  std::set<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.insert(ClientHandshake::MakeKey());
  EXPECT_EQ(keys.size(), 100u);
  EXPECT_EQ(keys.begin()->size(), 24u);
  EXPECT_TRUE(keys.begin()->ends_with("=="));
}

TEST_F(ClientHandshakeTest, TakesTheAnswerOfTheRfc) {
  Set("Sec-WebSocket-Protocol", "chat");
  const absl::StatusOr<Agreement> agreed = handshake_.TakeAnswer(answer_);
  ASSERT_TRUE(agreed.ok()) << agreed.status();
  EXPECT_EQ(agreed->subprotocol, "chat");
  EXPECT_FALSE(agreed->deflate.has_value());
}

TEST_F(ClientHandshakeTest, RefusesAnAnswerToAnotherKey) {
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Accept", "AAAALMBiTxaQ9kYGzzhZRbK+xOo="),
              HasSubstr("does not go with the key"));
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Accept", ""), HasSubstr("does not go with the key"));
}

TEST_F(ClientHandshakeTest, RefusesAnAnswerThatSwitchesToSomethingElse) {
  EXPECT_THAT(RefusedWith("Upgrade", "h2c"), HasSubstr("Upgrade is not websocket"));
  EXPECT_THAT(RefusedWith("Upgrade", ""), HasSubstr("Upgrade is not websocket"));
  EXPECT_THAT(RefusedWith("Connection", "close"), HasSubstr("Connection does not say Upgrade"));
  EXPECT_EQ(RefusedWith("Connection", "keep-alive, upgrade"), "");
  EXPECT_EQ(RefusedWith("Upgrade", "WebSocket"), "");
}

TEST_F(ClientHandshakeTest, RefusesWhatWasNotOffered) {
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Protocol", "other"),
              HasSubstr("\"other\" was not offered"));
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Protocol", "chat, superchat"), HasSubstr("not offered"));
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Extensions", "x-other"), HasSubstr("not offered"));
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Extensions", "permessage-deflate, permessage-deflate"),
              HasSubstr("twice"));
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Extensions", "permessage-deflate; ="),
              HasSubstr("malformed"));
  EXPECT_EQ(RefusedWith("Sec-WebSocket-Extensions", "permessage-deflate"), "");
  handshake_.deflate.reset();
  EXPECT_THAT(RefusedWith("Sec-WebSocket-Extensions", "permessage-deflate"),
              HasSubstr("not offered"));
}

TEST_F(ClientHandshakeTest, ChecksWhatItIsToldToOffer) {
  EXPECT_TRUE(handshake_.Check().ok());
  handshake_.subprotocols = {"a b"};
  EXPECT_TRUE(absl::IsInvalidArgument(handshake_.Check()));
  handshake_.subprotocols = {"a", "b", "a"};
  EXPECT_TRUE(absl::IsInvalidArgument(handshake_.Check()));
  handshake_.subprotocols.clear();
  handshake_.deflate->client_window_bits = 16;
  EXPECT_TRUE(absl::IsInvalidArgument(handshake_.Check()));
}

}  // namespace
}  // namespace grove::http::websocket

#include "http/websocket/handshake_fields.h"

#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

TEST(HandshakeFields, AcceptIsTheExampleOfTheRfc) {
  EXPECT_EQ(AcceptFor("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(HandshakeFields, JoinsFieldsOfOneNameToOneList) {
  const std::vector<Field> fields = {{"A", "1"}, {"b", "2"}, {"a", "3, 4"}};
  EXPECT_EQ(Joined(fields, "a"), "1,3, 4");
  EXPECT_EQ(Joined(fields, "c"), std::nullopt);
}

TEST(HandshakeFields, ListsHaveElementsThatAreNotEmpty) {
  EXPECT_EQ(Elements(" a ,, b\t,"), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_TRUE(Elements("").empty());
}

TEST(HandshakeFields, TokensAreComparedWhole) {
  EXPECT_TRUE(HasToken("keep-alive, Upgrade", "upgrade"));
  EXPECT_FALSE(HasToken("upgraded", "upgrade"));
  EXPECT_FALSE(HasToken(std::nullopt, "upgrade"));
}

}  // namespace
}  // namespace grove::http::websocket

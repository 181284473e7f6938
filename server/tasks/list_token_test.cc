#include "server/tasks/list_token.h"

#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

TEST(ListToken, GivesTheLastEntryBack) {
  const std::string token = EncodeListToken("queues of a", "tenants/a/queues/x~y");
  EXPECT_EQ(DecodeListToken("queues of a", token), "tenants/a/queues/x~y");
  EXPECT_EQ(DecodeListToken("l", EncodeListToken("l", "")), "");
}

TEST(ListToken, RefusesThoseOfAnotherList) {
  const std::string token = EncodeListToken("queues of a", "x");
  EXPECT_FALSE(DecodeListToken("queues of b", token).has_value());
}

TEST(ListToken, RefusesWhatWasCutEditedOrMadeUp) {
  const std::string token = EncodeListToken("l", "x");
  for (const std::string& bad :
       {token.substr(1), token.substr(0, token.size() - 1), "y" + token.substr(1), token + "0",
        std::string("x"), std::string("~"), std::string()}) {
    EXPECT_FALSE(DecodeListToken("l", bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace grove::tasks

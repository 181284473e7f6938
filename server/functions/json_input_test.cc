#include "server/functions/json_input.h"

#include <string>

#include "gtest/gtest.h"

namespace grove::functions {
namespace {

using nlohmann::json;

const json kObject = {{"status", 200}, {"url", "http://a/"}};

// What nlohmann's own writer makes of it: it sorts the members, as "body" comes first.
std::string Expected(const std::string& name, const std::string& text) {
  json all = kObject;
  all[name] = text;
  return JsonText(all);
}

TEST(JsonTextWith, IsWhatTheLibraryWritesWhereverAByteStands) {
  for (int byte = 0; byte < 0x80; ++byte) {
    // Its place among eight, and how much follows.
    for (size_t before = 0; before < 9; ++before) {
      for (const size_t after : {size_t{0}, size_t{3}, size_t{11}}) {
        const std::string text =
            std::string(before, 'a') + static_cast<char>(byte) + std::string(after, 'z');
        ASSERT_EQ(JsonTextWith("body", text, kObject), Expected("body", text))
            << byte << " after " << before;
      }
    }
  }
}

TEST(JsonTextWith, TakesTextsOfManyEscapesAndOfManyBytes) {
  for (const std::string text :
       {"", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 and \xc3\xbc", "\"\\\"\\\"\\\"\\\"",
        "\n\n\n\n\n\n\n\n\n", "<a href=\"x\">\t1\x01 \x7f</a>\r\n"}) {
    EXPECT_EQ(JsonTextWith("body", text, kObject), Expected("body", text));
  }
  const std::string all_bytes = "\x1f !\"#[\\]^`{|}~\x7f";
  std::string many;
  for (int i = 0; i < 1000; ++i) many += all_bytes;
  EXPECT_EQ(JsonTextWith("body", many, kObject), Expected("body", many));
}

TEST(JsonTextWithBody, IsBase64WhereItIsNoText) {
  EXPECT_EQ(JsonTextWithBody("text", kObject), Expected("body", "text"));
  EXPECT_EQ(JsonTextWithBody("\xff\xfe", kObject), Expected("body_base64", "//4="));
}

}  // namespace
}  // namespace grove::functions

#include "server/http/handler/form_values.h"

#include <algorithm>
#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

FormValues Parsed(std::string_view text) {
  absl::StatusOr<FormValues> form = FormValues::Parse(text);
  EXPECT_TRUE(form.ok()) << form.status();
  return *std::move(form);
}

TEST(FormValues, AreDecodedAndStandInTheirOrder) {
  EXPECT_THAT(Parsed("a=1&b+c=%26%3d+x&d&=e&&f=g=h").values(),
              ElementsAre(Pair("a", "1"), Pair("b c", "&= x"), Pair("d", ""), Pair("", "e"),
                          Pair("f", "g=h")));
  EXPECT_THAT(Parsed("").values(), IsEmpty());
}

TEST(FormValues, OfANameThatStandsTwiceTheFirstCounts) {
  const FormValues form = Parsed("a=1&b=2&a=3");
  EXPECT_EQ(form.Get("a"), "1");
  EXPECT_THAT(form.All("a"), ElementsAre("1", "3"));
  EXPECT_EQ(form.Get("c"), std::nullopt);
  EXPECT_FALSE(form.has("c"));
}

TEST(FormValues, RefuseWhatIsNoEncodingAndTooMany) {
  for (const char* wrong : {"a=%", "a=%2", "a=%zz", "%4=a"}) {
    EXPECT_EQ(FormValues::Parse(wrong).status().code(), absl::StatusCode::kInvalidArgument)
        << wrong;
  }
  std::string many;
  for (size_t i = 0; i < kFormValuesMax; ++i) many += "a&";
  EXPECT_TRUE(FormValues::Parse(many).ok());
  EXPECT_EQ(FormValues::Parse(many + "a").status().message(), "more than 1000 parameters");
}

TEST(FormValues, AreReadAsNumbersWithinBounds) {
  const FormValues form = Parsed("n=7&big=8&x=1.5&text=abc&none=");
  EXPECT_EQ(*form.Integer("n", 1, 7, 0), 7);
  EXPECT_EQ(*form.Integer("absent", 1, 7, 3), 3);
  EXPECT_EQ(form.Integer("big", 1, 7, 0).status().message(), "big: '8' is no integer from 1 to 7");
  EXPECT_FALSE(form.Integer("none", 1, 7, 0).ok());
  EXPECT_EQ(*form.Number("x", 0, 2, 0), 1.5);
  EXPECT_FALSE(form.Number("x", 0, 1, 0).ok());
  EXPECT_FALSE(form.Number("text", 0, 1, 0).ok());
  EXPECT_FALSE(Parsed("x=nan").Number("x", 0, 1, 0).ok());
  EXPECT_EQ(form.Required("absent").status().message(), "absent: is required");
  EXPECT_FALSE(form.Required("none").ok());
  EXPECT_EQ(*form.Required("text"), "abc");
}

TEST(FormValues, AreReadAsFlags) {
  const FormValues form = Parsed("a=1&b=true&c&d=0&e=off&f=maybe");
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(*form.Flag(name)) << name;
  for (const char* name : {"d", "e", "absent"}) EXPECT_FALSE(*form.Flag(name)) << name;
  EXPECT_FALSE(form.Flag("f").ok());
}

TEST(FormValues, AMessageShowsNoBytesThatNoTerminalShould) {
  EXPECT_EQ(Parsed("n=%1b%5b2J").Integer("n", 1, 2, 0).status().message(),
            "n: '?[2J' is no integer from 1 to 2");
}

class Body : public BodySource {
 public:
  explicit Body(std::string text) : text_(std::move(text)) {}
  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t bytes = std::min(buffer.size(), text_.size());
    memcpy(buffer.data(), text_.data(), bytes);
    text_.erase(0, bytes);
    return bytes;
  }

 private:
  std::string text_;
};

absl::StatusOr<FormValues> Read(std::string type, const std::string& text, size_t max = 100) {
  Body body(text);
  const Field fields[] = {{"Content-Type", type}};
  Request request;
  request.body = &body;
  request.fields = FieldSpan(fields);
  return ReadForm(request, max);
}

TEST(ReadForm, TakesTheBodyOfAFormAlone) {
  EXPECT_EQ(Read("application/x-www-form-urlencoded", "a=b")->Get("a"), "b");
  EXPECT_EQ(Read("Application/X-WWW-Form-URLencoded; charset=utf-8", "a=b")->Get("a"), "b");
  EXPECT_EQ(Read("application/json", "{}").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Read("application/x-www-form-urlencoded", std::string(200, 'a')).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(QueryOf, ReadsWhatStandsBehindThePath) {
  Request request;
  request.query = "q=two+words";
  EXPECT_EQ(QueryOf(request)->Get("q"), "two words");
}

}  // namespace
}  // namespace grove::http

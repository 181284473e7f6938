#include "server/settings.h"

#include <stdexcept>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Settings, AreRequiredWithoutADefaultAndElseHaveIt) {
  SettingsSchema schema;
  const auto fanout = schema.Integer("fanout", {.description = "calls", .default_value = 4});
  const auto share = schema.Number("share", {.description = "of all", .default_value = 0.5});
  const auto loud = schema.Boolean("loud", {.description = "or not", .default_value = true});
  const auto host = schema.Text("smtp.host", {.description = "where to"});
  const auto names = schema.TextList(
      "names", {.description = "whose", .default_value = std::vector<std::string>{"a", "b"}});
  EXPECT_THAT(schema.Mistakes(), IsEmpty());
  const Settings settings = schema.Defaults();
  EXPECT_EQ(settings[fanout], 4);
  EXPECT_EQ(settings[share], 0.5);
  EXPECT_TRUE(settings[loud]);
  EXPECT_EQ(settings[host], "");
  EXPECT_THAT(settings[names], ElementsAre("a", "b"));
  EXPECT_TRUE(schema.rows()[0].default_value.has_value());
  EXPECT_FALSE(schema.rows()[3].default_value.has_value());
}

TEST(Settings, OfTheSameValuesAreEqual) {
  SettingsSchema schema;
  schema.Text("host", {.description = "where to", .default_value = "a"});
  EXPECT_EQ(schema.Defaults(), schema.Defaults());
  EXPECT_FALSE(schema.Defaults() == Settings({SettingValue(std::string("b"))}));
}

TEST(Settings, OneThatIsDeclaredWronglyIsAMistake) {
  SettingsSchema schema;
  schema.Integer("Fanout", {.description = "calls"});
  schema.Integer("a..b", {.description = "calls"});
  schema.Integer("many", {.description = "", .default_value = 1});
  schema.Integer("few", {.description = "calls", .default_value = 9, .min = 1, .max = 8});
  schema.Text("order", {.description = "of it", .default_value = "no", .choices = {"up"}});
  schema.Text("key", {.description = "of it", .default_value = "k", .secret = true});
  schema.Text("twice", {.description = "of it"});
  schema.Text("twice", {.description = "of it"});
  schema.Text("smtp", {.description = "of it"});
  schema.Text("smtp.host", {.description = "of it"});
  EXPECT_THAT(schema.Mistakes(),
              ElementsAre(HasSubstr("\"Fanout\": a name is"), HasSubstr("\"a..b\": a name is"),
                          "setting \"many\": has no description",
                          "setting \"few\": the default 9 is not an integer from 1 to 8",
                          "setting \"order\": the default \"no\" is not one of up",
                          "setting \"key\": a secret's default would stand in the program",
                          "setting \"twice\" is declared twice",
                          "setting \"smtp\" is the section of \"smtp.host\""));
}

TEST(Settings, ASectionAndANameThatBeginsLikeItAreNoMistake) {
  SettingsSchema schema;
  schema.Text("smtp", {.description = "of it"});
  schema.Text("smtp_host", {.description = "of it"});
  EXPECT_THAT(schema.Mistakes(), IsEmpty());
}

std::optional<SettingValue> Parsed(const SettingsSchema& schema, const std::string& text) {
  return ParseSetting(schema.rows().back(), /*is_list=*/false, {text});
}

TEST(Settings, AreReadWithinTheirBounds) {
  SettingsSchema schema;
  schema.Integer("n", {.description = "d", .min = -5, .max = 7});
  EXPECT_EQ(std::get<int64_t>(*Parsed(schema, "-5")), -5);
  for (const char* wrong : {"-6", "8", "", "1.5", "seven", "99999999999999999999"}) {
    EXPECT_FALSE(Parsed(schema, wrong).has_value()) << wrong;
  }
  schema.Number("x", {.description = "d", .min = 0, .max = 1});
  EXPECT_EQ(std::get<double>(*Parsed(schema, "0.25")), 0.25);
  for (const char* wrong : {"-0.1", "1.1", "nan", "inf", "x"}) {
    EXPECT_FALSE(Parsed(schema, wrong).has_value()) << wrong;
  }
  schema.Boolean("b", {.description = "d"});
  EXPECT_TRUE(std::get<bool>(*Parsed(schema, "True")));
  EXPECT_FALSE(std::get<bool>(*Parsed(schema, "false")));
  EXPECT_FALSE(Parsed(schema, "yes").has_value());
  schema.Text("t", {.description = "d", .choices = {"up", "down"}});
  EXPECT_EQ(std::get<std::string>(*Parsed(schema, "up")), "up");
  EXPECT_FALSE(Parsed(schema, "left").has_value());
}

TEST(Settings, AListIsNoSingleValueNorTheReverse) {
  SettingsSchema schema;
  schema.Text("t", {.description = "d"});
  EXPECT_FALSE(ParseSetting(schema.rows().back(), true, {"a"}).has_value());
  schema.TextList("l", {.description = "d"});
  EXPECT_FALSE(ParseSetting(schema.rows().back(), false, {"a"}).has_value());
  EXPECT_THAT(std::get<std::vector<std::string>>(*ParseSetting(schema.rows().back(), true, {})),
              IsEmpty());
}

TEST(Settings, ChecksSeeAllAndWhatTheyThrowIsAnError) {
  SettingsSchema schema;
  const auto low = schema.Integer("low", {.description = "d", .default_value = 5});
  const auto high = schema.Integer("high", {.description = "d", .default_value = 3});
  EXPECT_TRUE(schema.RunChecks(schema.Defaults()).ok());
  schema.Check([=](const Settings& settings) {
    return settings[low] <= settings[high] ? absl::OkStatus()
                                           : absl::InvalidArgumentError("low is above high");
  });
  EXPECT_EQ(schema.RunChecks(schema.Defaults()).message(), "low is above high");
  SettingsSchema throws;
  throws.Check([](const Settings&) -> absl::Status { throw std::runtime_error("no idea"); });
  EXPECT_THAT(std::string(throws.RunChecks(Settings()).message()), HasSubstr("threw: no idea"));
}

TEST(Settings, UsageTellsTypeMeaningAndDefault) {
  SettingsSchema schema;
  schema.Integer("n", {.description = "calls at once", .default_value = 4, .min = 1});
  schema.Text("key", {.description = "of the service", .secret = true});
  EXPECT_EQ(schema.Usage("  "),
            "  n  (an integer from 1)\n      calls at once\n      default: 4\n"
            "  key  (a text, secret)\n      of the service\n      default: none, required\n");
}

}  // namespace
}  // namespace grove

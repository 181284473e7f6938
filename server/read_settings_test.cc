#include "server/read_settings.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config/load.h"

namespace grove {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ReadSettingsTest : public testing::Test {
 protected:
  // What is wrong with `yaml`, as a line for each thing.
  std::string Wrong(const std::string& yaml) {
    absl::StatusOr<config::v1::Config> parsed = config::ParseConfig(yaml, "c");
    if (!parsed.ok()) return std::string(parsed.status().message());
    config_ = *parsed;
    config::Problems problems;
    settings_ = ReadSettings(schema_, "application", config_.mutable_application(), &problems);
    return std::string(problems.ToStatus().message());
  }

  SettingsSchema schema_;
  const Setting<int64_t> fanout_ = schema_.Integer(
      "fanout", {.description = "calls at once", .default_value = 4, .min = 1, .max = 64});
  const Setting<std::string> host_ =
      schema_.Text("smtp.host", {.description = "where to", .default_value = "localhost"});
  const Setting<std::string> key_ =
      schema_.Text("smtp.key", {.description = "of it", .default_value = "", .secret = true});
  const Setting<std::vector<std::string>> names_ = schema_.TextList(
      "names", {.description = "whose", .default_value = std::vector<std::string>{}});
  config::v1::Config config_;
  Settings settings_;
};

TEST_F(ReadSettingsTest, TakesValuesOfSectionsWithinSections) {
  EXPECT_EQ(Wrong("application: {fanout: 8, names: [a, b], smtp: {host: mail, key: k}}"), "");
  EXPECT_EQ(settings_[fanout_], 8);
  EXPECT_EQ(settings_[host_], "mail");
  EXPECT_EQ(settings_[key_], "k");
  EXPECT_THAT(settings_[names_], testing::ElementsAre("a", "b"));
  EXPECT_EQ(settings_, SettingsOf(schema_, config_.application()));
}

TEST_F(ReadSettingsTest, WhatIsNotSaidIsTheDefault) {
  EXPECT_EQ(Wrong("application: {smtp: {}, fanout: }"), "");
  EXPECT_EQ(settings_, schema_.Defaults());
  EXPECT_EQ(Wrong(""), "");
}

TEST_F(ReadSettingsTest, MarksSecrets) {
  EXPECT_EQ(Wrong("application: {smtp: {host: h, key: k}}"), "");
  for (const config::v1::Setting& setting : config_.application()) {
    EXPECT_EQ(setting.secret(), setting.name() == "smtp.key") << setting.name();
  }
}

TEST_F(ReadSettingsTest, AnUnknownKeyIsRefusedWithTheNearest) {
  EXPECT_THAT(Wrong("application: {fanot: 8}"),
              HasSubstr("unknown key 'application.fanot'; did you mean 'fanout'?"));
  EXPECT_THAT(Wrong("application: {smtp: {zzzzzz: 8}}"),
              AllOf(HasSubstr("unknown key 'application.smtp.zzzzzz'"),
                    HasSubstr("known here: fanout, smtp.host, smtp.key, names")));
}

TEST_F(ReadSettingsTest, AWrongValueIsShownUnlessItIsSecret) {
  EXPECT_THAT(Wrong("application: {fanout: 65}"),
              HasSubstr("application.fanout: expected an integer from 1 to 64, found '65'"));
  EXPECT_THAT(Wrong("application: {names: one}"),
              HasSubstr("application.names: expected a list of texts, found 'one'"));
  EXPECT_THAT(Wrong("application: {fanout: [1]}"), HasSubstr("found a list"));
  EXPECT_THAT(Wrong("application: {smtp: {key: [hidden]}}"),
              AllOf(HasSubstr("application.smtp.key: expected a text"), Not(HasSubstr("hidden"))));
}

TEST_F(ReadSettingsTest, WhatIsRequiredAndMissingIsSaidWithItsMeaning) {
  schema_.Text("url", {.description = "of the shop"});
  EXPECT_EQ(Wrong("application: {fanout: 1}"), "application.url: is required: of the shop");
}

TEST_F(ReadSettingsTest, ChecksAreAskedOnceAllValuesAreGood) {
  int asked = 0;
  schema_.Check([&](const Settings& settings) -> absl::Status {
    ++asked;
    if (settings[fanout_] % 2 == 0) return absl::OkStatus();
    return absl::InvalidArgumentError("fanout is odd");
  });
  EXPECT_THAT(Wrong("application: {fanout: x}"), Not(HasSubstr("odd")));
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(Wrong("application: {fanout: 3}"), "application: fanout is odd");
}

TEST_F(ReadSettingsTest, AKeyThatStandsTwiceOrIsNoneIsRefused) {
  EXPECT_THAT(Wrong("application: {fanout: 1, fanout: 2}"), HasSubstr("stands twice"));
  EXPECT_THAT(Wrong("application: {smtp.host: a, smtp: {host: b}}"), HasSubstr("stands twice"));
  EXPECT_THAT(Wrong("application: [a]"), HasSubstr("expected a mapping, found a list"));
  EXPECT_THAT(Wrong("application: {names: [[a]]}"), HasSubstr("expected a value, found a list"));
}

}  // namespace
}  // namespace grove

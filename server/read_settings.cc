#include "server/read_settings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/config/near_match.h"

namespace grove {
namespace {

using config::Problems;

std::vector<std::string> NamesOf(const SettingsSchema& schema) {
  std::vector<std::string> names;
  for (const SettingsSchema::Row& row : schema.rows()) names.push_back(row.name);
  return names;
}

void UnknownKey(const SettingsSchema& schema, const std::string& key, const std::string& name,
                Problems& problems) {
  const std::vector<std::string> names = NamesOf(schema);
  const std::string near = config::NearMatch(name, names);
  std::string hint = absl::StrCat("did you mean '", near, "'?");
  if (near.empty()) hint = absl::StrCat("known here: ", absl::StrJoin(names, ", "));
  if (names.empty()) hint = "the application declares none here";
  problems.AddAt(problems.sources().Nearest(key), key,
                 absl::StrCat("unknown key '", absl::CHexEscape(key.substr(0, 120)), "'; ", hint));
}

// "expected …, found …", without what is secret.
std::string Unusable(const SettingsSchema::Row& row, const config::v1::Setting& given) {
  constexpr size_t kShown = 60;
  const std::string expected = absl::StrCat("expected ", ExpectedOf(row));
  if (row.secret) return expected;
  if (given.is_list()) return absl::StrCat(expected, ", found a list");
  const std::string& text = given.values(0);
  return absl::StrCat(expected, ", found '", absl::CHexEscape(text.substr(0, kShown)),
                      text.size() > kShown ? "…'" : "'");
}

}  // namespace

Settings ReadSettings(const SettingsSchema& schema, const std::string& where, GivenSettings* given,
                      Problems* problems) {
  std::map<std::string, config::v1::Setting*> by_name;
  for (config::v1::Setting& setting : *given) by_name[setting.name()] = &setting;
  std::vector<SettingValue> values;
  bool good = true;
  for (const SettingsSchema::Row& row : schema.rows()) {
    const std::string key = absl::StrCat(where, ".", row.name);
    const auto found = by_name.find(row.name);
    values.push_back(row.default_value.value_or(row.type));
    if (found == by_name.end()) {
      if (row.default_value.has_value()) continue;
      problems->Add(key, absl::StrCat("is required: ", row.description));
      good = false;
      continue;
    }
    config::v1::Setting& setting = *found->second;
    by_name.erase(found);
    setting.set_secret(row.secret);
    std::optional<SettingValue> value =
        ParseSetting(row, setting.is_list(), {setting.values().begin(), setting.values().end()});
    if (value.has_value()) {
      values.back() = *std::move(value);
      continue;
    }
    problems->Add(key, Unusable(row, setting));
    good = false;
  }
  for (const auto& [name, setting] : by_name) {
    UnknownKey(schema, absl::StrCat(where, ".", name), name, *problems);
    // Nobody knows what a slip of the pen stands for.
    setting->set_secret(true);
    good = false;
  }
  Settings settings(std::move(values));
  if (!good) return settings;
  if (const absl::Status status = schema.RunChecks(settings); !status.ok()) {
    problems->Add(where, std::string(status.message()));
  }
  return settings;
}

Settings SettingsOf(const SettingsSchema& schema, const GivenSettings& given) {
  GivenSettings copy = given;
  Problems unheard;
  return ReadSettings(schema, "application", &copy, &unheard);
}

}  // namespace grove

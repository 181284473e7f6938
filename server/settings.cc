#include "server/settings.h"

#include <cmath>
#include <exception>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace grove {
namespace {

constexpr size_t kSettingNameBytesMax = 100;

// "smtp.host"
bool IsSettingName(const std::string& name) {
  if (name.empty() || name.size() > kSettingNameBytesMax || name.back() == '.') return false;
  char before = '.';
  for (const char c : name) {
    const bool first = before == '.';
    if (first && !absl::ascii_islower(c)) return false;
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '_' && c != '.') return false;
    before = c;
  }
  return true;
}

std::string ShownValue(const SettingValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return absl::StrCat(*integer);
  if (const auto* number = std::get_if<double>(&value)) return absl::StrCat(*number);
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return absl::StrCat("\"", *text, "\"");
  return absl::StrCat("[", absl::StrJoin(std::get<std::vector<std::string>>(value), ", "), "]");
}

// Whether a value of code, or of a file, is one that its row allows.
bool Fits(const SettingsSchema::Row& row, const SettingValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return *integer >= row.integer_min && *integer <= row.integer_max;
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isfinite(*number) && *number >= row.min && *number <= row.max;
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || row.choices.empty()) return true;
  return std::find(row.choices.begin(), row.choices.end(), *text) != row.choices.end();
}

void MistakesOf(const SettingsSchema::Row& row, std::vector<std::string>& mistakes) {
  const auto add = [&](const std::string& what) {
    mistakes.push_back(absl::StrCat("setting \"", row.name, "\": ", what));
  };
  if (!IsSettingName(row.name)) {
    add("a name is lower-case letters, digits and '_', with single dots between its sections");
  }
  if (row.description.empty()) add("has no description");
  if (row.integer_min > row.integer_max || row.min > row.max) add("min is above max");
  if (row.default_value.has_value() && !Fits(row, *row.default_value)) {
    add(absl::StrCat("the default ", ShownValue(*row.default_value), " is not ", ExpectedOf(row)));
  }
  if (row.secret && row.default_value.has_value() && *row.default_value != row.type) {
    add("a secret's default would stand in the program");
  }
}

}  // namespace

size_t SettingsSchema::Add(Row row) {
  rows_.push_back(std::move(row));
  return rows_.size() - 1;
}

Setting<int64_t> SettingsSchema::Integer(std::string name, IntegerSetting setting) {
  return Setting<int64_t>(Add({.name = std::move(name),
                               .description = std::move(setting.description),
                               .type = int64_t{0},
                               .default_value = setting.default_value,
                               .integer_min = setting.min,
                               .integer_max = setting.max}));
}

Setting<double> SettingsSchema::Number(std::string name, NumberSetting setting) {
  return Setting<double>(Add({.name = std::move(name),
                              .description = std::move(setting.description),
                              .type = 0.0,
                              .default_value = setting.default_value,
                              .min = setting.min,
                              .max = setting.max}));
}

Setting<bool> SettingsSchema::Boolean(std::string name, BooleanSetting setting) {
  return Setting<bool>(Add({.name = std::move(name),
                            .description = std::move(setting.description),
                            .type = false,
                            .default_value = setting.default_value}));
}

Setting<std::string> SettingsSchema::Text(std::string name, TextSetting setting) {
  return Setting<std::string>(Add({.name = std::move(name),
                                   .description = std::move(setting.description),
                                   .type = std::string(),
                                   .default_value = std::move(setting.default_value),
                                   .choices = std::move(setting.choices),
                                   .secret = setting.secret}));
}

Setting<std::vector<std::string>> SettingsSchema::TextList(std::string name,
                                                           TextListSetting setting) {
  return Setting<std::vector<std::string>>(Add({.name = std::move(name),
                                                .description = std::move(setting.description),
                                                .type = std::vector<std::string>(),
                                                .default_value = std::move(setting.default_value),
                                                .secret = setting.secret}));
}

absl::Status SettingsSchema::RunChecks(const Settings& settings) const {
  for (const CheckFunction& check : checks_) {
    try {
      if (absl::Status status = check(settings); !status.ok()) return status;
    } catch (const std::exception& e) {
      return absl::InternalError(absl::StrCat("the check threw: ", e.what()));
    } catch (...) {
      return absl::InternalError("the check threw something that is no std::exception");
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> SettingsSchema::Mistakes() const {
  std::vector<std::string> mistakes;
  std::set<std::string> names;
  for (const Row& row : rows_) {
    MistakesOf(row, mistakes);
    if (!names.insert(row.name).second) {
      mistakes.push_back(absl::StrCat("setting \"", row.name, "\" is declared twice"));
    }
  }
  for (const std::string& name : names) {
    const auto inside = names.upper_bound(name + ".");
    if (inside == names.end() || !absl::StartsWith(*inside, name + ".")) continue;
    mistakes.push_back(absl::StrCat("setting \"", name, "\" is the section of \"", *inside, "\""));
  }
  return mistakes;
}

Settings SettingsSchema::Defaults() const {
  std::vector<SettingValue> values;
  values.reserve(rows_.size());
  for (const Row& row : rows_) values.push_back(row.default_value.value_or(row.type));
  return Settings(std::move(values));
}

std::string SettingsSchema::Usage(std::string_view indent) const {
  std::string usage;
  const std::string before(indent.data(), indent.size());
  for (const Row& row : rows_) {
    absl::StrAppend(&usage, before, row.name, "  (", ExpectedOf(row), row.secret ? ", secret" : "",
                    ")\n", before, "    ", row.description, "\n", before, "    default: ",
                    row.default_value.has_value() ? ShownValue(*row.default_value)
                                                  : std::string("none, required"),
                    "\n");
  }
  return usage;
}

std::string ExpectedOf(const SettingsSchema::Row& row) {
  if (std::holds_alternative<int64_t>(row.type)) {
    const bool low = row.integer_min != std::numeric_limits<int64_t>::min();
    const bool high = row.integer_max != std::numeric_limits<int64_t>::max();
    return absl::StrCat("an integer", low ? absl::StrCat(" from ", row.integer_min) : "",
                        high ? absl::StrCat(low ? " to " : " up to ", row.integer_max) : "");
  }
  if (std::holds_alternative<double>(row.type)) {
    const bool low = row.min != std::numeric_limits<double>::lowest();
    const bool high = row.max != std::numeric_limits<double>::max();
    return absl::StrCat("a number", low ? absl::StrCat(" from ", row.min) : "",
                        high ? absl::StrCat(low ? " to " : " up to ", row.max) : "");
  }
  if (std::holds_alternative<bool>(row.type)) return "true or false";
  if (!std::holds_alternative<std::string>(row.type)) return "a list of texts";
  if (row.choices.empty()) return "a text";
  return absl::StrCat("one of ", absl::StrJoin(row.choices, ", "));
}

std::optional<SettingValue> ParseSetting(const SettingsSchema::Row& row, bool is_list,
                                         const std::vector<std::string>& values) {
  if (std::holds_alternative<std::vector<std::string>>(row.type)) {
    if (!is_list) return std::nullopt;
    return values;
  }
  if (is_list || values.size() != 1) return std::nullopt;
  const std::string& text = values[0];
  SettingValue value = row.type;
  bool parsed = true;
  if (auto* integer = std::get_if<int64_t>(&value)) parsed = absl::SimpleAtoi(text, integer);
  if (auto* number = std::get_if<double>(&value)) parsed = absl::SimpleAtod(text, number);
  if (auto* boolean = std::get_if<bool>(&value)) {
    const std::string word = absl::AsciiStrToLower(text);
    parsed = word == "true" || word == "false";
    *boolean = word == "true";
  }
  if (auto* plain = std::get_if<std::string>(&value)) *plain = text;
  if (!parsed || !Fits(row, value)) return std::nullopt;
  return value;
}

const Settings& NoSettings() {
  static const Settings none;
  return none;
}

}  // namespace grove

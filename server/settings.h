// SettingsSchema, Settings: keys of the config file that an application's code declares.
//
//   const auto fanout = application.settings().Integer(
//       "fanout", {.description = "calls at once", .default_value = 4, .min = 1, .max = 64});
//   const auto key = application.settings().Text(
//       "payment.key", {.description = "of the payment service", .secret = true});
//   …
//   services.settings[fanout]
//
// stand in the config as `application: {fanout: 8, payment: {key: "${file:key}"}}`. Without a
// default a key is required. What is wrong with a value comes with its line, at the start, from
// --check and from a reload; a secret's value is shown by nobody.
// A schema is filled before Main() and constant from then on. Settings are values.
#ifndef GROVE_SERVER_SETTINGS_H_
#define GROVE_SERVER_SETTINGS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace grove {

// One that was declared; good for the Settings of its schema alone.
template <typename T>
class Setting {
 public:
  explicit Setting(size_t index) : index_(index) {}
  size_t index() const { return index_; }

 private:
  size_t index_;
};

struct IntegerSetting {
  std::string description;  // one line
  std::optional<int64_t> default_value = std::nullopt;
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
};

struct NumberSetting {
  std::string description;
  std::optional<double> default_value = std::nullopt;
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
};

struct BooleanSetting {
  std::string description;
  std::optional<bool> default_value = std::nullopt;
};

struct TextSetting {
  std::string description;
  std::optional<std::string> default_value = std::nullopt;
  std::vector<std::string> choices = {};  // empty: any text
  bool secret = false;
};

struct TextListSetting {
  std::string description;
  std::optional<std::vector<std::string>> default_value = std::nullopt;
  bool secret = false;
};

using SettingValue = std::variant<int64_t, double, bool, std::string, std::vector<std::string>>;

// What the config says, or else the defaults.
class Settings {
 public:
  Settings() = default;
  explicit Settings(std::vector<SettingValue> values) : values_(std::move(values)) {}

  // A copy, since a reload may come while its reader waits for something.
  template <typename T>
  T operator[](const Setting<T>& setting) const {
    return std::get<T>(values_[setting.index()]);
  }
  bool operator==(const Settings& other) const { return values_ == other.values_; }

 private:
  std::vector<SettingValue> values_;
};

class SettingsSchema {
 public:
  // Whether settings that are right one by one fit together.
  using CheckFunction = std::function<absl::Status(const Settings&)>;
  struct Row {
    std::string name;
    std::string description;
    SettingValue type;  // of its kind; the value does not matter
    std::optional<SettingValue> default_value;
    double min = 0;  // of a number
    double max = 0;
    int64_t integer_min = 0;
    int64_t integer_max = 0;
    std::vector<std::string> choices;
    bool secret = false;
  };

  // Names are lower-case words; dots lead into sections: "smtp.host".
  Setting<int64_t> Integer(std::string name, IntegerSetting setting);
  Setting<double> Number(std::string name, NumberSetting setting);
  Setting<bool> Boolean(std::string name, BooleanSetting setting);
  Setting<std::string> Text(std::string name, TextSetting setting);
  Setting<std::vector<std::string>> TextList(std::string name, TextListSetting setting);
  // Asked wherever a config is read, before anything runs by it; must do no I/O.
  void Check(CheckFunction check) { checks_.push_back(std::move(check)); }

  const std::vector<Row>& rows() const { return rows_; }
  // What the checks say; what they throw, too.
  absl::Status RunChecks(const Settings& settings) const;
  // What was declared wrongly, in words.
  std::vector<std::string> Mistakes() const;
  // Of all that have a default; the others are empty.
  Settings Defaults() const;
  // A line or two for each key, as --help shows them.
  std::string Usage(std::string_view indent) const;

 private:
  size_t Add(Row row);

  std::vector<Row> rows_;
  std::vector<CheckFunction> checks_;
};

// "an integer from 1 to 64", "one of fifo, lifo".
std::string ExpectedOf(const SettingsSchema::Row& row);
// What `values`, as a config file writes them, say; nullopt if they do not fit.
std::optional<SettingValue> ParseSetting(const SettingsSchema::Row& row, bool is_list,
                                         const std::vector<std::string>& values);

// Has none. For code that runs without a worker.
const Settings& NoSettings();

}  // namespace grove

#endif  // GROVE_SERVER_SETTINGS_H_

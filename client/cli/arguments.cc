#include "client/cli/arguments.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr char kUsagePayload[] = "grove.cli/usage";

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

const FlagSpec* FindByName(const std::vector<FlagSpec>& flags, std::string_view name) {
  for (const FlagSpec& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

const FlagSpec* FindByLetter(const std::vector<FlagSpec>& flags, char letter) {
  for (const FlagSpec& flag : flags) {
    if (flag.letter == letter) return &flag;
  }
  return nullptr;
}

absl::Status UnknownFlag(std::string_view shown, std::string_view name,
                         const std::vector<FlagSpec>& flags) {
  std::vector<std::string> names;
  names.reserve(flags.size());
  for (const FlagSpec& flag : flags) names.push_back(flag.name);
  const std::string near = NearestName(name, names);
  if (!near.empty()) {
    return UsageError(StrCat("unknown flag ", shown, "; did you mean --", near, "?"));
  }
  return UsageError(
      StrCat("unknown flag ", shown, "; an argument that begins with - goes behind --"));
}

// One flag as typed: which one, and the value that came in the same word.
struct Typed {
  const FlagSpec* flag;
  std::string shown;
  std::optional<std::string> value;
};

absl::StatusOr<Typed> ReadFlag(const std::string& word, const std::vector<FlagSpec>& flags) {
  Typed typed;
  if (word.starts_with("--")) {
    const size_t equals = word.find('=');
    typed.shown = word.substr(0, equals);
    if (equals != std::string::npos) typed.value = word.substr(equals + 1);
    std::string name = typed.shown.substr(2);
    std::replace(name.begin(), name.end(), '-', '_');
    typed.flag = FindByName(flags, name);
    if (typed.flag == nullptr) return UnknownFlag(typed.shown, name, flags);
    return typed;
  }
  typed.shown = word.substr(0, 2);
  typed.flag = FindByLetter(flags, word[1]);
  if (typed.flag == nullptr) return UnknownFlag(word, word.substr(1), flags);
  if (word.size() > 2) typed.value = word.substr(word[2] == '=' ? 3 : 2);
  return typed;
}

// "-2", where no flag is called so.
bool IsNumber(const std::string& word, const std::vector<FlagSpec>& flags) {
  return absl::ascii_isdigit(static_cast<unsigned char>(word[1])) &&
         FindByLetter(flags, word[1]) == nullptr;
}

absl::StatusOr<std::string> SwitchValue(const Typed& typed) {
  if (!typed.value || *typed.value == "true") return std::string("true");
  if (*typed.value == "false") return std::string("false");
  return UsageError(StrCat(typed.shown, " takes no value"));
}

}  // namespace

absl::StatusOr<Arguments> Arguments::Parse(const std::vector<std::string>& line,
                                           const std::vector<FlagSpec>& flags, Scope scope) {
  Arguments result;
  for (size_t i = 0; i < line.size(); ++i) {
    const std::string& word = line[i];
    if (word == "--") {
      result.positional_.insert(result.positional_.end(), line.begin() + i + 1, line.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-' || IsNumber(word, flags)) {
      if (scope == Scope::kLeadingFlags) {
        result.rest_.assign(line.begin() + i, line.end());
        break;
      }
      result.positional_.push_back(word);
      continue;
    }
    absl::StatusOr<Typed> typed = ReadFlag(word, flags);
    if (!typed.ok()) return typed.status();
    if (typed->flag->value.empty()) {
      absl::StatusOr<std::string> value = SwitchValue(*typed);
      if (!value.ok()) return value.status();
      typed->value = *value;
    } else if (!typed->value) {
      if (i + 1 == line.size()) {
        return UsageError(StrCat(typed->shown, " needs a value: ", typed->flag->value));
      }
      typed->value = line[++i];
    }
    result.values_[typed->flag->name].push_back(*typed->value);
  }
  return result;
}

bool Arguments::Has(const std::string& flag) const {
  const std::optional<std::string> value = Value(flag);
  return value && *value != "false";
}

std::optional<std::string> Arguments::Value(const std::string& flag) const {
  const auto found = values_.find(flag);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::string Arguments::ValueOr(const std::string& flag, std::string_view fallback) const {
  return Value(flag).value_or(std::string(fallback));
}

std::vector<std::string> Arguments::Values(const std::string& flag) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

void Arguments::Append(const Arguments& later) {
  for (const auto& [flag, values] : later.values_) {
    auto& mine = values_[flag];
    mine.insert(mine.end(), values.begin(), values.end());
  }
  positional_.insert(positional_.end(), later.positional_.begin(), later.positional_.end());
}

std::string NearestName(std::string_view typed, const std::vector<std::string>& names) {
  std::string best;
  size_t best_distance = std::string::npos;
  for (const std::string& name : names) {
    const bool begins = typed.size() >= 2 && name.starts_with(typed);
    const size_t distance = begins ? 0 : EditDistance(typed, name);
    if (distance > std::max<size_t>(1, (name.size() + 1) / 3) || distance >= best_distance)
      continue;
    best = name;
    best_distance = distance;
  }
  return best;
}

absl::Status UsageError(std::string_view message) {
  absl::Status status = absl::InvalidArgumentError(Abseil(message));
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsagePayload).has_value();
}

}  // namespace grove::client::cli

#include "server/json_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/near_match.h"

namespace grove {
namespace {

// Of a key that a client chose, in an error.
constexpr size_t kNameBytesMax = 64;

std::string_view KindOf(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null:
      return "null";
    case nlohmann::json::value_t::object:
      return "an object";
    case nlohmann::json::value_t::array:
      return "an array";
    case nlohmann::json::value_t::string:
      return "a string";
    case nlohmann::json::value_t::boolean:
      return "a boolean";
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
    case nlohmann::json::value_t::number_float:
      return "a number";
    case nlohmann::json::value_t::binary:
    case nlohmann::json::value_t::discarded:
      break;
  }
  return "no JSON";
}

bool IsPlain(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

}  // namespace

std::string JsonProblem(const nlohmann::json::exception& problem) {
  const std::string_view text = problem.what();
  // "[json.exception.type_error.302] type must be string, but is number"
  const size_t end = text.starts_with('[') ? text.find("] ") : std::string_view::npos;
  return std::string(end == std::string_view::npos ? text : text.substr(end + 2));
}

JsonReader::Step::Step(JsonReader& reader, std::string_view field)
    : reader_(reader), length_(reader.path_.size()) {
  std::string& path = reader.path_;
  if (IsPlain(field) && field.size() <= kNameBytesMax) {
    StrAppend(&path, path.empty() ? "" : ".", field);
  } else {
    // As JSON has it: with escapes, so that nothing in it is taken for a part of the path.
    const std::string text = nlohmann::json(field.substr(0, kNameBytesMax))
                                 .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    StrAppend(&path, "[", text, "]");
  }
}

JsonReader::Step::Step(JsonReader& reader, size_t index)
    : reader_(reader), length_(reader.path_.size()) {
  StrAppend(&reader.path_, "[", index, "]");
}

void JsonReader::Fail(std::string_view what) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(StrCat(path_, path_.empty() ? "" : ": ", what));
}

bool JsonReader::Expect(bool fits, std::string_view wanted, const nlohmann::json& found) {
  if (!fits) Fail(StrCat("expected ", wanted, ", found ", KindOf(found)));
  return fits;
}

const nlohmann::json* JsonObjectReader::Find(std::string_view name) {
  names_.push_back(name);
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

void JsonObjectReader::Finish() {
  // First: a name that is mistyped is unknown and missing at once.
  if (refuses_unknown_) RefuseUnknownOnes();
  if (missing_.size() == 1) {
    const JsonReader::Step step(reader_, missing_.front());
    reader_.Fail("required, but missing");
  } else if (!missing_.empty()) {
    std::string names;
    for (const std::string_view name : missing_) StrAppend(&names, names.empty() ? "" : ", ", name);
    reader_.Fail(StrCat("required, but missing: ", names));
  }
}

void JsonObjectReader::RefuseUnknownOnes() {
  for (const auto& [name, value] : object_.items()) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
    const std::vector<std::string> known(names_.begin(), names_.end());
    const std::string near = config::NearMatch(name.substr(0, kNameBytesMax), known);
    const JsonReader::Step step(reader_, name);
    return reader_.Fail(near.empty()
                            ? StrCat("unknown; the fields are ", absl::StrJoin(known, ", "))
                            : StrCat("unknown; did you mean \"", near, "\"?"));
  }
}

}  // namespace grove

#include "server/config/reference.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/config_file.h"

namespace grove::config {
namespace {

absl::Status Wrong(std::string_view reference, std::string_view what) {
  constexpr size_t kShown = 80;
  return absl::InvalidArgumentError(
      StrCat("'${", absl::CHexEscape(std::string(reference.substr(0, kShown))), "}': ", what));
}

bool IsVariable(std::string_view name) {
  return !name.empty() && !absl::ascii_isdigit(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

absl::StatusOr<std::string> FromFile(std::string_view reference, std::string_view path,
                                     const std::string& folder) {
  if (path.empty()) return Wrong(reference, "want a path behind 'file:'");
  const std::string full = (std::filesystem::path(folder) / path).string();
  absl::StatusOr<FileContent> content = ReadRegularFile("file", full, kReferencedBytesMax);
  if (!content.ok()) return Wrong(reference, Std(content.status().message()));
  std::string value = std::move(content->text);
  if (value.ends_with('\n')) value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  return value;
}

absl::StatusOr<std::string> FromEnvironment(std::string_view reference) {
  const size_t dash = reference.find(":-");
  const std::string name(reference.substr(0, dash));
  if (!IsVariable(name)) {
    return Wrong(reference,
                 "want ${NAME}, ${NAME:-default} or ${file:PATH}; a literal '${' is written '$${'");
  }
  const char* value = std::getenv(name.c_str());
  if (value != nullptr && (*value != '\0' || dash == std::string_view::npos)) return value;
  if (dash != std::string_view::npos) return std::string(reference.substr(dash + 2));
  return Wrong(reference, StrCat("the environment has no variable ", name, "; set it, or write ${",
                                 name, ":-default}"));
}

}  // namespace

absl::StatusOr<Expanded> ExpandReferences(const std::string& text, const std::string& folder) {
  Expanded expanded;
  std::string_view rest = text;
  for (;;) {
    const size_t begin = rest.find("${");
    expanded.value.append(rest.substr(0, begin));
    if (begin == std::string_view::npos) break;
    rest.remove_prefix(begin + 2);
    if (begin > 0 && expanded.value.ends_with('$')) {  // Of `$${`.
      expanded.value.push_back('{');
      continue;
    }
    const size_t end = rest.find('}');
    if (end == std::string_view::npos) {
      return absl::InvalidArgumentError(
          "'${' has no '}' behind it; a literal one is written '$${'");
    }
    const std::string_view reference = rest.substr(0, end);
    if (reference.find("${") != std::string_view::npos) {
      return Wrong(reference, "a reference cannot stand within another");
    }
    std::string_view path = reference;
    absl::StatusOr<std::string> value = ConsumePrefix(&path, "file:")
                                            ? FromFile(reference, path, folder)
                                            : FromEnvironment(reference);
    if (!value.ok()) return value.status();
    expanded.value += *value;
    expanded.has_references = true;
    if (expanded.value.size() > kReferencedBytesMax) {
      return Wrong(reference,
                   StrCat("the value comes to more than ", kReferencedBytesMax, " bytes"));
    }
    rest.remove_prefix(end + 1);
  }
  return expanded;
}

}  // namespace grove::config

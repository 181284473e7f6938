#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_join.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr char kVersion[] = "0.1.0";

std::string FlagText(const FlagSpec& flag) {
  std::string text = flag.letter == 0 ? "" : StrCat("-", std::string(1, flag.letter), ", ");
  StrAppend(&text, "--", flag.name);
  if (!flag.value.empty()) StrAppend(&text, "=", flag.value);
  return text;
}

// "  left   right" lines, the right sides aligned.
std::string TwoColumns(const std::vector<std::pair<std::string, std::string>>& lines) {
  size_t widest = 0;
  for (const auto& [left, right] : lines) widest = std::max(widest, left.size());
  std::string out;
  for (const auto& [left, right] : lines) {
    StrAppend(&out, "  ", left, std::string(widest - left.size() + 2, ' '), right, "\n");
  }
  return out;
}

std::string FlagLines(const std::vector<FlagSpec>& flags) {
  std::vector<std::pair<std::string, std::string>> lines;
  lines.reserve(flags.size());
  for (const FlagSpec& flag : flags) lines.emplace_back(FlagText(flag), flag.help);
  return TwoColumns(lines);
}

// Lines that a terminal shows whole.
std::string Wrapped(std::string_view text) {
  constexpr size_t kColumns = 79;
  std::string out;
  size_t column = 0;
  for (const std::string_view word : StrSplit(text, ' ')) {
    const bool fits = column == 0 || column + 1 + word.size() <= kColumns;
    if (column > 0) out += fits ? ' ' : '\n';
    column = fits && column > 0 ? column + 1 + word.size() : word.size();
    StrAppend(&out, word);
  }
  return out + "\n";
}

std::string UsageText(const Verb& verb) {
  return StrCat(verb.name, verb.arguments.empty() ? "" : " ", verb.arguments);
}

}  // namespace

std::string HelpText() {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const Verb& verb : Verbs()) {
    if (!verb.hidden) lines.emplace_back(UsageText(verb), verb.summary);
  }
  return StrCat(
      "Usage: grovectl [FLAGS] VERB [ARGUMENTS]\n\nVerbs:\n", TwoColumns(lines),
      "\nFlags of every verb:\n", FlagLines(GlobalFlags()),
      "\n\"grovectl help VERB\" explains a verb and its flags.\n"
      "Exit codes: 0 success, 1 the operation failed, 2 wrong usage, 130 ended by Ctrl-C.\n");
}

std::string HelpText(const Verb& verb) {
  std::string out = StrCat("Usage: grovectl ", UsageText(verb),
                           verb.flags.empty() ? "" : " [FLAGS]", "\n\n", verb.summary, "\n");
  if (!verb.description.empty()) StrAppend(&out, Wrapped(verb.description));
  if (!verb.flags.empty()) StrAppend(&out, "\nFlags:\n", FlagLines(verb.flags));
  StrAppend(&out, "\nFlags of every verb:\n", FlagLines(GlobalFlags()));
  return out;
}

absl::Status RunVersion(Command& command) {
  Print(command, {{"version", kVersion}}, [] { return StrCat("grovectl ", kVersion, "\n"); });
  return absl::OkStatus();
}

absl::Status RunHelp(Command& command) {
  const std::string name = absl::StrJoin(command.arguments.positional(), " ");
  if (name.empty()) {
    command.shell.out << HelpText();
    return absl::OkStatus();
  }
  const Verb* verb = FindVerb(name);
  if (verb == nullptr) return UsageError(StrCat("there is no verb \"", name, "\""));
  command.shell.out << HelpText(*verb);
  return absl::OkStatus();
}

}  // namespace grove::client::cli

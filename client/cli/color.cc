#include "client/cli/color.h"

#include "client/cli/arguments.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr char kRed[] = "31";
constexpr char kGreen[] = "32";
constexpr char kYellow[] = "33";
constexpr char kCyan[] = "36";

struct StateColor {
  std::string_view state;
  const char* color;
};

constexpr StateColor kStateColors[] = {
    {"SUCCEEDED", kGreen},   {"READY", kGreen},        {"ACTIVE", kGreen},  {"FAILED", kRed},
    {"TIMED_OUT", kRed},     {"DOWN", kRed},           {"STUCK", kRed},     {"CANCELLED", kYellow},
    {"SUPERSEDED", kYellow}, {"INTERRUPTED", kYellow}, {"PAUSED", kYellow}, {"DRAINING", kYellow},
    {"STARTING", kYellow},   {"RUNNING", kCyan},
};

std::string Colored(const char* color, std::string_view text) {
  return StrCat("\033[", color, "m", text, "\033[0m");
}

}  // namespace

absl::StatusOr<bool> WantsColor(
    const std::string& choice, bool is_terminal,
    const std::function<std::optional<std::string>(const char*)>& environment) {
  if (choice == "always") return true;
  if (choice == "never") return false;
  if (choice != "auto") {
    return UsageError(StrCat("--color: \"", choice, "\" is not auto, always or never"));
  }
  return is_terminal && environment("NO_COLOR").value_or("").empty() &&
         environment("TERM").value_or("") != "dumb";
}

std::string ColoredState(std::string_view state) {
  for (const StateColor& each : kStateColors) {
    if (each.state == state) return Colored(each.color, state);
  }
  return std::string(state);
}

std::string Red(std::string_view text) {
  return Colored(kRed, text);
}

std::string Green(std::string_view text) {
  return Colored(kGreen, text);
}

}  // namespace grove::client::cli

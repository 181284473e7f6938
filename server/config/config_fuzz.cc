// libFuzzer target: a text either has errors that can be told, or says a config that is the same
// once it is written and read again.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/config/change.h"
#include "server/config/flags.h"
#include "server/config/format.h"
#include "server/config/load.h"
#include "server/config/problems.h"
#include "server/config/resolve.h"

namespace {

using grove::config::Problems;
using grove::config::v1::Config;

// A quoted key or value is cut; several may stand in one line, with the key's path.
constexpr size_t kErrorLineBytesMax = 32 * 1024;

void Require(bool holds, const char* what, std::string_view shown) {
  if (holds) return;
  std::fprintf(stderr, "%s:\n%.*s\n", what, static_cast<int>(shown.size()), shown.data());
  std::abort();
}

bool IsPrintable(char c) {
  return static_cast<unsigned char>(c) >= ' ' && c != '\x7f';
}

// What an operator gets to see.
void CheckErrors(const absl::Status& status) {
  const std::string message(status.message());
  Require(!message.empty(), "an error without a message", "");
  size_t lines = 0;
  for (size_t at = 0; at <= message.size(); ++lines) {
    const size_t end = std::min(message.find('\n', at), message.size());
    const std::string_view line = std::string_view(message).substr(at, end - at);
    Require(!line.empty() && line.size() <= kErrorLineBytesMax, "an error of a bad length", line);
    Require(std::all_of(line.begin(), line.end(), IsPrintable), "an error no log can show", line);
    at = end + 1;
  }
  Require(lines <= grove::config::kProblemsShownMax + 2, "too many errors", message);
}

Config Resolved(const Config& file, Problems* problems) {
  const grove::config::Environment environment = {.home = "/home/grove",
                                                  .state_home = "",
                                                  .runtime_dir = "",
                                                  .working_directory = "/",
                                                  .cpus = 2,
                                                  .memory_bytes = int64_t{1} << 30};
  return grove::config::Resolve({}, file, environment, problems);
}

void CheckReadAgain(const Config& config, const grove::config::FormatOptions& options) {
  const std::string text = grove::config::FormatConfig(config, options);
  // Of one with aliases may come more than a file may have.
  if (text.size() > grove::config::kConfigFileBytesMax) return;
  const absl::StatusOr<Config> parsed = grove::config::ParseConfig(text, "written");
  Require(parsed.ok(), parsed.ok() ? "" : std::string(parsed.status().message()).c_str(), text);
  Problems problems;
  const Config again = Resolved(*parsed, &problems);
  Require(problems.empty(), std::string(problems.ToStatus().message()).c_str(), text);
  Require(google::protobuf::util::MessageDifferencer::Equals(config, again), "another config",
          text);
  Require(grove::config::Compare(config, again).empty(), "changes where there are none", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const absl::StatusOr<Config> parsed = grove::config::ParseConfig(text, "config.yaml");
  if (!parsed.ok()) {
    CheckErrors(parsed.status());
    return 0;
  }
  Problems problems;
  const Config config = Resolved(*parsed, &problems);
  if (!problems.empty()) {
    CheckErrors(problems.ToStatus());
    return 0;
  }
  CheckReadAgain(config, {});
  CheckReadAgain(config, {.defaults = true, .json = true});
  return 0;
}

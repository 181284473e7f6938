// Arguments: a command line taken apart by the flags a verb declares.
//
// Understands --name=value, --name value, -n value, -nvalue, switches, and "--" before arguments
// that begin with "-". In a long name "-" is as good as "_". Pure: reads no environment and prints
// nothing.

#ifndef GROVE_CLIENT_CLI_ARGUMENTS_H_
#define GROVE_CLIENT_CLI_ARGUMENTS_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::client::cli {

struct FlagSpec {
  std::string name;
  // What help shows as its value; empty for a switch.
  std::string value;
  std::string help;
  // 0: none.
  char letter = 0;
};

class Arguments {
 public:
  enum class Scope {
    kWholeLine,
    // Stops before the first argument that is no flag.
    kLeadingFlags,
  };

  // INVALID_ARGUMENT: an unknown flag (the message suggests a near one), a missing value, a value
  // for a switch.
  static absl::StatusOr<Arguments> Parse(const std::vector<std::string>& line,
                                         const std::vector<FlagSpec>& flags, Scope scope);

  bool Has(const std::string& flag) const;
  // The last one given.
  std::optional<std::string> Value(const std::string& flag) const;
  std::string ValueOr(const std::string& flag, std::string_view fallback) const;
  // All given, in order.
  std::vector<std::string> Values(const std::string& flag) const;

  const std::vector<std::string>& positional() const { return positional_; }
  // With kLeadingFlags: what was not looked at.
  const std::vector<std::string>& rest() const { return rest_; }

  // Takes over the flags of `later`, which win, and its positional arguments.
  void Append(const Arguments& later);

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> positional_;
  std::vector<std::string> rest_;
};

// The nearest of `names` within a third of its length (rounded up) in edits, or that `typed`
// begins; empty if there is none.
std::string NearestName(std::string_view typed, const std::vector<std::string>& names);

// A status that says the command line is wrong, as opposed to an operation that failed.
absl::Status UsageError(std::string_view message);
bool IsUsageError(const absl::Status& status);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_ARGUMENTS_H_

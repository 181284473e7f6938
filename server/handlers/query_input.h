// QueryInput: checked access to the parameters in a request's query.
//
// Refuses what is malformed, unknown, repeated or out of range, naming the parameter. A value; any
// thread.
#ifndef GROVE_SERVER_HANDLERS_QUERY_INPUT_H_
#define GROVE_SERVER_HANDLERS_QUERY_INPUT_H_

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::handlers {

// Nothing where a '%' is not followed by two hexadecimal digits. Leaves '+' as it is.
std::optional<std::string> PercentDecode(std::string_view text);

class QueryInput {
 public:
  // "a=1&b=%20"; names are all in `names`. kInvalidArgument.
  static absl::StatusOr<QueryInput> Parse(std::string_view query,
                                          std::initializer_list<std::string_view> names);

  bool has(std::string_view name) const { return values_.contains(name); }
  // `fallback` where the parameter is absent.
  absl::StatusOr<int64_t> Integer(std::string_view name, int64_t low, int64_t high,
                                  int64_t fallback) const;
  absl::StatusOr<double> Number(std::string_view name, double low, double high,
                                double fallback) const;
  // "1" or "true", "0" or "false".
  absl::StatusOr<bool> Flag(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace grove::handlers

#endif  // GROVE_SERVER_HANDLERS_QUERY_INPUT_H_

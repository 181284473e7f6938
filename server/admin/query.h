// Query: the parameters of a page's query, checked.
//
// A value; any thread.
#ifndef GROVE_SERVER_ADMIN_QUERY_H_
#define GROVE_SERVER_ADMIN_QUERY_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace grove::admin {

class Query {
 public:
  // "worker=0&limit=10", percent-encoded. kInvalidArgument: malformed, twice, or not among `names`.
  static absl::StatusOr<Query> Parse(std::string_view text, const std::vector<std::string>& names);

  bool has(std::string_view name) const { return values_.contains(name); }
  // Empty where it is absent.
  std::string_view Text(std::string_view name) const;
  // `fallback` where it is absent. kInvalidArgument names it.
  absl::StatusOr<int64_t> Number(std::string_view name, int64_t low, int64_t high,
                                 int64_t fallback) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_QUERY_H_

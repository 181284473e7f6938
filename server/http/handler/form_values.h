// FormValues: names and values as queries and forms write them
// (application/x-www-form-urlencoded).
//
//   const absl::StatusOr<grove::http::FormValues> query = grove::http::QueryOf(request);
//   if (!query.ok()) return query.status();                       // 400
//   const absl::StatusOr<int64_t> page = query->Integer("page", 1, 1000, /*fallback=*/1);
//
// Percent-decoded, '+' is a blank. A name may stand several times; what reads one value takes the
// first. Errors name the parameter and are kInvalidArgument, which a handler may return as they
// are. A value; any thread.
#ifndef GROVE_SERVER_HTTP_HANDLER_FORM_VALUES_H_
#define GROVE_SERVER_HTTP_HANDLER_FORM_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/http/handler/request.h"

namespace grove::http {

// A form with more is an attack or a mistake.
inline constexpr size_t kFormValuesMax = 1000;
inline constexpr size_t kFormBytesMax = size_t{1} << 20;

class FormValues {
 public:
  // "a=1&b=%20&c". kInvalidArgument: a '%' without two hexadecimal digits, or more than
  // kFormValuesMax pairs.
  static absl::StatusOr<FormValues> Parse(std::string_view text);

  bool has(std::string_view name) const { return Find(name) != nullptr; }
  std::optional<std::string> Get(std::string_view name) const;
  std::vector<std::string> All(std::string_view name) const;
  // kInvalidArgument: it is not there, or empty.
  absl::StatusOr<std::string> Required(std::string_view name) const;
  // `fallback` where the name does not stand. kInvalidArgument: no number from `low` to `high`.
  absl::StatusOr<int64_t> Integer(std::string_view name, int64_t low, int64_t high,
                                  int64_t fallback) const;
  absl::StatusOr<double> Number(std::string_view name, double low, double high,
                                double fallback) const;
  // "1", "true", "on" or nothing behind the name; "0", "false", "off", or no such name.
  absl::StatusOr<bool> Flag(std::string_view name) const;

  // As they stand.
  const std::vector<std::pair<std::string, std::string>>& values() const { return values_; }

 private:
  const std::string* Find(std::string_view name) const;

  std::vector<std::pair<std::string, std::string>> values_;
};

absl::StatusOr<FormValues> QueryOf(const Request& request);
// The body of a request, whose Content-Type is application/x-www-form-urlencoded (else
// kInvalidArgument). kResourceExhausted: it is longer than `bytes_max`. **Parks.**
absl::StatusOr<FormValues> ReadForm(Request& request, size_t bytes_max = kFormBytesMax);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_FORM_VALUES_H_

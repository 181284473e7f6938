// AccessFormat: an access line's form: a format string in eventlet's way, or JSON.
//
//   %(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s %(wall_seconds).6f
//
// Parsed once, applied to each request. What a client sent cannot break out of its place: control
// characters, quotes, backslashes and bytes beyond ASCII are escaped. Pure.
#ifndef GROVE_SERVER_ACCESS_LOG_ACCESS_FORMAT_H_
#define GROVE_SERVER_ACCESS_LOG_ACCESS_FORMAT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/access_log/access_value.h"

namespace grove::access_log {

// eventlet.wsgi's own.
inline constexpr std::string_view kDefaultAccessFormat =
    R"(%(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s %(body_length)s )"
    R"(%(wall_seconds).6f)";
// Of one text in a line, before it is escaped; then "..." follows.
inline constexpr size_t kAccessTextBytesMax = 4096;

class AccessFormat {
 public:
  // `%(key)s`, `%(key)d` and `%(key).6f` for a key of AccessKeys(), `%%` for a percent sign, all
  // else as it stands. kInvalidArgument: what is wrong, where, and the nearest key.
  static absl::StatusOr<AccessFormat> Parse(std::string_view format);
  // One object a line with all keys that have a value.
  static AccessFormat Json();

  // Appends the line of an entry that ended at `now`, with its '\n'.
  void Append(const http::AccessEntry& entry, absl::Time now, std::string& line) const;

 private:
  enum class Conversion { kText, kWhole, kFraction };
  // A literal, then a value, but for the last one.
  struct Piece {
    std::string literal;
    const AccessKey* key = nullptr;
    Conversion conversion = Conversion::kText;
    int digits = 6;
  };

  static absl::StatusOr<Piece> ParseConversion(std::string_view format, size_t& at);
  static void AppendPiece(const Piece& piece, const AccessLine& access, std::string& line);

  bool json_ = false;
  std::vector<Piece> pieces_;
};

}  // namespace grove::access_log

#endif  // GROVE_SERVER_ACCESS_LOG_ACCESS_FORMAT_H_

// ResponseParser: the head of an HTTP/1.1 response, from bytes, and where its body ends (RFC 9112).
//
// Incremental: give it all bytes since the response's first one, again with more until it is done.
// Zero-copy: what it yields are views into those bytes. It takes what servers have always sent
// (lines that end in LF alone, folded lines), but a connection on which it met such a line is not
// used again: who frames otherwise than the standard may frame its next answer otherwise, too.
#ifndef GROVE_HTTP_CLIENT_RESPONSE_PARSER_H_
#define GROVE_HTTP_CLIENT_RESPONSE_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "http/message/field.h"

namespace grove::http {

// Of a response and the interim ones before it, each.
inline constexpr size_t kResponseHeadBytesMax = 64 * 1024;
inline constexpr size_t kResponseFieldsMax = 256;

struct ResponseHead {
  int status = 0;
  int version_minor = 1;
  std::string_view reason;
  std::vector<Field> fields;
};

enum class ResponseBody : uint8_t {
  kNone,
  kLength,
  kChunked,
  kUntilClose,
  // Both sides' bytes from here on are no HTTP (101, and 2xx to CONNECT).
  kTunnel,
};

struct ResponseFraming {
  ResponseBody body = ResponseBody::kNone;
  uint64_t content_length = 0;
  // Whether another request may follow on the connection.
  bool keep_alive = true;
};

class ResponseParser {
 public:
  enum class Result { kNeedMore, kDone, kBad };

  // For the next response.
  void Reset();
  // `bytes` begins where it began before; it may have moved. Folded lines are joined in place.
  Result Parse(std::span<char> bytes);

  // After kDone; valid while the bytes stand.
  const ResponseHead& head() const { return head_; }
  size_t head_bytes() const { return line_start_; }
  // After kDone: kUnavailable, for what cannot be framed.
  absl::Status Frame(std::string_view request_method, ResponseFraming& framing) const;
  // After kBad: kUnavailable or kResourceExhausted.
  const absl::Status& error() const { return error_; }

 private:
  Result Fail(std::string_view why);
  bool ParseStatusLine(std::string_view line);
  // False: it is no field.
  bool ParseField(std::string_view line);
  void Rebase(const char* base);

  const char* base_ = nullptr;
  size_t line_start_ = 0;
  // No line ends before it.
  size_t searched_ = 0;
  bool has_status_line_ = false;
  bool sloppy_ = false;
  ResponseHead head_;
  absl::Status error_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_RESPONSE_PARSER_H_

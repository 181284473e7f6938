// AccessLog: told of every request once, when it has ended, whatever became of it.
//
// Also of those that never reached a handler (refused as malformed, too slow, left half sent), of
// WebSockets at their end, and of those whose client went away. The seam between connections and
// whatever writes it down. Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_ACCESS_LOG_H_
#define GROVE_SERVER_HTTP_HANDLER_ACCESS_LOG_H_

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "server/http/handler/request.h"

namespace grove::http {

struct AccessEntry {
  // What is known of it. Of a request whose head was refused: peer, and what its first line tells.
  const Request& request;
  // The first line of a refused head as it came, at most kRequestLineBytesMax of it and unchecked;
  // else empty, as the request's parts tell it.
  std::string_view refused_line;
  int status = 0;  // 0: nothing was answered, since the client was gone
  // Whole as far as the handler is concerned; false: cut short, or nobody to answer.
  bool complete = false;
  uint64_t body_bytes = 0;      // of the response, without framing
  uint64_t request_bytes = 0;   // on the wire, as far as they were used
  uint64_t response_bytes = 0;  // on the wire, interim responses and a WebSocket's frames included
  // From the request's first byte to the end of its handler; what the kernel has still to send then
  // is not waited for.
  absl::Duration wall;
};

class AccessLog {
 public:
  virtual ~AccessLog() = default;
  // The entry's views are valid during the call. Must not park.
  virtual void Note(const AccessEntry& entry) = 0;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_ACCESS_LOG_H_

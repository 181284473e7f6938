// What can be told of a request whose head was refused, came too slowly, or not to its end.
//
// The parser's views may be of another request by then, so its first line is looked at anew, and
// unchecked: for the access log, and to know a HEAD.
#ifndef GROVE_SERVER_HTTP_SERVING_REFUSED_HEAD_H_
#define GROVE_SERVER_HTTP_SERVING_REFUSED_HEAD_H_

#include <string_view>

#include "http/message/parser.h"

namespace grove::http {

// The first line of `unread`, as far as it came; at most kRequestLineBytesMax of it. Empty lines
// before it are none.
std::string_view RequestLineOf(std::string_view unread);

// What `line` says of method, target, path and query.
RequestHead HeadOf(std::string_view line);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_REFUSED_HEAD_H_

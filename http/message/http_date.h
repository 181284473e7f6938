// HttpDate: points in time as HTTP writes them (RFC 9110, 5.6.7).
//
// Pure; whole seconds since 1970.
#ifndef GROVE_HTTP_MESSAGE_HTTP_DATE_H_
#define GROVE_HTTP_MESSAGE_HTTP_DATE_H_

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace grove::http {

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string FormatHttpDate(std::time_t seconds);

// Of the three forms that recipients must know. `now` tells the century of a two-digit year.
std::optional<std::time_t> ParseHttpDate(std::string_view text, std::time_t now);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_HTTP_DATE_H_

// StandingFields: what every response carries, formatted once a second.
//
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_STANDING_FIELDS_H_
#define GROVE_SERVER_HTTP_SERVING_STANDING_FIELDS_H_

#include <array>
#include <ctime>
#include <string>
#include <string_view>

#include "http/message/http_date.h"

namespace grove::http {

// "HTTP/1.1 200 OK\r\n"; built at the first use and kept.
std::string_view StatusLine(int status);

class StandingFields {
 public:
  // The status line of a 200, "Date: …\r\n" and "Server: grove\r\n", as of `now`.
  std::string_view OkHeadAt(std::time_t now) {
    if (now != formatted_) Format(now);
    return ok_head_;
  }
  std::string_view DateAt(std::time_t now) {
    if (now != formatted_) Format(now);
    return date_;
  }
  static std::string_view Server() { return "Server: grove\r\n"; }

 private:
  void Format(std::time_t now);

  std::time_t formatted_ = -1;
  std::string date_;
  std::string ok_head_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_STANDING_FIELDS_H_

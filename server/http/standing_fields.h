// StandingFields: the fields that every response carries, formatted once a second.
//
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_STANDING_FIELDS_H_
#define GROVE_SERVER_HTTP_STANDING_FIELDS_H_

#include <array>
#include <ctime>
#include <string>
#include <string_view>

#include "server/http/http_date.h"

namespace grove::http {

// "HTTP/1.1 200 OK\r\n"; built at the first use and kept.
std::string_view StatusLine(int status);

class StandingFields {
 public:
  // "Date: …\r\n" and "Server: grove\r\n", as of `now`.
  std::string_view At(std::time_t now) {
    if (now != formatted_) Format(now);
    return fields_;
  }
  static std::string_view Server() { return "Server: grove\r\n"; }
  // The Date line alone, as of the last At().
  std::string_view Date() const { return std::string_view(fields_).substr(0, date_bytes_); }

 private:
  void Format(std::time_t now);

  std::time_t formatted_ = -1;
  size_t date_bytes_ = 0;
  std::string fields_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_STANDING_FIELDS_H_

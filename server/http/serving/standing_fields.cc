#include "server/http/serving/standing_fields.h"

#include "absl/strings/str_format.h"
#include "server/http/handler/status.h"

namespace grove::http {
namespace {

constexpr int kStatusFirst = 100;
constexpr int kStatusLast = 599;

std::array<std::string, kStatusLast - kStatusFirst + 1> MakeStatusLines() {
  std::array<std::string, kStatusLast - kStatusFirst + 1> lines;
  for (int status = kStatusFirst; status <= kStatusLast; ++status) {
    lines[status - kStatusFirst] =
        absl::StrFormat("HTTP/1.1 %d %s\r\n", status, ReasonPhrase(status));
  }
  return lines;
}

}  // namespace

std::string_view StatusLine(int status) {
  static const auto& lines = *new std::array(MakeStatusLines());
  return lines[status - kStatusFirst];
}

void StandingFields::Format(std::time_t now) {
  formatted_ = now;
  date_ = "Date: " + FormatHttpDate(now) + "\r\n";
  ok_head_ = std::string(StatusLine(200)).append(date_).append(Server());
}

}  // namespace grove::http

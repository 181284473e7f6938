// The parser alone, on the head that a browser sends for a page, beside a floor that only looks for
// the ends of its lines.
//
// Prints `NAME METRIC VALUE`: gigabytes of heads per second and nanoseconds a head, medians.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "http/message/parser.h"

namespace grove::http {
namespace {

constexpr int kRounds = 9;
constexpr int kHeads = 400'000;

// What Chromium 120 sends when a link is followed on a site that has set three cookies.
constexpr std::string_view kBrowserHead =
    "GET /articles/2024/05/green-threads-in-practice?utm_source=feed&page=2 HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Not_A Brand\";v=\"8\", \"Chromium\";v=\"120\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Referer: https://www.example.org/articles/\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n"
    "Cookie: session=4f9c2b7d8e1a4c63b5f0; theme=dark; "
    "consent=eyJhbmFseXRpY3MiOnRydWUsImFkcyI6ZmFsc2V9\r\n"
    "If-None-Match: W/\"5f-18c2a3b4d5e\"\r\n"
    "\r\n";

void Report(const char* name, absl::FunctionRef<size_t(std::string_view)> parse) {
  using SteadyClock = std::chrono::steady_clock;
  const std::string head(kBrowserHead);
  std::vector<double> nanos;
  size_t taken = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = SteadyClock::now();
    for (int i = 0; i < kHeads; ++i) taken += parse(head);
    const std::chrono::duration<double, std::nano> elapsed = SteadyClock::now() - start;
    nanos.push_back(elapsed.count() / kHeads);
  }
  std::sort(nanos.begin(), nanos.end());
  const double median = nanos[kRounds / 2];
  if (taken != head.size() * kRounds * kHeads) std::printf("%s: not all of it was taken\n", name);
  std::printf("%s gigabytes_per_second %.2f\n", name, static_cast<double>(head.size()) / median);
  std::printf("%s ns_per_head %.1f\n", name, median);
}

size_t FindLineEnds(std::string_view head) {
  const char* p = head.data();
  const char* const end = p + head.size();
  while (p != end) p = static_cast<const char*>(std::memchr(p, '\n', end - p)) + 1;
  return p - head.data();
}

}  // namespace
}  // namespace grove::http

int main() {
  using grove::http::RequestParser;
  grove::http::Report("line_ends_floor", grove::http::FindLineEnds);
  RequestParser parser;
  grove::http::Report("grove_parser", [&parser](std::string_view head) -> size_t {
    parser.Reset();
    return parser.Parse(head) == RequestParser::Result::kDone ? parser.head_bytes() : 0;
  });
  return 0;
}

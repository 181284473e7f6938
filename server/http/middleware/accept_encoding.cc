#include "server/http/middleware/accept_encoding.h"

#include <algorithm>
#include <optional>

#include "http/message/scan.h"
#include "server/http/handler/handler.h"

namespace grove::http {
namespace {

// In thousandths: "0", "0.5", "1.000" (RFC 9110, 12.4.2); nullopt if malformed.
std::optional<int> ParseWeight(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = (text[0] - '0') * 1000;
  if (text.size() == 1) return weight;
  if (text[1] != '.' || text.size() > 5) return std::nullopt;
  int unit = 100;
  for (const char c : text.substr(2)) {
    if (!IsDigit(c)) return std::nullopt;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight > 1000 ? std::nullopt : std::optional(weight);
}

// The weight of "coding;q=…"; 0 if malformed.
int WeightOf(std::string_view parameters) {
  if (parameters.empty()) return 1000;
  const std::string_view weight = TrimBlanks(parameters.substr(1));
  if (weight.size() < 2 || !EqualsIgnoreCase(weight.substr(0, 2), "q=")) return 0;
  return ParseWeight(weight.substr(2)).value_or(0);
}

}  // namespace

bool AcceptsGzip(std::string_view accept) {
  std::optional<int> gzip;
  std::optional<int> identity;
  std::optional<int> any;
  while (!accept.empty()) {
    const size_t comma = std::min(accept.find(','), accept.size());
    const std::string_view element = TrimBlanks(accept.substr(0, comma));
    accept.remove_prefix(std::min(comma + 1, accept.size()));
    const size_t semicolon = std::min(element.find(';'), element.size());
    const std::string_view coding = TrimBlanks(element.substr(0, semicolon));
    const int weight = WeightOf(element.substr(semicolon));
    // "x-gzip" is the same (RFC 9110, 8.4.1.3).
    if (EqualsIgnoreCase(coding, "gzip") || EqualsIgnoreCase(coding, "x-gzip")) {
      gzip = std::max(gzip.value_or(0), weight);
    } else if (EqualsIgnoreCase(coding, "identity")) {
      identity = weight;
    } else if (coding == "*") {
      any = weight;
    }
  }
  const int wanted = gzip.value_or(any.value_or(0));
  // Unlisted, the plain form is what is sent if nothing else goes.
  return wanted > 0 && wanted >= identity.value_or(0);
}

bool IsCompressible(std::string_view content_type, std::span<const std::string> types) {
  const std::string_view type = TrimBlanks(content_type.substr(0, content_type.find(';')));
  return std::any_of(types.begin(), types.end(), [type](std::string_view pattern) {
    if (!pattern.ends_with("/*")) return EqualsIgnoreCase(type, pattern);
    pattern.remove_suffix(1);
    return type.size() > pattern.size() &&
           EqualsIgnoreCase(type.substr(0, pattern.size()), pattern);
  });
}

}  // namespace grove::http

#include "server/http/handler/cookies.h"

#include <algorithm>

#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// cookie-octet of RFC 6265, 4.1.1.
bool IsCookieValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

bool IsAttribute(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c < '\x7f' && c != ';'; });
}

std::string_view SameSiteName(Cookie::SameSite same_site) {
  switch (same_site) {
    case Cookie::SameSite::kLax:
      return "Lax";
    case Cookie::SameSite::kStrict:
      return "Strict";
    case Cookie::SameSite::kNone:
      break;
  }
  return "None";
}

}  // namespace

std::optional<std::string> CookieOf(const Request& request, std::string_view name) {
  // A client sends one field (RFC 6265, 5.4), and HTTP/2 splits it for proxies to join again.
  std::string_view rest = request.Get("Cookie").value_or("");
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || Trimmed(pair.substr(0, equals)) != name) continue;
    std::string_view value = Trimmed(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    return std::string(value);
  }
  return std::nullopt;
}

absl::Status SetCookie(Response& response, const Cookie& cookie) {
  const auto bad = [&](std::string_view what) {
    return absl::InvalidArgumentError(StrCat("cookie: ", what));
  };
  if (!IsToken(cookie.name)) return bad("its name is no token");
  if (!IsCookieValue(cookie.value))
    return bad("its value has blanks, quotes, ',', ';', '\\' or others");
  if (!IsAttribute(cookie.path) || !IsAttribute(cookie.domain)) {
    return bad("its path or domain has ';' or control characters");
  }
  if (cookie.same_site == Cookie::SameSite::kNone && !cookie.secure) {
    return bad("SameSite=None goes with Secure alone");
  }
  std::string text = StrCat(cookie.name, "=", cookie.value);
  if (!cookie.path.empty()) StrAppend(&text, "; Path=", cookie.path);
  if (!cookie.domain.empty()) StrAppend(&text, "; Domain=", cookie.domain);
  if (cookie.max_age.has_value()) {
    const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(*cookie.max_age), 0);
    StrAppend(&text, "; Max-Age=", seconds);
  }
  if (cookie.secure) StrAppend(&text, "; Secure");
  if (cookie.http_only) StrAppend(&text, "; HttpOnly");
  StrAppend(&text, "; SameSite=", SameSiteName(cookie.same_site));
  response.Add("Set-Cookie", text);
  return absl::OkStatus();
}

}  // namespace grove::http

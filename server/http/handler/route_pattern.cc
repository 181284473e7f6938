#include "server/http/handler/route_pattern.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "http/message/path.h"

namespace grove::http {
namespace {

using Segment = RoutePattern::Segment;
using Kind = RoutePattern::Kind;

absl::Status Wrong(std::string_view path, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrFormat("'%s' is no route: %s", path, what));
}

bool IsParameterName(std::string_view name) {
  if (name.empty() || absl::ascii_isdigit(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

absl::StatusOr<Segment> ParseSegment(std::string_view path, std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) {
    return Segment{Kind::kLiteral, std::string(text)};
  }
  if (text.front() != '{' || text.find('}') != text.size() - 1) {
    return Wrong(path, "braces stand around a whole segment, as in /users/{id}");
  }
  std::string_view name = text.substr(1, text.size() - 2);
  const bool rest = name.ends_with("...");
  if (rest) name.remove_suffix(3);
  if (!IsParameterName(name)) {
    return Wrong(path, "a parameter is named by letters, digits and _, as in {id} or {path...}");
  }
  return Segment{rest ? Kind::kRest : Kind::kName, std::string(name)};
}

bool IsHostLabelChar(char c) {
  return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
}

}  // namespace

absl::StatusOr<RoutePattern> RoutePattern::Parse(std::string_view path) {
  if (path.empty() || path.front() != '/') return Wrong(path, "a path starts with '/'");
  if (path.find_first_of(" ?#") != std::string_view::npos) {
    return Wrong(path, "it has a blank, ? or #");
  }
  // "{rest...}" has dots, but is no dot segment.
  absl::StatusOr<std::string> canonical = CanonicalPath(path);
  if (!canonical.ok()) {
    return Wrong(path, std::string(canonical.status().message()));
  }
  RoutePattern pattern;
  pattern.path = *std::move(canonical);
  std::set<std::string> names;
  for (size_t at = 0; at < pattern.path.size();) {
    const size_t end = std::min(pattern.path.find('/', at + 1), pattern.path.size());
    const std::string_view text = std::string_view(pattern.path).substr(at + 1, end - at - 1);
    absl::StatusOr<Segment> segment = ParseSegment(path, text);
    if (!segment.ok()) return segment.status();
    if (segment->kind == Kind::kRest && end != pattern.path.size()) {
      return Wrong(path, "{name...} stands last");
    }
    if (segment->kind != Kind::kLiteral && !names.insert(segment->text).second) {
      return Wrong(path, "two parameters have the same name");
    }
    pattern.segments.push_back(*std::move(segment));
    at = end;
  }
  if (pattern.segments.size() > kPatternSegmentsMax) return Wrong(path, "it has over 64 segments");
  return pattern;
}

std::vector<std::string> RoutePattern::names() const {
  std::vector<std::string> names;
  for (const Segment& segment : segments) {
    if (segment.kind != Kind::kLiteral) names.push_back(segment.text);
  }
  return names;
}

absl::StatusOr<std::string> ParseHostPattern(std::string_view host) {
  std::string_view name = host;
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.starts_with('[') && name.ends_with(']')) {
    const std::string_view address = name.substr(1, name.size() - 2);
    const bool plain = std::all_of(address.begin(), address.end(), [](char c) {
      return absl::ascii_isxdigit(c) || c == ':' || c == '.';
    });
    if (plain && !address.empty() && name == host) return absl::AsciiStrToLower(std::string(host));
  } else if (!name.empty() && name.front() != '.' && name.back() != '.' && name.size() < 254 &&
             std::all_of(name.begin(), name.end(), IsHostLabelChar)) {
    return absl::AsciiStrToLower(std::string(host));
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "'%s' is no host: want a name without port, as in example.org or *.example.org", host));
}

std::string_view PlainHost(std::string_view host, char (&buffer)[256]) {
  const size_t colon = host.rfind(':');
  // Not one within the brackets of an IPv6 address.
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    host = host.substr(0, colon);
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > sizeof(buffer)) return {};
  std::transform(host.begin(), host.end(), buffer, [](char c) { return absl::ascii_tolower(c); });
  return {buffer, host.size()};
}

}  // namespace grove::http

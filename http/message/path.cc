#include "http/message/path.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"

namespace grove::http {
namespace {

// 0 to 15, or -1.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Appends the canonical form of `segment`.
absl::Status AppendSegment(std::string_view segment, std::string& out) {
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      out.push_back(segment[i]);
      continue;
    }
    const int high = i + 2 < segment.size() ? HexDigit(segment[i + 1]) : -1;
    const int low = i + 2 < segment.size() ? HexDigit(segment[i + 2]) : -1;
    if (high < 0 || low < 0) return absl::InvalidArgumentError("the path has a malformed escape");
    const char c = static_cast<char>(high * 16 + low);
    if (c == '\0') return absl::InvalidArgumentError("the path has a NUL");
    if (c == '/') {
      out += "%2F";
    } else if (c == '%') {
      out += "%25";
    } else {
      out.push_back(c);
    }
    i += 2;
  }
  return absl::OkStatus();
}

// `allowed`: beside letters, digits, '%' and "-._~".
std::string Encode(std::string_view text, std::string_view allowed) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || std::string_view("-._~%").find(c) != std::string_view::npos ||
        allowed.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

}  // namespace

bool IsCanonicalPath(std::string_view path) {
  if (path.find('%') != std::string_view::npos) return false;
  for (size_t at = path.find("/."); at != std::string_view::npos; at = path.find("/.", at + 1)) {
    std::string_view rest = path.substr(at + 2);
    if (!rest.empty() && rest.front() == '.') rest.remove_prefix(1);
    if (rest.empty() || rest.front() == '/') return false;
  }
  return true;
}

absl::StatusOr<std::string> CanonicalPath(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const bool last = end == path.size();
    const size_t start = out.size();
    out.push_back('/');
    absl::Status appended = AppendSegment(path.substr(at + 1, end - at - 1), out);
    if (!appended.ok()) return appended;
    const std::string_view segment = std::string_view(out).substr(start + 1);
    // A last dot segment leaves its slash: "/a/." and "/a/b/.." are "/a/".
    if (segment == ".") {
      out.resize(start + (last ? 1 : 0));
    } else if (segment == "..") {
      if (start == 0) return absl::InvalidArgumentError("the path climbs above the root");
      out.resize(out.rfind('/', start - 1) + (last ? 1 : 0));
    }
    at = end;
  }
  return out;
}

std::string DecodeSegment(std::string_view segment) {
  return absl::StrReplaceAll({segment.data(), segment.size()}, {{"%2F", "/"}, {"%25", "%"}});
}

std::string DecodeSegments(std::string_view segments) {
  return absl::StrReplaceAll({segments.data(), segments.size()}, {{"%25", "%"}});
}

std::string EncodePath(std::string_view canonical) {
  return Encode(canonical, "/!$&'()*+,;=:@");
}

std::string EncodeQuery(std::string_view query) {
  return Encode(query, "/?!$&'()*+,;=:@");
}

}  // namespace grove::http

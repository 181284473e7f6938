// libFuzzer target: a path has one canonical form, which a plainer way finds too, and which no dot
// segment survives.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on.
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message/path.h"

namespace {

void Require(bool holds, const char* what, const std::string& path) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", what, path.c_str());
  std::abort();
}

std::optional<std::string> Decoded(const std::string& segment) {
  std::string out;
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      out += segment[i];
      continue;
    }
    if (i + 2 >= segment.size()) return std::nullopt;
    if (std::isxdigit(static_cast<unsigned char>(segment[i + 1])) == 0) return std::nullopt;
    if (std::isxdigit(static_cast<unsigned char>(segment[i + 2])) == 0) return std::nullopt;
    const char c = static_cast<char>(std::stoi(segment.substr(i + 1, 2), nullptr, 16));
    if (c == '\0') return std::nullopt;
    out += c == '/' ? std::string("%2F") : c == '%' ? std::string("%25") : std::string(1, c);
    i += 2;
  }
  return out;
}

// By RFC 3986, 5.2.4, over a list of segments; nullopt: malformed, or above the root.
std::optional<std::string> Plainly(const std::string& path) {
  std::vector<std::string> kept;
  bool slash_last = false;
  size_t at = 1;
  for (bool more = true; more;) {
    const size_t end = path.find('/', at);
    more = end != std::string::npos;
    const std::optional<std::string> segment = Decoded(path.substr(at, more ? end - at : end));
    if (!segment) return std::nullopt;
    slash_last = *segment == "." || *segment == "..";
    if (*segment == "..") {
      if (kept.empty()) return std::nullopt;
      kept.pop_back();
    } else if (*segment != ".") {
      kept.push_back(*segment);
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string& segment : kept) out += "/" + segment;
  if (slash_last) out += "/";
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string path = "/" + std::string(reinterpret_cast<const char*>(bytes), size);
  // What the parser lets through.
  for (const char c : path) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || c == '?' || c == '#') return 0;
  }
  const auto canonical = grove::http::CanonicalPath(path);
  const std::optional<std::string> plainly = Plainly(path);
  Require(canonical.ok() == plainly.has_value(), "only one of two ways takes it", path);
  if (!canonical.ok()) return 0;
  Require(*canonical == *plainly, "two ways differ", path);
  const auto again = grove::http::CanonicalPath(*canonical);
  Require(again.ok() && *again == *canonical, "not canonical yet", path);
  if (grove::http::IsCanonicalPath(path)) Require(*canonical == path, "was canonical", path);
  const std::string closed = *canonical + "/";
  Require(closed.find("/../") == std::string::npos, "climbs", path);
  Require(closed.find("/./") == std::string::npos, "has a dot segment", path);
  return 0;
}

// RoutePattern: what a route's path and host may look like.
//
//   /users/{id}          one segment, not empty
//   /files/{path...}     the rest, also an empty one; last only. "/files" itself is another path.
//   /caf%C3%A9           literal segments, compared in the form of http/message/path.h
//
// Hosts are exact ("example.org") or "*.example.org", one label or more before it; without port.
// Values.
#ifndef GROVE_SERVER_HTTP_HANDLER_ROUTE_PATTERN_H_
#define GROVE_SERVER_HTTP_HANDLER_ROUTE_PATTERN_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace grove::http {

// More than any path of an API; bounds the depth of the search for a route.
inline constexpr size_t kPatternSegmentsMax = 64;

struct RoutePattern {
  enum class Kind { kLiteral, kName, kRest };
  struct Segment {
    Kind kind = Kind::kLiteral;
    std::string text;  // canonical, or the parameter's name
  };

  // kInvalidArgument, with what would be right.
  static absl::StatusOr<RoutePattern> Parse(std::string_view path);

  // No parameters: matches one path alone.
  bool literal() const { return names().empty(); }
  bool ends_in_rest() const { return segments.back().kind == Kind::kRest; }
  // Of its parameters, in order.
  std::vector<std::string> names() const;

  std::string path;  // canonical; as written but for its escapes
  std::vector<Segment> segments;
};

// A host pattern in lower case; kInvalidArgument.
absl::StatusOr<std::string> ParseHostPattern(std::string_view host);

// A request's host in lower case without port and trailing dot, written to `buffer`; empty if it
// doesn't fit.
std::string_view PlainHost(std::string_view host, char (&buffer)[256]);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_ROUTE_PATTERN_H_

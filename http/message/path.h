// CanonicalPath: the one form of a request's path in which routes are compared.
//
// Escapes are decoded (RFC 3986, 6.2.2.2), but for %2F and %25: so an encoded slash never splits a
// segment, and two paths are equal exactly if their decoded segments are. Dot segments are resolved
// (6.2.2.3), after decoding, so that %2E%2E hides nothing. Empty segments stay: "//" is no "/".
// Pure.
#ifndef GROVE_HTTP_MESSAGE_PATH_H_
#define GROVE_HTTP_MESSAGE_PATH_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::http {

// Whether CanonicalPath() would give `path` itself, for certain: it has no '%' and no dot segment.
bool IsCanonicalPath(std::string_view path);

// kInvalidArgument: a malformed escape, %00, or ".." above the root (as nginx, which answers 400).
// Requires: begins with '/'.
absl::StatusOr<std::string> CanonicalPath(std::string_view path);

// A canonical segment's text, with what was left encoded decoded too.
std::string DecodeSegment(std::string_view segment);
// Of several segments: an encoded slash stays "%2F", since it separates none.
std::string DecodeSegments(std::string_view segments);

// The reverse, for a URI that is given out (Location): what RFC 3986, 3.3 and 3.4 allow in no path
// or query is percent-encoded, escapes stay.
std::string EncodePath(std::string_view canonical);
std::string EncodeQuery(std::string_view query);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_PATH_H_

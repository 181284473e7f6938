// Target: what a request's target names (RFC 9112, 3.2).
//
// Pure; views into the target, or literals.
#ifndef GROVE_HTTP_MESSAGE_TARGET_H_
#define GROVE_HTTP_MESSAGE_TARGET_H_

#include <cstdint>
#include <string_view>

namespace grove::http {

// What may stand in a target: what RFC 3986 has, or any UTF-8 beside that.
enum class TargetText : uint8_t { kUri, kUriAndUtf8 };

// Whether `target` is made of that, its escapes whole. Neither holds a fragment, which is the
// client's own (RFC 9110, 4.1). Requires: SkipTarget() passed it.
bool IsTargetText(std::string_view target, TargetText allowed);

struct Target {
  std::string_view path;       // "*" of the asterisk form or its like; empty of the authority form
  std::string_view query;      // without '?'
  std::string_view scheme;     // of the absolute form, as sent
  std::string_view authority;  // of the absolute and authority forms, without userinfo
};

// False if `target` has none of the forms that `method` may have. Requires: IsTargetText(), and
// `parsed` is new. It is filled in its place: a copy would read in pairs what was just written in
// words, for which the processor waits.
bool ParseTarget(std::string_view method, std::string_view target, Target& parsed);

// uri-host [ ":" port ] (RFC 9110, 7.2), or empty.
bool IsValidHost(std::string_view host);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_TARGET_H_

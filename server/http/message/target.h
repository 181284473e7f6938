// Target: what a request's target names (RFC 9112, 3.2).
//
// Pure; views into the target, or literals.
#ifndef GROVE_SERVER_HTTP_MESSAGE_TARGET_H_
#define GROVE_SERVER_HTTP_MESSAGE_TARGET_H_

#include <string_view>

namespace grove::http {

struct Target {
  std::string_view path;       // "*" of the asterisk form or its like; empty of the authority form
  std::string_view query;      // without '?'; a fragment belongs to neither
  std::string_view authority;  // of the absolute and authority forms, without userinfo
};

// False if `target` has none of the forms that `method` may have. Requires: SkipTarget() passed it,
// and `parsed` is new. It is filled in its place: a copy would read in pairs what was just written
// in words, for which the processor waits.
bool ParseTarget(std::string_view method, std::string_view target, Target& parsed);

// uri-host [ ":" port ] (RFC 9110, 7.2), or empty.
bool IsValidHost(std::string_view host);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MESSAGE_TARGET_H_

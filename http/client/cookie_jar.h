// CookieJar: the cookies that servers have set, and which of them go along with a request (RFC
// 6265, with what browsers have agreed on since: bounds, prefixes, Secure from https alone).
//
// Told the time; never parks. It outlives the requests that name it. One thread at a time.
//
// Which domains are public suffixes ("co.uk", under which strangers register theirs) no rule says,
// only a list that grows by the week. `is_public_suffix` is where one goes; without it a single
// label is one, and so are "co", "com", "org", "net", "edu", "gov", "ac" and the like below a
// country's two letters. Where hosts below other shared domains (github.io) are asked, give each
// its own jar.
#ifndef GROVE_HTTP_CLIENT_COOKIE_JAR_H_
#define GROVE_HTTP_CLIENT_COOKIE_JAR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "http/client/set_cookie.h"
#include "http/client/url.h"

namespace grove::http {

// Of a domain in lower case, without a dot at its ends: as said above.
bool LooksLikePublicSuffix(std::string_view domain);

struct CookieJarOptions {
  // Beyond: those that expire first make room, then those that were sent longest ago.
  size_t cookies_max = 3'000;
  size_t per_domain_max = 50;
  // Names, values, domains and paths, of all.
  size_t bytes_max = size_t{1} << 20;
  // Of a request's Cookie field; those behind it stay at home.
  size_t field_bytes_max = 8 * 1024;
  // A cookie lives no longer, as browsers have it.
  absl::Duration age_max = absl::Hours(400 * 24);
  std::function<bool(std::string_view domain)> is_public_suffix = &LooksLikePublicSuffix;
};

class CookieJar {
 public:
  explicit CookieJar(CookieJarOptions options = {}) : options_(std::move(options)) {}

  // A Set-Cookie field of an answer from `url`. False: it was not taken.
  bool Take(const Url& url, std::string_view set_cookie, absl::Time now);
  // What Cookie says to `url`: "a=1; b=2"; empty: nothing.
  std::string FieldFor(const Url& url, absl::Time now);

  void Clear();
  size_t size() const { return size_; }
  // As of bytes_max.
  size_t bytes() const { return bytes_; }

 private:
  struct Cookie {
    SetCookie said;
    bool host_only = false;
    absl::Time expires;
    // Numbers that rise with each cookie and each use.
    uint64_t made = 0;
    uint64_t used = 0;
  };
  using Cookies = std::vector<Cookie>;

  // Domain and host-only; false: the server may not set it for that domain.
  bool Place(const Url& url, SetCookie& said, bool& host_only) const;
  void Remove(const std::string& domain, size_t index);
  void DropExpired(absl::Time now);
  void DropOldest(const std::string& domain);
  void MakeRoom(const std::string& domain, absl::Time now);

  CookieJarOptions options_;
  absl::flat_hash_map<std::string, Cookies> by_domain_;
  size_t size_ = 0;
  size_t bytes_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_COOKIE_JAR_H_

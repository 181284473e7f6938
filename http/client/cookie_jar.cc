#include "http/client/cookie_jar.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "http/message/field.h"
#include "runtime/io/ip_address.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

// Below a country's two letters.
constexpr std::array<std::string_view, 16> kSecondLevels = {
    "ac", "co",  "com", "edu", "gob", "gov", "gouv", "ltd",
    "me", "mil", "ne",  "net", "or",  "org", "plc",  "sch"};

std::string_view PathOf(const Url& url) {
  return std::string_view(url.target).substr(0, url.target.find('?'));
}

// RFC 6265, 5.1.4.
std::string DefaultPath(const Url& url) {
  const std::string_view path = PathOf(url);
  const size_t last = path.rfind('/');
  return last == 0 || last == std::string_view::npos ? "/" : std::string(path.substr(0, last));
}

bool PathMatches(std::string_view path, std::string_view cookie) {
  if (!path.starts_with(cookie)) return false;
  return path.size() == cookie.size() || cookie.ends_with('/') || path[cookie.size()] == '/';
}

bool DomainMatches(std::string_view host, std::string_view domain) {
  if (host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.';
}

bool IsAddress(const std::string& host) {
  return IpAddress::Parse(host).has_value();
}

// Prefixes of names that promise what else the cookie says.
bool KeepsItsPrefix(const SetCookie& said, bool host_only) {
  const std::string name = absl::AsciiStrToLower(said.name);
  if (name.starts_with("__secure-")) return said.secure;
  if (name.starts_with("__host-")) return said.secure && host_only && said.path == "/";
  return true;
}

size_t BytesOf(const SetCookie& said) {
  return said.name.size() + said.value.size() + said.domain.size() + said.path.size();
}

}  // namespace

bool LooksLikePublicSuffix(std::string_view domain) {
  const size_t dot = domain.find('.');
  if (dot == std::string_view::npos) return true;
  const std::string_view rest = domain.substr(dot + 1);
  if (rest.size() != 2) return false;
  return std::find(kSecondLevels.begin(), kSecondLevels.end(), domain.substr(0, dot)) !=
         kSecondLevels.end();
}

// RFC 6265, 5.3, 4 to 6.
bool CookieJar::Place(const Url& url, SetCookie& said, bool& host_only) const {
  host_only = said.domain.empty();
  if (!host_only && said.domain == url.host &&
      (IsAddress(url.host) || options_.is_public_suffix(said.domain))) {
    host_only = true;
  }
  if (!host_only) {
    if (IsAddress(url.host) || !DomainMatches(url.host, said.domain)) return false;
    if (said.domain.ends_with('.') || options_.is_public_suffix(said.domain)) return false;
  }
  if (host_only) said.domain = url.host;
  return true;
}

bool CookieJar::Take(const Url& url, std::string_view set_cookie, absl::Time now) {
  std::optional<SetCookie> said = SetCookie::Parse(set_cookie);
  if (!said.has_value()) return false;
  Cookie cookie;
  if (!Place(url, *said, cookie.host_only)) return false;
  if (said->secure && !url.https) return false;
  if (!KeepsItsPrefix(*said, cookie.host_only)) return false;
  if (said->path.empty()) said->path = DefaultPath(url);
  cookie.expires = said->max_age.has_value() ? now + *said->max_age
                                             : said->expires.value_or(absl::InfiniteFuture());
  // One that ends with the browser ends with the jar.
  const bool lasts = said->max_age.has_value() || said->expires.has_value();
  if (lasts) cookie.expires = std::min(cookie.expires, now + options_.age_max);
  cookie.made = cookie.used = ++uses_;
  cookie.said = *std::move(said);
  const std::string domain = cookie.said.domain;
  Cookies& there = by_domain_[domain];
  for (size_t i = 0; i < there.size(); ++i) {
    const SetCookie& old = there[i].said;
    if (old.name != cookie.said.name || old.path != cookie.said.path ||
        there[i].host_only != cookie.host_only) {
      continue;
    }
    // Whoever can change what goes over plain http must not replace what does not.
    if (old.secure && !url.https) return false;
    cookie.made = there[i].made;
    Remove(domain, i);
    break;
  }
  const bool is_over = cookie.expires <= now;
  if (!is_over) {
    size_ += 1;
    bytes_ += BytesOf(cookie.said);
    by_domain_[domain].push_back(std::move(cookie));
    MakeRoom(domain, now);
  }
  if (const auto left = by_domain_.find(domain); left != by_domain_.end() && left->second.empty()) {
    by_domain_.erase(left);
  }
  return !is_over;
}

void CookieJar::Remove(const std::string& domain, size_t index) {
  Cookies& there = by_domain_[domain];
  --size_;
  bytes_ -= BytesOf(there[index].said);
  there.erase(there.begin() + static_cast<ptrdiff_t>(index));
}

void CookieJar::DropExpired(absl::Time now) {
  for (auto it = by_domain_.begin(); it != by_domain_.end();) {
    Cookies& there = it->second;
    std::erase_if(there, [&](const Cookie& cookie) {
      if (cookie.expires > now) return false;
      --size_;
      bytes_ -= BytesOf(cookie.said);
      return true;
    });
    if (there.empty()) {
      by_domain_.erase(it++);
    } else {
      ++it;
    }
  }
}

void CookieJar::DropOldest(const std::string& domain) {
  const Cookies& there = by_domain_[domain];
  const auto oldest = std::min_element(
      there.begin(), there.end(), [](const Cookie& a, const Cookie& b) { return a.used < b.used; });
  Remove(domain, static_cast<size_t>(oldest - there.begin()));
  if (by_domain_[domain].empty()) by_domain_.erase(domain);
}

void CookieJar::MakeRoom(const std::string& domain, absl::Time now) {
  const auto is_full = [&] { return size_ > options_.cookies_max || bytes_ > options_.bytes_max; };
  if (by_domain_[domain].size() > options_.per_domain_max || is_full()) DropExpired(now);
  while (by_domain_.contains(domain) && by_domain_[domain].size() > options_.per_domain_max) {
    DropOldest(domain);
  }
  while (is_full()) {
    const std::pair<const std::string, Cookies>* oldest = nullptr;
    uint64_t least = UINT64_MAX;
    for (const auto& entry : by_domain_) {
      for (const Cookie& cookie : entry.second) {
        if (cookie.used >= least) continue;
        least = cookie.used;
        oldest = &entry;
      }
    }
    DropOldest(std::string(oldest->first));
  }
}

std::string CookieJar::FieldFor(const Url& url, absl::Time now) {
  std::vector<Cookie*> fitting;
  const std::string_view path = PathOf(url);
  // The host and all that it is below.
  std::string_view domain = url.host;
  for (;;) {
    const auto found = by_domain_.find(Abseil(domain));
    if (found != by_domain_.end()) {
      for (Cookie& cookie : found->second) {
        const bool fits = (!cookie.host_only || domain == url.host) && cookie.expires > now &&
                          (!cookie.said.secure || url.https) && PathMatches(path, cookie.said.path);
        if (fits) fitting.push_back(&cookie);
      }
    }
    const size_t dot = domain.find('.');
    if (dot == std::string_view::npos) break;
    domain.remove_prefix(dot + 1);
  }
  std::stable_sort(fitting.begin(), fitting.end(), [](const Cookie* a, const Cookie* b) {
    if (a->said.path.size() != b->said.path.size()) {
      return a->said.path.size() > b->said.path.size();
    }
    return a->made < b->made;
  });
  std::string field;
  for (Cookie* const cookie : fitting) {
    const std::string pair = StrCat(cookie->said.name, "=", cookie->said.value);
    if (field.size() + pair.size() + 2 > options_.field_bytes_max) break;
    StrAppend(&field, field.empty() ? "" : "; ", pair);
    cookie->used = ++uses_;
  }
  return field;
}

void CookieJar::Clear() {
  by_domain_.clear();
  size_ = bytes_ = 0;
}

}  // namespace grove::http

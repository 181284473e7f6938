#include "runtime/dns/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/result_event.h"

namespace grove {
namespace {

constexpr size_t kNameBytesMax = 253;  // RFC 1035 section 2.3.4, without the final dot
constexpr size_t kLabelBytesMax = 63;

absl::Status BadName(std::string_view host, std::string_view why) {
  // Shown escaped and cut: it came from anywhere.
  return absl::InvalidArgumentError(absl::StrFormat(
      "resolve \"%s\": %s", absl::CHexEscape(std::string(host.substr(0, kNameBytesMax))), why));
}

absl::Status CheckLabel(std::string_view host, std::string_view label) {
  if (label.empty()) return BadName(host, "a label is empty");
  if (label.size() > kLabelBytesMax) return BadName(host, "a label is longer than 63 bytes");
  for (const char c : label) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      return BadName(host, "not ASCII; international names are to be given in their xn-- form");
    }
    // The underscore is no host name's, but names of services in clusters have it.
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_') {
      return BadName(host, "a label has other than letters, digits, - and _");
    }
  }
  return absl::OkStatus();
}

// Whether `host` may be asked for: letters, digits and hyphens (RFC 1123 section 2.1).
absl::Status CheckName(std::string_view host) {
  std::string_view rest = host;
  if (!rest.empty() && rest.back() == '.') rest.remove_suffix(1);
  if (rest.empty()) return BadName(host, "the name is empty");
  if (rest.size() > kNameBytesMax) return BadName(host, "the name is longer than 253 bytes");
  std::string_view label;
  for (bool more = true; more;) {
    const size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (absl::Status checked = CheckLabel(host, label); !checked.ok()) return checked;
    more = dot != rest.npos;
    if (more) rest.remove_prefix(dot + 1);
  }
  // No top-level domain is a number: it is an address that was mistyped or shortened ("127.1").
  if (std::all_of(label.begin(), label.end(), absl::ascii_isdigit)) {
    return BadName(host, "neither an IPv4 address nor a name");
  }
  return absl::OkStatus();
}

bool InDomain(std::string_view name, std::string_view domain) {
  if (!name.ends_with(domain)) return false;
  return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

absl::Status NoAddress(std::string_view host) {
  return absl::NotFoundError(
      absl::StrFormat("resolve %s: the name has no address of this family", host));
}

// RFC 6761 section 6.3: whatever servers say. IPv6 first, as RFC 6724 sorts.
std::vector<SocketAddress> LoopbackAddresses(int family) {
  std::vector<SocketAddress> addresses;
  for (const char* text : {"::1", "127.0.0.1"}) {
    SocketAddress address;
    ParseAddress(text, address);
    if (family == AF_UNSPEC || family == address.storage.ss_family) addresses.push_back(address);
  }
  return addresses;
}

absl::Status ValidateOptions(const ResolverOptions& options) {
  const absl::Duration zero = absl::ZeroDuration();
  if (options.lookup_timeout <= zero) {
    return absl::InvalidArgumentError("resolver: lookup_timeout must be positive");
  }
  if (options.lookups_max == 0) {
    return absl::InvalidArgumentError("resolver: lookups_max must be at least 1");
  }
  if (options.ttl_min < zero || options.negative_ttl < zero || options.failure_ttl < zero) {
    return absl::InvalidArgumentError("resolver: a time to live must not be negative");
  }
  if (options.ttl_max < options.ttl_min) {
    return absl::InvalidArgumentError("resolver: ttl_max must not be below ttl_min");
  }
  return ValidateDnsOptions(options.query);
}

}  // namespace

// One query and who waits for it. It outlives the resolver if fibers still hold it.
struct Resolver::Lookup {
  Resolver* owner;  // null once the resolver is gone, or the lookup is no longer one of its own
  const std::string key;
  const std::string name;
  const int family;
  const std::shared_ptr<const ResolverOptions> options;
  ResultEvent<std::vector<SocketAddress>> done = {};
  FiberHandle driver = {};  // to be dropped by whoever ends the lookup: the fiber holds the lookup
  size_t waiting = 0;
};

absl::StatusOr<std::unique_ptr<Resolver>> Resolver::Create(ResolverOptions options) {
  if (absl::Status valid = ValidateOptions(options); !valid.ok()) return valid;
  return std::unique_ptr<Resolver>(
      new Resolver(std::make_shared<const ResolverOptions>(std::move(options))));
}

Resolver::Resolver(std::shared_ptr<const ResolverOptions> options)
    : options_(std::move(options)),
      hosts_(options_->hosts_path),
      cache_(options_->cache_entries_max) {}

Resolver::~Resolver() {
  for (auto& [key, lookup] : in_flight_) {
    lookup->owner = nullptr;
    (void)lookup->done.Send(
        absl::AbortedError(absl::StrFormat("resolve %s: the resolver was closed", lookup->name)));
    std::exchange(lookup->driver, FiberHandle()).Cancel();
  }
}

absl::StatusOr<std::vector<SocketAddress>> Resolver::Resolve(std::string_view host, uint16_t port,
                                                             const ResolveOptions& options) {
  ++stats_.resolved;
  Result result = Find(host, options.family);
  if (!result.ok()) return result;
  for (SocketAddress& address : *result) address.set_port(port);
  return result;
}

// Without a server as far as that goes.
Resolver::Result Resolver::Find(std::string_view host, int family) {
  if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6) {
    return absl::InvalidArgumentError(
        absl::StrFormat("resolve %s: family %d is none of IP", host, family));
  }
  SocketAddress numeric;
  if (ParseAddress(host, numeric)) {
    if (family == AF_UNSPEC || family == numeric.storage.ss_family) return Result({numeric});
    return NoAddress(host);
  }
  if (absl::Status valid = CheckName(host); !valid.ok()) return valid;
  const std::string asked = absl::AsciiStrToLower(std::string(host));
  std::string_view name = asked;
  if (name.back() == '.') name.remove_suffix(1);
  Result found = hosts_.Find(name, family, Hub::Current()->now());
  if (!found->empty()) {
    ++stats_.hosts_hits;
    return found;
  }
  if (InDomain(name, "localhost")) return LoopbackAddresses(family);
  // RFC 6761 section 6.4. c-ares does as much for .onion (RFC 7686).
  if (InDomain(name, "invalid")) {
    return absl::NotFoundError(absl::StrFormat("resolve %s: no such name", name));
  }
  return Ask(asked, family);
}

Resolver::Result Resolver::Ask(const std::string& name, int family) {
  const std::string key = absl::StrFormat("%d %s", family, name);
  if (const Result* cached = cache_.Get(key, Hub::Current()->now()); cached != nullptr) {
    ++stats_.cache_hits;
    return *cached;
  }
  std::shared_ptr<Lookup> lookup;
  if (const auto found = in_flight_.find(key); found != in_flight_.end()) {
    ++stats_.joined;
    lookup = found->second;
  } else {
    absl::StatusOr<std::shared_ptr<Lookup>> started = Start(key, name, family);
    if (!started.ok()) return started.status();
    lookup = *std::move(started);
  }
  return Await(lookup);  // this resolver may be gone when it returns
}

absl::StatusOr<std::shared_ptr<Resolver::Lookup>> Resolver::Start(const std::string& key,
                                                                  const std::string& name,
                                                                  int family) {
  if (in_flight_.size() >= options_->lookups_max) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "resolve %s: %d lookups are under way already (lookups_max)", name, in_flight_.size()));
  }
  std::shared_ptr<Lookup> lookup(
      new Lookup{.owner = this, .key = key, .name = name, .family = family, .options = options_});
  absl::StatusOr<FiberHandle> driver = Spawn("resolve", [lookup] { Drive(lookup); });
  if (!driver.ok()) return driver.status();
  lookup->driver = *std::move(driver);
  in_flight_[key] = lookup;
  ++stats_.queries;
  return lookup;
}

Resolver::Result Resolver::Await(const std::shared_ptr<Lookup>& lookup) {
  ++lookup->waiting;
  bool answered = false;
  Result result = lookup->done.Wait(&answered);
  --lookup->waiting;
  if (answered) return result;
  if (lookup->waiting == 0 && !lookup->done.ready()) Drop(lookup);
  return absl::Status(result.status().code(),
                      absl::StrFormat("resolve %s: %s", lookup->name, result.status().message()));
}

// Nobody waits any more; who asks from now on gets a query of its own.
void Resolver::Drop(const std::shared_ptr<Lookup>& lookup) {
  if (Resolver* owner = std::exchange(lookup->owner, nullptr); owner != nullptr) {
    ++owner->stats_.dropped;
    owner->in_flight_.erase(lookup->key);
  }
  std::exchange(lookup->driver, FiberHandle()).Cancel();
}

// The body of a lookup's fiber.
void Resolver::Drive(const std::shared_ptr<Lookup>& lookup) {
  absl::StatusOr<DnsAnswer> answer = absl::UnknownError("");
  {
    Timeout limit(lookup->options->lookup_timeout);
    answer = QueryDns(lookup->name, lookup->family, lookup->options->query);
    if (!answer.ok() && limit.fired()) {
      answer = absl::UnavailableError(
          absl::StrFormat("resolve %s: no answer within %s", lookup->name,
                          absl::FormatDuration(lookup->options->lookup_timeout)));
    }
  }
  Resolver* const owner = std::exchange(lookup->owner, nullptr);
  if (owner == nullptr) return;  // its waiters are gone or know already
  owner->in_flight_.erase(lookup->key);
  owner->Keep(*lookup, answer);
  (void)lookup->done.Send(answer.ok() ? Result(std::move(answer->addresses)) : answer.status());
  lookup->driver = FiberHandle();
}

// Counts the outcome, and caches it but for what says nothing about the name.
void Resolver::Keep(const Lookup& lookup, const absl::StatusOr<DnsAnswer>& answer) {
  const MonotonicNanos now = Hub::Current()->now();
  if (answer.ok()) {
    cache_.Put(lookup.key, answer->addresses, now,
               std::clamp(answer->ttl, options_->ttl_min, options_->ttl_max));
  } else if (absl::IsNotFound(answer.status())) {
    ++stats_.not_found;
    cache_.Put(lookup.key, answer.status(), now, options_->negative_ttl);
  } else {
    ++stats_.failures;
    if (absl::IsUnavailable(answer.status())) {
      cache_.Put(lookup.key, answer.status(), now, options_->failure_ttl);
    }
  }
}

ResolverStats Resolver::Stats() const {
  ResolverStats stats = stats_;
  stats.lookups_in_flight = in_flight_.size();
  stats.cached = cache_.size();
  return stats;
}

}  // namespace grove

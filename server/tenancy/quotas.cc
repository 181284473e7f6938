// Which limit is the most specific one is decided part by part: the first key before the second, a
// whole name before a beginning ("custom*"), a longer beginning before a shorter one. So the
// patterns that could match a key stand in one order, and the first that is there is the one: a
// look-up asks for each of them by its text, however many limits there are.
#include "server/tenancy/quotas.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::tenancy {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMinuteNs = 60 * kSecondNs;
constexpr int64_t kBucketNsMax = int64_t{1} << 62;

std::pair<std::string_view, std::string_view> Parts(std::string_view key) {
  const size_t slash = key.find('/');
  if (slash == key.npos) return {key, ""};
  return {key.substr(0, slash), key.substr(slash + 1)};
}

// Calls `each` with the patterns that match a part of a key, the most specific first, until it
// finds something.
template <typename Each>
const Limit* ForPatterns(std::string_view part, Each each) {
  std::string pattern(part);
  if (const Limit* found = each(pattern)) return found;
  for (size_t length = part.size() + 1; length-- > 0;) {
    pattern.assign(part.substr(0, length)).push_back('*');
    if (const Limit* found = each(pattern)) return found;
  }
  return nullptr;
}

bool IsPart(std::string_view part) {
  if (part.ends_with('*')) part.remove_suffix(1);
  return part.empty() || IsLimitKey(part);
}

// Fields and what they may be at most: by second, by minute, at once.
struct RateFields {
  struct Field {
    std::string_view name;
    int64_t value;
    int64_t max;
  };
  Field per_second, per_minute, burst;
};

std::optional<WrongBound> CheckRate(const RateFields& of) {
  for (const RateFields::Field& field : {of.per_second, of.per_minute, of.burst}) {
    if (auto wrong = CheckBound(field.name, field.value, field.max)) return wrong;
  }
  if (of.per_second.value > 0 && of.per_minute.value > 0) {
    return WrongBound{of.per_minute.name, StrCat("and ", of.per_second.name, " are both given")};
  }
  if (of.burst.value > 0 && of.per_second.value == 0 && of.per_minute.value == 0) {
    return WrongBound{of.burst.name,
                      StrCat("bounds nothing without ", of.per_second.name, " or _minute")};
  }
  return std::nullopt;
}

}  // namespace

bool IsLimitKey(std::string_view part) {
  return !part.empty() && part.size() <= kLimitKeyBytesMax &&
         std::all_of(part.begin(), part.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '/' && c != '*'; });
}

std::string CheckPattern(std::string_view pattern) {
  const auto [first, second] = Parts(pattern);
  const bool has_second = pattern.find('/') != pattern.npos;
  if (!first.empty() && IsPart(first) && (has_second ? !second.empty() && IsPart(second) : true)) {
    return "";
  }
  return StrCat("must be a key, or two with \"/\" between them: each 1 to ", kLimitKeyBytesMax,
                " bytes of printable ASCII without blanks, and with a \"*\" at most at its end");
}

std::optional<WrongBound> CheckBound(std::string_view field, int64_t value, int64_t max) {
  if (value >= 0 && value <= max) return std::nullopt;
  return WrongBound{field, StrCat("is ", value, "; 0 (no bound) to ", max, " are allowed")};
}

std::optional<WrongBound> CheckSpawns(int64_t per_second, int64_t per_minute, int64_t burst) {
  return CheckRate({{"spawns_per_second", per_second, kSpawnsPerSecondMax},
                    {"spawns_per_minute", per_minute, kSpawnsPerMinuteMax},
                    {"spawn_burst", burst, kSpawnBurstMax}});
}

std::optional<WrongBound> CheckHttp(const HttpQuotas& http) {
  auto wrong = CheckBound("http_requests_max", http.requests_max, kHttpRequestsQuotaMax);
  if (!wrong) wrong = CheckBound("fetches_max", http.fetches_max, kFetchesQuotaMax);
  if (wrong) return wrong;
  return CheckRate({{"http_requests_per_second", http.per_second, kHttpPerSecondMax},
                    {"http_requests_per_minute", http.per_minute, kHttpPerMinuteMax},
                    {"http_burst", http.burst, kHttpBurstMax}});
}

Rate RateOf(int64_t per_second, int64_t per_minute, int64_t burst) {
  const int64_t times = per_second > 0 ? per_second : per_minute;
  if (times == 0) return {};
  const int64_t interval_ns = (per_second > 0 ? kSecondNs : kMinuteNs) / times;
  // More than a century of it is no other bound, and would not fit.
  return {.interval_ns = interval_ns,
          .burst = std::min(burst > 0 ? burst : times, kBucketNsMax / interval_ns)};
}

void Limits::Set(Limit limit) {
  std::string pattern = limit.pattern;
  const auto [place, is_new] = all_.insert_or_assign(std::move(pattern), std::move(limit));
  if (is_new) ++firsts_[std::string(Parts(place->first).first)];
}

bool Limits::Drop(std::string_view pattern) {
  const auto found = all_.find(pattern);
  if (found == all_.end()) return false;
  const auto first = firsts_.find(Parts(pattern).first);
  if (--first->second == 0) firsts_.erase(first);
  all_.erase(found);
  return true;
}

const Limit* Limits::Find(std::string_view key) const {
  if (all_.empty()) return nullptr;
  const auto [first, second] = Parts(key);
  return ForPatterns(first, [&, second = second](const std::string& one) -> const Limit* {
    if (firsts_.find(one) == firsts_.end()) return nullptr;
    if (second.empty()) return Named(one);
    return ForPatterns(second,
                       [&](const std::string& two) { return Named(StrCat(one, "/", two)); });
  });
}

const Limit* Limits::Named(std::string_view pattern) const {
  const auto found = all_.find(pattern);
  return found == all_.end() ? nullptr : &found->second;
}

}  // namespace grove::tenancy

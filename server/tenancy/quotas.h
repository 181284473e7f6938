// Quotas: what a tenant, or the tasks of a limit key, may use.
//
// A tenant has quotas, and limits for its limit keys: of those that match a key the most specific
// one holds. Plain values and pure look-ups; what is used of them is the task engine's to know.
#ifndef GROVE_SERVER_TENANCY_QUOTAS_H_
#define GROVE_SERVER_TENANCY_QUOTAS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "server/tenancy/gcra.h"

namespace grove::tenancy {

// More is more likely a slip than a wish.
inline constexpr int64_t kRunningQuotaMax = 1'000'000;
inline constexpr int64_t kQueuedQuotaMax = 100'000'000;
inline constexpr int64_t kQueuedBytesQuotaMax = int64_t{1} << 50;
inline constexpr int64_t kSpawnsPerSecondMax = 1'000'000;
inline constexpr int64_t kSpawnsPerMinuteMax = 60'000'000;
inline constexpr int64_t kSpawnBurstMax = 100'000'000;
inline constexpr int64_t kOutputBytesQuotaMax = int64_t{1} << 30;
inline constexpr int64_t kHttpRequestsQuotaMax = 1'000'000;
inline constexpr int64_t kHttpPerSecondMax = 10'000'000;
inline constexpr int64_t kHttpPerMinuteMax = 600'000'000;
inline constexpr int64_t kHttpBurstMax = 1'000'000'000;
inline constexpr int64_t kFetchesQuotaMax = 1'000'000;
inline constexpr int64_t kPayloadBytesQuotaMax = int64_t{1} << 50;
// Of one tenant.
inline constexpr size_t kLimitsMax = 1'000;
inline constexpr size_t kLimitKeyBytesMax = 63;

// What is bounded of a tenant and of a key alike. 0: no bound.
struct Bounds {
  int64_t running_max = 0;
  int64_t queued_max = 0;
  // One of these two.
  int64_t spawns_per_second = 0;
  int64_t spawns_per_minute = 0;
  int64_t spawn_burst = 0;
  // Of these three.
  Rate spawns = {};
};

// What workers hold, over all of them.
struct HttpQuotas {
  int64_t requests_max = 0;
  // One of these two.
  int64_t per_second = 0;
  int64_t per_minute = 0;
  int64_t burst = 0;
  int64_t fetches_max = 0;

  friend bool operator==(const HttpQuotas&, const HttpQuotas&) = default;
};

struct Quotas : Bounds {
  int64_t queued_bytes_max = 0;
  int64_t output_bytes_max = 0;
  int64_t payload_bytes_max = 0;
  HttpQuotas http = {};
};

struct Limit : Bounds {
  std::string pattern;
  // The config names it.
  bool from_config = false;
};

// A part of a limit key: 1 to kLimitKeyBytesMax bytes of printable ASCII but blanks, '/' and '*'.
bool IsLimitKey(std::string_view part);
// What is wrong with a pattern; empty: nothing.
std::string CheckPattern(std::string_view pattern);

// A field of a message with bounds, and what is wrong with it.
struct WrongBound {
  std::string_view field;
  std::string problem;
};
std::optional<WrongBound> CheckBound(std::string_view field, int64_t value, int64_t max);
std::optional<WrongBound> CheckSpawns(int64_t per_second, int64_t per_minute, int64_t burst);
std::optional<WrongBound> CheckHttp(const HttpQuotas& http);
// Of what these let pass.
Rate RateOf(int64_t per_second, int64_t per_minute, int64_t burst);

template <typename Proto>
HttpQuotas HttpQuotasOf(const Proto& said) {
  return {.requests_max = said.http_requests_max(),
          .per_second = said.http_requests_per_second(),
          .per_minute = said.http_requests_per_minute(),
          .burst = said.http_burst(),
          .fetches_max = said.fetches_max()};
}

// Of grove.v1's and grove.config.v1's Quotas and Limit, whose fields agree.
template <typename Proto>
std::optional<WrongBound> CheckBounds(const Proto& said) {
  auto wrong = CheckBound("running_max", said.running_max(), kRunningQuotaMax);
  if (!wrong) wrong = CheckBound("queued_max", said.queued_max(), kQueuedQuotaMax);
  if constexpr (requires { said.queued_bytes_max(); }) {
    if (!wrong) {
      wrong = CheckBound("queued_bytes_max", said.queued_bytes_max(), kQueuedBytesQuotaMax);
    }
    if (!wrong) {
      wrong = CheckBound("output_bytes_max", said.output_bytes_max(), kOutputBytesQuotaMax);
    }
    if (!wrong) {
      wrong = CheckBound("payload_bytes_max", said.payload_bytes_max(), kPayloadBytesQuotaMax);
    }
    if (!wrong) wrong = CheckHttp(HttpQuotasOf(said));
  }
  if (wrong) return wrong;
  return CheckSpawns(said.spawns_per_second(), said.spawns_per_minute(), said.spawn_burst());
}
// Of what CheckBounds() lets pass.
template <typename Proto>
Bounds BoundsOf(const Proto& said) {
  return {.running_max = said.running_max(),
          .queued_max = said.queued_max(),
          .spawns_per_second = said.spawns_per_second(),
          .spawns_per_minute = said.spawns_per_minute(),
          .spawn_burst = said.spawn_burst(),
          .spawns = RateOf(said.spawns_per_second(), said.spawns_per_minute(), said.spawn_burst())};
}
template <typename Proto>
Quotas QuotasOf(const Proto& said) {
  return {BoundsOf(said), said.queued_bytes_max(), said.output_bytes_max(),
          said.payload_bytes_max(), HttpQuotasOf(said)};
}

// The limits of one tenant.
class Limits {
 public:
  using ByPattern = std::map<std::string, Limit, std::less<>>;

  // In the place of the one with its pattern, which CheckPattern() has to let pass.
  void Set(Limit limit);
  // False: there is none.
  bool Drop(std::string_view pattern);

  // The one that holds for a key, "customer-7" or "customer-7/route-a"; nullptr: none does.
  const Limit* Find(std::string_view key) const;
  const Limit* Named(std::string_view pattern) const;
  const ByPattern& all() const { return all_; }

 private:
  ByPattern all_;
  // How many have this as their first part: few look-ups for a key that none matches.
  std::map<std::string, int, std::less<>> firsts_;
};

// What a tenant has that has any of it.
struct TenantBounds {
  Quotas quotas;
  Limits limits;
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_QUOTAS_H_

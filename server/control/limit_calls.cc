#include "server/control/limit_calls.h"

#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/page_token.h"
#include "server/control/quota_settings.h"
#include "server/control/tenant_calls.h"
#include "server/log.h"
#include "server/tasks/list_token.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"
#include "server/wall_time.h"

namespace grove::control {
namespace {

using tasks::BadField;
using tasks::Refusal;
using tenancy::LimitName;
using tenancy::LimitRecord;
using tenancy::Principal;

constexpr int32_t kPageSizeDefault = 100;
constexpr int32_t kPageSizeMax = 1000;

tenancy::Limit LimitFrom(const v1::Limit& said) {
  return {tenancy::BoundsOf(said), said.pattern(), /*from_config=*/false};
}

// The first page if it is empty.
absl::StatusOr<std::string> AfterOf(const std::string& list, const std::string& page_token) {
  if (page_token.empty()) return std::string();
  const auto last = tasks::DecodeListToken(list, page_token);
  if (last) return *last;
  return BadField("page_token", "PAGE_TOKEN_INVALID",
                  "is not one that this list returned; leave it empty for the first page");
}

}  // namespace

void AdoptLimits(const tenancy::Registry& registry, tenancy::Directory& directory) {
  for (const auto& [name, record] : registry.limits()) {
    const auto& [tenant, pattern] = name;
    const auto index = directory.FindTenant(tenant);
    if (!index || directory.LimitsOf(*index).Named(pattern) != nullptr) continue;
    v1::Limit said;
    const bool parses = said.ParseFromString(record.settings);
    said.set_pattern(pattern);
    if (parses && CheckLimit(said).ok()) {
      directory.SetLimit(*index, LimitFrom(said));
    } else {
      Log(LogLevel::kError, "a limit of the registry is left out",
          {{"tenant", tenant}, {"pattern", pattern}});
    }
  }
}

absl::StatusOr<size_t> LimitCalls::TenantOf(const Principal& who, const std::string& parent) const {
  if (parent.empty()) return FindSeen(directory_, who, tenancy::kDefaultName);
  const auto name = tenancy::ParseTenantName(parent);
  if (!name.ok()) return BadField("parent", "NAME_INVALID", Std(name.status().message()));
  return FindSeen(directory_, who, *name);
}

v1::Limit LimitCalls::View(size_t tenant, const tenancy::Limit& limit) const {
  v1::Limit view = ViewLimit(limit);
  const LimitRecord* record =
      limit.from_config
          ? nullptr
          : registry_.all().FindLimit({directory_.tenants()[tenant].name, limit.pattern});
  if (record != nullptr) proto::SetMicros(record->updated_us, view.mutable_update_time());
  return view;
}

absl::StatusOr<v1::ListLimitsResponse> LimitCalls::List(
    const Principal& who, const v1::ListLimitsRequest& request) const {
  const auto tenant = TenantOf(who, request.parent());
  if (!tenant.ok()) return tenant.status();
  const auto page_size = PageSize(request.page_size(), kPageSizeDefault, kPageSizeMax);
  if (!page_size.ok()) return page_size.status();
  const std::string list =
      StrCat("limits of ", directory_.tenants()[*tenant].name, " ", request.key_prefix());
  const auto after = AfterOf(list, request.page_token());
  if (!after.ok()) return after.status();
  v1::ListLimitsResponse response;
  if (request.page_token().empty()) {
    for (const auto& [pattern, limit] : directory_.LimitsOf(*tenant).all()) {
      *response.add_limits() = View(*tenant, limit);
    }
  }
  std::vector<v1::LimitUsage> keys = driver_.engine().ListKeys(
      *tenant, request.key_prefix(), *after, static_cast<size_t>(*page_size) + 1);
  if (keys.size() > static_cast<size_t>(*page_size)) {
    keys.pop_back();
    response.set_next_page_token(tasks::EncodeListToken(list, keys.back().key()));
  }
  for (v1::LimitUsage& key : keys) *response.add_keys() = std::move(key);
  return response;
}

absl::Status LimitCalls::CheckChangeable(size_t tenant, const std::string& pattern) const {
  const tenancy::Limit* there = directory_.LimitsOf(tenant).Named(pattern);
  if (there == nullptr || !there->from_config) return absl::OkStatus();
  return Refusal(absl::StatusCode::kFailedPrecondition, "LIMIT_FROM_CONFIG",
                 StrCat("the limit ", pattern, " is the config's to change"),
                 {{"tenant", directory_.tenants()[tenant].resource_name()}, {"limit", pattern}});
}

absl::StatusOr<v1::SetLimitResponse> LimitCalls::Set(const Principal& who,
                                                     const v1::SetLimitRequest& request) {
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const auto tenant = TenantOf(who, request.parent());
  if (!tenant.ok()) return tenant.status();
  if (absl::Status checked = CheckLimit(request.limit()); !checked.ok()) return checked;
  tenancy::Limit limit = LimitFrom(request.limit());
  if (absl::Status s = CheckChangeable(*tenant, limit.pattern); !s.ok()) return s;
  const tenancy::Limits& limits = directory_.LimitsOf(*tenant);
  const std::string name = directory_.tenants()[*tenant].name;
  if (limits.all().size() >= tenancy::kLimitsMax && limits.Named(limit.pattern) == nullptr) {
    const std::string owner = tenancy::FormatTenantName(name);
    const std::string bound = StrCat("at most ", tenancy::kLimitsMax, " limits");
    return tasks::WithQuotaFailure(
        tasks::WithRetryAfter(Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_LIMITS",
                                      StrCat(owner, " has ", bound), {{"tenant", owner}}),
                              60'000),
        owner, bound);
  }
  v1::Limit said = request.limit();
  said.clear_pattern();
  said.clear_update_time();
  said.clear_from_config();
  LimitRecord record{.updated_us = WallNow()};
  said.SerializeToString(&record.settings);
  absl::Status written =
      registry_.Write({.put_limits = {{LimitName(name, limit.pattern), std::move(record)}}});
  if (!written.ok()) return written;
  v1::SetLimitResponse response;
  *response.mutable_limit() = View(*tenant, limit);
  directory_.SetLimit(*tenant, std::move(limit));
  driver_.Rebound(*tenant);
  return response;
}

absl::StatusOr<v1::DeleteLimitResponse> LimitCalls::Delete(const Principal& who,
                                                           const v1::DeleteLimitRequest& request) {
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const auto tenant = TenantOf(who, request.parent());
  if (!tenant.ok()) return tenant.status();
  const std::string& pattern = request.pattern();
  if (directory_.LimitsOf(*tenant).Named(pattern) == nullptr) {
    const std::string owner = directory_.tenants()[*tenant].resource_name();
    const std::string shown = absl::CHexEscape(tasks::Cut(pattern));
    return Refusal(absl::StatusCode::kNotFound, "LIMIT_NOT_FOUND",
                   StrCat(owner, " has no limit \"", shown, "\""),
                   {{"tenant", owner}, {"limit", shown}});
  }
  if (absl::Status s = CheckChangeable(*tenant, pattern); !s.ok()) return s;
  absl::Status written =
      registry_.Write({.drop_limits = {{directory_.tenants()[*tenant].name, pattern}}});
  if (!written.ok()) return written;
  directory_.DropLimit(*tenant, pattern);
  driver_.Rebound(*tenant);
  return v1::DeleteLimitResponse();
}

}  // namespace grove::control

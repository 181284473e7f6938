#include "server/control/tenant_calls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/limit_calls.h"
#include "server/control/page_token.h"
#include "server/control/quota_settings.h"
#include "server/control/tenant_bounds.h"
#include "server/log.h"
#include "server/tasks/list_token.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"
#include "server/wall_time.h"

namespace grove::control {
namespace {

using tasks::BadField;
using tasks::Refusal;
using tenancy::Principal;
using tenancy::TenantRecord;

constexpr int32_t kPageSizeDefault = 100;
constexpr int32_t kPageSizeMax = 1000;

absl::Status NotFound(std::string_view tenant) {
  const std::string name = tenancy::FormatTenantName(tenant);
  return Refusal(absl::StatusCode::kNotFound, "TENANT_NOT_FOUND", StrCat("there is no ", name),
                 {{"tenant", name}});
}

bool IsPlainText(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

absl::Status CheckWeight(double weight) {
  if (weight == 0 || (weight >= kWeightMin && weight <= kWeightMax)) return absl::OkStatus();
  return BadField("tenant.weight", "TENANT_WEIGHT_OUT_OF_RANGE",
                  StrCat("is ", weight, "; ", kWeightMin, " to ", kWeightMax, " are allowed"));
}

absl::Status CheckDisplayName(std::string_view text) {
  if (text.size() <= kDisplayNameBytesMax && IsPlainText(text)) return absl::OkStatus();
  return BadField("tenant.display_name", "DISPLAY_NAME_INVALID",
                  StrCat("has control characters, or more than ", kDisplayNameBytesMax, " bytes"));
}

absl::Status CheckLabels(const v1::Tenant& tenant) {
  if (tenant.labels_size() > kLabelsMax) {
    return BadField("tenant.labels", "TOO_MANY_LABELS",
                    StrCat("has ", tenant.labels_size(), "; at most ", kLabelsMax, " are allowed"));
  }
  for (const auto& [key, value] : tenant.labels()) {
    if (tenancy::IsShortName(key) && value.size() <= kLabelBytesMax && IsPlainText(value)) {
      continue;
    }
    return BadField("tenant.labels", "LABEL_INVALID",
                    StrCat("the label \"", absl::CHexEscape(tasks::Cut(key)),
                           "\": keys are as names are, values at most ", kLabelBytesMax,
                           " bytes without control characters"));
  }
  return absl::OkStatus();
}

// What of `tenant` may be set; those that the registry keeps.
absl::StatusOr<v1::Tenant> Settings(const v1::Tenant& tenant) {
  absl::Status checked = CheckWeight(tenant.weight());
  if (checked.ok()) checked = CheckDisplayName(tenant.display_name());
  if (checked.ok()) checked = CheckLabels(tenant);
  if (checked.ok()) checked = CheckQuotas(tenant.quotas());
  if (!checked.ok()) return checked;
  v1::Tenant settings;
  settings.set_display_name(tenant.display_name());
  if (tenant.weight() != 1) settings.set_weight(tenant.weight());
  *settings.mutable_labels() = tenant.labels();
  if (tenant.has_quotas()) *settings.mutable_quotas() = tenant.quotas();
  return settings;
}

v1::Tenant SettingsOf(const TenantRecord& record) {
  v1::Tenant settings;
  // Nothing of it decides who may do what: one that does not parse is as if it were not set.
  if (!settings.ParseFromString(record.settings)) settings.Clear();
  return settings;
}

double WeightOf(const v1::Tenant& settings) {
  return settings.weight() == 0 ? 1 : settings.weight();
}

std::string EtagOf(const TenantRecord& record) {
  return StrCat(record.version);
}

absl::Status TakeMasked(const v1::UpdateTenantRequest& request, v1::Tenant& settings) {
  const auto bad_mask = [](std::string_view problem) {
    return BadField("update_mask", "FIELD_MASK_INVALID", problem);
  };
  if (request.update_mask().paths().empty()) {
    return bad_mask("is empty; name what is to change: display_name, weight, labels, quotas");
  }
  for (const std::string& path : request.update_mask().paths()) {
    if (path == "display_name") {
      settings.set_display_name(request.tenant().display_name());
    } else if (path == "weight") {
      settings.set_weight(request.tenant().weight());
    } else if (path == "labels") {
      *settings.mutable_labels() = request.tenant().labels();
    } else if (!TakeQuotas(path, request.tenant().quotas(), *settings.mutable_quotas())) {
      return bad_mask(StrCat("names \"", absl::CHexEscape(tasks::Cut(path)),
                             "\"; display_name, weight, labels, quotas and quotas.FIELD may be "
                             "changed"));
    }
  }
  return absl::OkStatus();
}

// What AddTenant() of the directory says, for a client.
absl::Status AsRefusal(const absl::Status& status, std::string_view tenant) {
  switch (status.code()) {
    case absl::StatusCode::kAlreadyExists:
      return Refusal(status.code(), "TENANT_EXISTS", Std(status.message()),
                     {{"tenant", tenancy::FormatTenantName(tenant)}});
    case absl::StatusCode::kResourceExhausted:
      return tasks::WithQuotaFailure(
          tasks::WithRetryAfter(Refusal(status.code(), "TOO_MANY_TENANTS", Std(status.message())),
                                60'000),
          "tenants", StrCat("at most ", tenancy::kTenantsMax));
    default:
      return BadField("tenant_id", "NAME_INVALID", Std(status.message()));
  }
}

}  // namespace

void AdoptTenants(const tenancy::Registry& registry, tenancy::Directory& directory) {
  for (const auto& [name, record] : registry.tenants()) {
    if (directory.FindTenant(name)) {
      Log(LogLevel::kInfo, "a tenant of the registry is as the config says", {{"tenant", name}});
      continue;
    }
    const v1::Tenant settings = SettingsOf(record);
    const auto added = directory.AddTenant(name, WeightOf(settings));
    if (!added.ok()) {
      Log(LogLevel::kError, "a tenant of the registry is left out",
          {{"tenant", name}, {"error", added.status().message()}});
      continue;
    }
    if (record.draining) directory.SetDraining(*added);
    if (settings.has_quotas()) directory.SetQuotas(*added, tenancy::QuotasOf(settings.quotas()));
  }
  AdoptLimits(registry, directory);
}

absl::StatusOr<size_t> FindSeen(const tenancy::Directory& directory, const Principal& who,
                                std::string_view tenant) {
  const std::optional<size_t> found =
      who.Sees(tenant) ? directory.FindTenant(tenant) : std::nullopt;
  if (!found) return NotFound(tenant);
  return *found;
}

TenantCalls::TenantCalls(Hub& hub, tenancy::Directory& directory, EngineDriver& driver,
                         metrics::Scoreboard& scoreboard, LiveRegistry& registry,
                         TenantDrain& drain)
    : hub_(hub),
      directory_(directory),
      driver_(driver),
      scoreboard_(scoreboard),
      registry_(registry),
      drain_(drain),
      bound_names_(scoreboard.series().bound_tenants.directory()) {
  for (const tenancy::Directory::Tenant& tenant : directory.tenants()) {
    if (tenant.from_config) from_config_.push_back(tenant.name);
  }
  std::sort(from_config_.begin(), from_config_.end());
}

v1::Tenant TenantCalls::View(size_t index) const {
  const tenancy::Directory::Tenant& tenant = directory_.tenants()[index];
  const TenantRecord* record =
      tenant.from_config ? nullptr : registry_.all().FindTenant(tenant.name);
  v1::Tenant view;
  if (record != nullptr) {
    view = SettingsOf(*record);
    proto::SetMicros(record->created_us, view.mutable_create_time());
    proto::SetMicros(record->updated_us, view.mutable_update_time());
    view.set_etag(EtagOf(*record));
  }
  view.set_name(tenant.resource_name());
  view.set_weight(tenant.weight);
  view.set_state(tenant.draining ? v1::Tenant::STATE_DRAINING : v1::Tenant::STATE_ACTIVE);
  view.set_from_config(tenant.from_config);
  if (tenant.bounds != nullptr) FillQuotas(directory_.QuotasOf(index), view);
  const tasks::TenantLoad load = driver_.engine().LoadOf(index);
  view.set_queued(load.queued);
  view.set_scheduled(load.scheduled);
  view.set_running(load.running);
  view.set_queued_bytes(load.queued_bytes);
  view.set_running_slots(load.running_slots);
  view.set_payload_bytes(load.payload_bytes);
  if (bound_names_.Knows(tenant.name)) {
    FillHttpUse(directory_.QuotasOf(index).http, hub_.ReadClock(), scoreboard_.workers(),
                scoreboard_.series().bound_cells.of[bound_names_.Find(tenant.name)], view);
  }
  return view;
}

absl::StatusOr<v1::GetTenantResponse> TenantCalls::Get(const Principal& who,
                                                       const v1::GetTenantRequest& request) const {
  const auto name = tenancy::ParseTenantName(request.name());
  if (!name.ok()) return BadField("name", "NAME_INVALID", Std(name.status().message()));
  const auto tenant = FindSeen(directory_, who, *name);
  if (!tenant.ok()) return tenant.status();
  v1::GetTenantResponse response;
  *response.mutable_tenant() = View(*tenant);
  return response;
}

std::vector<std::string> TenantCalls::NamesAfter(const std::string& after, size_t max) const {
  std::vector<std::string> names;
  auto configured = std::upper_bound(from_config_.begin(), from_config_.end(), after);
  auto made = registry_.all().tenants().upper_bound(after);
  const auto end = registry_.all().tenants().end();
  while (names.size() < max && (configured != from_config_.end() || made != end)) {
    const bool take_made =
        made != end && (configured == from_config_.end() || made->first < *configured);
    std::string name = take_made ? made->first : *configured;
    if (made != end && made->first == name) ++made;
    if (!take_made) ++configured;
    if (directory_.FindTenant(name)) names.push_back(std::move(name));
  }
  return names;
}

absl::StatusOr<v1::ListTenantsResponse> TenantCalls::List(
    const Principal& who, const v1::ListTenantsRequest& request) const {
  const auto page_size = PageSize(request.page_size(), kPageSizeDefault, kPageSizeMax);
  if (!page_size.ok()) return page_size.status();
  // Bound to who sees it.
  const std::string list = StrCat("tenants of ", who.tenant);
  std::string after;
  if (!request.page_token().empty()) {
    const auto last = tasks::DecodeListToken(list, request.page_token());
    if (!last) {
      return BadField("page_token", "PAGE_TOKEN_INVALID",
                      "is not one that this list returned; leave it empty for the first page");
    }
    after = *last;
  }
  std::vector<std::string> names;
  if (who.is_operator()) {
    names = NamesAfter(after, static_cast<size_t>(*page_size) + 1);
  } else if (after < who.tenant) {
    names = {who.tenant};
  }
  v1::ListTenantsResponse response;
  for (const std::string& name : names) {
    if (response.tenants_size() == *page_size) {
      response.set_next_page_token(tasks::EncodeListToken(list, after));
      break;
    }
    const std::optional<size_t> tenant = directory_.FindTenant(name);
    if (tenant) *response.add_tenants() = View(*tenant);
    after = name;
  }
  return response;
}

absl::StatusOr<v1::CreateTenantResponse> TenantCalls::Create(
    const Principal& /*who*/, const v1::CreateTenantRequest& request) {
  const auto settings = Settings(request.tenant());
  if (!settings.ok()) return settings.status();
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const std::string& name = request.tenant_id();
  if (absl::Status possible = directory_.CheckNew(name); !possible.ok()) {
    return AsRefusal(possible, name);
  }
  const WallMicros now_us = WallNow();
  TenantRecord record{.created_us = now_us, .updated_us = now_us};
  settings->SerializeToString(&record.settings);
  v1::CreateTenantResponse response;
  if (request.validate_only()) {
    v1::Tenant& tenant = *response.mutable_tenant();
    tenant = *settings;
    tenant.set_name(tenancy::FormatTenantName(name));
    tenant.set_weight(WeightOf(*settings));
    tenant.set_state(v1::Tenant::STATE_ACTIVE);
    return response;
  }
  if (absl::Status written = registry_.Write({.put_tenants = {{name, std::move(record)}}});
      !written.ok()) {
    return written;
  }
  const auto added = directory_.AddTenant(name, WeightOf(*settings));
  if (!added.ok()) return AsRefusal(added.status(), name);
  if (settings->has_quotas()) {
    directory_.SetQuotas(*added, tenancy::QuotasOf(settings->quotas()));
  }
  driver_.Grow();
  driver_.Reweigh(*added);
  on_changed_(*added);
  *response.mutable_tenant() = View(*added);
  return response;
}

absl::StatusOr<size_t> TenantCalls::FindChangeable(const Principal& who, const std::string& name,
                                                   std::string_view etag) const {
  const auto parsed = tenancy::ParseTenantName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  absl::StatusOr<size_t> tenant = FindSeen(directory_, who, *parsed);
  if (!tenant.ok()) return tenant;
  const TenantRecord* record = registry_.all().FindTenant(*parsed);
  if (directory_.tenants()[*tenant].from_config || record == nullptr) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "TENANT_FROM_CONFIG",
                   StrCat(name, " is the config's to change"), {{"tenant", name}});
  }
  if (!etag.empty() && etag != EtagOf(*record)) {
    return Refusal(absl::StatusCode::kAborted, "ETAG_MISMATCH",
                   StrCat(name, " has been changed since: its etag is ", EtagOf(*record)),
                   {{"tenant", name}, {"etag", EtagOf(*record)}});
  }
  return tenant;
}

absl::StatusOr<v1::UpdateTenantResponse> TenantCalls::Update(
    const Principal& who, const v1::UpdateTenantRequest& request) {
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const auto tenant = FindChangeable(who, request.tenant().name(), request.tenant().etag());
  if (!tenant.ok()) return tenant.status();
  const std::string name = directory_.tenants()[*tenant].name;
  TenantRecord record = *registry_.all().FindTenant(name);
  v1::Tenant masked = SettingsOf(record);
  if (absl::Status taken = TakeMasked(request, masked); !taken.ok()) return taken;
  const auto settings = Settings(masked);
  if (!settings.ok()) return settings.status();
  settings->SerializeToString(&record.settings);
  ++record.version;
  record.updated_us = WallNow();
  if (absl::Status written = registry_.Write({.put_tenants = {{name, std::move(record)}}});
      !written.ok()) {
    return written;
  }
  directory_.SetWeight(*tenant, WeightOf(*settings));
  directory_.SetQuotas(*tenant, tenancy::QuotasOf(settings->quotas()));
  driver_.Reweigh(*tenant);
  driver_.Rebound(*tenant);
  on_changed_(*tenant);
  v1::UpdateTenantResponse response;
  *response.mutable_tenant() = View(*tenant);
  return response;
}

absl::Status TenantCalls::BeginDrain(size_t tenant) {
  const std::string name = directory_.tenants()[tenant].name;
  TenantRecord record = *registry_.all().FindTenant(name);
  record.draining = true;
  ++record.version;
  record.updated_us = WallNow();
  absl::Status written = registry_.Write({.put_tenants = {{name, std::move(record)}}});
  if (!written.ok()) return written;
  directory_.SetDraining(tenant);
  drain_.Begin(tenant);
  Log(LogLevel::kInfo, "tenant is being deleted", {{"tenant", name}});
  return absl::OkStatus();
}

absl::StatusOr<v1::DeleteTenantResponse> TenantCalls::Delete(
    const Principal& who, const v1::DeleteTenantRequest& request) {
  // Until the answer is made: the tenant must not be gone before.
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const auto tenant = FindChangeable(who, request.name(), request.etag());
  if (!tenant.ok()) return tenant.status();
  if (!request.validate_only()) {
    if (!directory_.tenants()[*tenant].draining) {
      if (absl::Status begun = BeginDrain(*tenant); !begun.ok()) return begun;
    }
    if (request.cancel_tasks()) drain_.CancelTasks(*tenant);
  }
  v1::DeleteTenantResponse response;
  *response.mutable_tenant() = View(*tenant);
  response.set_tasks_left(driver_.engine().LoadOf(*tenant).live());
  return response;
}

}  // namespace grove::control

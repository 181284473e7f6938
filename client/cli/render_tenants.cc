#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/names.h"
#include "client/cli/quota_flags.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

std::string TenantStateName(const v1::Tenant& tenant) {
  return ShortEnumName(*v1::Tenant::State_descriptor(), tenant.state());
}

std::string LabelsText(const v1::Tenant& tenant) {
  const std::map<std::string, std::string> sorted(tenant.labels().begin(), tenant.labels().end());
  return absl::StrJoin(sorted, " ", absl::PairFormatter("="));
}

// Of what is used and may be.
std::string QuotaText(int64_t used, int64_t max) {
  return max == 0 ? absl::StrCat(used) : absl::StrCat(used, " of ", max);
}

// Empty where nothing is bound, and nothing was.
std::string HttpUseText(int64_t used, int64_t max, int64_t refused) {
  if (used == 0 && max == 0 && refused == 0) return "";
  return absl::StrCat(QuotaText(used, max),
                      refused == 0 ? "" : absl::StrCat(", ", refused, " refused"));
}

// "500/s, 500 at once, 12 used, 3 refused".
std::string HttpRateUse(const v1::Tenant& tenant) {
  std::string text = HttpRateText(tenant.quotas());
  if (!text.empty()) absl::StrAppend(&text, ", ", tenant.http_burst_used(), " used");
  if (tenant.http_rate_refused() > 0) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", tenant.http_rate_refused(), " refused");
  }
  return text;
}

std::string BoundText(int64_t max) {
  return max == 0 ? "" : absl::StrCat(max);
}

std::string SourceText(bool from_config) {
  return from_config ? "config" : "";
}

// Of a time that may not have been said.
std::string TimeText(bool has, const google::protobuf::Timestamp& time, const View& view) {
  return has ? AgeText(time, view.now) : "";
}

std::string TokenStateName(const v1::Token& token, const View& view) {
  if (token.has_revoke_time()) return "REVOKED";
  if (token.has_expire_time() && ToTime(token.expire_time()) <= view.now) return "EXPIRED";
  return "ACTIVE";
}

}  // namespace

std::string RolesText(const v1::Token& token) {
  std::vector<std::string> names;
  for (const int role : token.roles()) {
    names.push_back(absl::AsciiStrToLower(ShortEnumName(*v1::Token::Role_descriptor(), role)));
  }
  return absl::StrJoin(names, ",");
}

std::string RenderTenants(const List<v1::Tenant>& tenants, const View& view) {
  Table table({{"TENANT", Kind::kId},
               {"STATE", Kind::kState},
               "WEIGHT",
               "QUEUED",
               "SCHEDULED",
               "RUNNING",
               "MADE",
               "DISPLAY NAME",
               {"LABELS", Kind::kWide},
               {"FROM", Kind::kWide}});
  for (const v1::Tenant& tenant : tenants) {
    table.Add({ShortName(tenant.name()), TenantStateName(tenant), absl::StrCat(tenant.weight()),
               absl::StrCat(tenant.queued()), absl::StrCat(tenant.scheduled()),
               absl::StrCat(tenant.running()),
               TimeText(tenant.has_create_time(), tenant.create_time(), view),
               tenant.display_name(), LabelsText(tenant), SourceText(tenant.from_config())});
  }
  return table.Render(view.look);
}

std::string RenderTenant(const v1::Tenant& tenant, const View& view) {
  const v1::Quotas& quotas = tenant.quotas();
  return RenderFields(
      {{"name", tenant.name()},
       {"display_name", tenant.display_name()},
       {"state", TenantStateName(tenant)},
       {"weight", absl::StrCat(tenant.weight())},
       {"queued", absl::StrCat(tenant.queued())},
       {"scheduled", absl::StrCat(tenant.scheduled())},
       {"running", absl::StrCat(tenant.running())},
       {"slots", QuotaText(tenant.running_slots(), quotas.running_max())},
       {"waiting", quotas.queued_max() == 0
                       ? ""
                       : QuotaText(tenant.queued() + tenant.scheduled(), quotas.queued_max())},
       {"waiting_bytes", QuotaText(tenant.queued_bytes(), quotas.queued_bytes_max())},
       {"spawns", RateText(quotas)},
       {"output_bytes_max", BoundText(quotas.output_bytes_max())},
       {"payload_bytes", QuotaText(tenant.payload_bytes(), quotas.payload_bytes_max())},
       {"http_requests", HttpUseText(tenant.http_requests_running(), quotas.http_requests_max(),
                                     tenant.http_requests_refused())},
       {"http_rate", HttpRateUse(tenant)},
       {"fetches", HttpUseText(tenant.fetches_running(), quotas.fetches_max(), 0)},
       {"labels", LabelsText(tenant)},
       {"made", TimeText(tenant.has_create_time(), tenant.create_time(), view)},
       {"changed", TimeText(tenant.has_update_time(), tenant.update_time(), view)},
       {"etag", tenant.etag()},
       {"from", SourceText(tenant.from_config())}},
      view.look);
}

std::string RenderTokens(const List<v1::Token>& tokens, const View& view) {
  Table table({{"TOKEN", Kind::kId},
               {"STATE", Kind::kState},
               "ROLES",
               "BEGINS",
               "MADE",
               "EXPIRES",
               "LAST USE",
               {"BY", Kind::kWide},
               {"ROTATED TO", Kind::kWide},
               {"FROM", Kind::kWide}});
  for (const v1::Token& token : tokens) {
    table.Add({ShortName(token.name()), TokenStateName(token, view), RolesText(token),
               token.display_prefix(), TimeText(token.has_create_time(), token.create_time(), view),
               TimeText(token.has_expire_time(), token.expire_time(), view),
               TimeText(token.has_last_use_time(), token.last_use_time(), view), token.created_by(),
               ShortName(token.rotated_to()), SourceText(token.from_config())});
  }
  return table.Render(view.look);
}

std::string RenderToken(const v1::Token& token, const View& view) {
  return RenderFields(
      {{"name", token.name()},
       {"state", TokenStateName(token, view)},
       {"roles", RolesText(token)},
       {"begins", token.display_prefix()},
       {"made", TimeText(token.has_create_time(), token.create_time(), view)},
       {"by", token.created_by()},
       {"expires", TimeText(token.has_expire_time(), token.expire_time(), view)},
       {"revoked", TimeText(token.has_revoke_time(), token.revoke_time(), view)},
       {"last_use", TimeText(token.has_last_use_time(), token.last_use_time(), view)},
       {"rotated_to", token.rotated_to()},
       {"from", SourceText(token.from_config())}},
      view.look);
}

}  // namespace grove::client::cli

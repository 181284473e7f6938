#include "server/control/quota_settings.h"

#include <string_view>

#include "google/protobuf/descriptor.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

constexpr std::string_view kQuotas = "quotas";

template <typename Message>
absl::Status CheckAll(std::string_view where, std::string_view reason, const Message& said) {
  const auto wrong = tenancy::CheckBounds(said);
  if (!wrong) return absl::OkStatus();
  return tasks::BadField(StrCat(where, ".", wrong->field), reason, wrong->problem);
}

template <typename Message>
void FillBounds(const tenancy::Bounds& bounds, Message& view) {
  view.set_running_max(bounds.running_max);
  view.set_queued_max(bounds.queued_max);
  view.set_spawns_per_second(bounds.spawns_per_second);
  view.set_spawns_per_minute(bounds.spawns_per_minute);
  view.set_spawn_burst(bounds.spawn_burst);
}

}  // namespace

absl::Status CheckQuotas(const v1::Quotas& quotas) {
  return CheckAll("tenant.quotas", "QUOTA_INVALID", quotas);
}

absl::Status CheckLimit(const v1::Limit& limit) {
  const std::string problem = tenancy::CheckPattern(limit.pattern());
  if (problem.empty()) return CheckAll("limit", "LIMIT_INVALID", limit);
  return tasks::BadField("limit.pattern", "LIMIT_PATTERN_INVALID", problem);
}

bool TakeQuotas(const std::string& path, const v1::Quotas& said, v1::Quotas& quotas) {
  if (path == kQuotas) {
    quotas = said;
    return true;
  }
  if (!std::string_view(path).starts_with(StrCat(kQuotas, "."))) return false;
  const google::protobuf::FieldDescriptor* field =
      v1::Quotas::descriptor()->FindFieldByName(path.substr(kQuotas.size() + 1));
  if (field == nullptr) return false;
  // They are all numbers of one kind.
  quotas.GetReflection()->SetInt64(&quotas, field, said.GetReflection()->GetInt64(said, field));
  return true;
}

void FillQuotas(const tenancy::Quotas& quotas, v1::Tenant& view) {
  v1::Quotas filled;
  FillBounds(quotas, filled);
  filled.set_queued_bytes_max(quotas.queued_bytes_max);
  filled.set_output_bytes_max(quotas.output_bytes_max);
  filled.set_payload_bytes_max(quotas.payload_bytes_max);
  filled.set_http_requests_max(quotas.http.requests_max);
  filled.set_http_requests_per_second(quotas.http.per_second);
  filled.set_http_requests_per_minute(quotas.http.per_minute);
  filled.set_http_burst(quotas.http.burst);
  filled.set_fetches_max(quotas.http.fetches_max);
  view.clear_quotas();
  if (filled.ByteSizeLong() > 0) *view.mutable_quotas() = filled;
}

v1::Limit ViewLimit(const tenancy::Limit& limit) {
  v1::Limit view;
  view.set_pattern(limit.pattern);
  FillBounds(limit, view);
  view.set_from_config(limit.from_config);
  return view;
}

}  // namespace grove::control

#include "server/http/handler/tenant_labels.h"

namespace grove::http {

std::shared_ptr<const FiberLabel> TenantLabels::Of(std::string_view tenant) {
  const auto found = entries_.find(tenant);
  if (found != entries_.end()) return found->second.label;
  auto label =
      std::make_shared<const FiberLabel>(FiberLabel{.tenant = std::string(tenant), .task = ""});
  if (entries_.size() < kTenantLabelsMax) entries_[label->tenant] = {label};
  return label;
}

void TenantLabels::TakeRunTimes(
    absl::FunctionRef<void(const std::string& tenant, int64_t us)> each) {
  for (auto& [tenant, entry] : entries_) {
    const int64_t us = entry.label->run_time / 1000;
    if (us == entry.taken_us) continue;
    each(tenant, us - entry.taken_us);
    entry.taken_us = us;
  }
}

TenantLabels& NoTenantLabels() {
  static TenantLabels labels;
  return labels;
}

}  // namespace grove::http

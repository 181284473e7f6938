// TenancyTest: TenantService's calls on a hub of invented time, with a registry in memory that may
// fail.
#ifndef GROVE_SERVER_CONTROL_TENANCY_FIXTURE_H_
#define GROVE_SERVER_CONTROL_TENANCY_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/control/driver_fixture.h"
#include "server/control/limit_calls.h"
#include "server/control/live_registry.h"
#include "server/control/tenant_calls.h"
#include "server/control/tenant_drain.h"
#include "server/control/token_calls.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/registry.h"
#include "server/tenancy/token_book.h"

namespace grove::control {

// Keeps what it is given, or fails.
class ScriptedRegistry final : public tenancy::RegistryStore {
 public:
  absl::StatusOr<tenancy::Registry> Load() override { return kept; }
  void Write(tenancy::RegistryChange change, Done done) override {
    if (fails.ok()) kept.Apply(std::move(change));
    ++writes;
    done(fails);
  }
  void Stop() override {}

  tenancy::Registry kept;
  absl::Status fails;
  int writes = 0;
};

class TenancyTest : public DriverTest {
 protected:
  // What a control does at its start, with what is kept.
  void Begin() {
    registry_ = std::make_unique<LiveRegistry>(*hub_, registry_store_, registry_store_.kept);
    drain_ = std::make_unique<TenantDrain>(directory_, driver_, *registry_, book_);
    tenants_ =
        std::make_unique<TenantCalls>(*hub_, directory_, driver_, scoreboard_, *registry_, *drain_);
    limits_ = std::make_unique<LimitCalls>(directory_, driver_, *registry_);
    tokens_ = std::make_unique<TokenCalls>(directory_, *registry_, book_,
                                           [this] { requires_tokens_ = true; });
  }

  static tenancy::Principal Operator(tenancy::Role role = tenancy::Role::kAdmin) {
    return {.name = "token root", .roles = {role}};
  }
  static tenancy::Principal Of(const std::string& tenant,
                               tenancy::Role role = tenancy::Role::kAdmin) {
    return {.name = "token of " + tenant, .tenant = tenant, .roles = {role}};
  }

  absl::StatusOr<v1::CreateTenantResponse> CreateTenant(const std::string& id) {
    v1::CreateTenantRequest request;
    request.set_tenant_id(id);
    return tenants_->Create(Operator(), request);
  }
  absl::StatusOr<v1::Tenant> GetTenant(const tenancy::Principal& who, const std::string& name) {
    v1::GetTenantRequest request;
    request.set_name(name);
    auto response = tenants_->Get(who, request);
    if (!response.ok()) return response.status();
    return response->tenant();
  }

  // Wrong ones give the reason.
  template <typename Response>
  static std::string ReasonOf(const absl::StatusOr<Response>& response) {
    return tasks::RefusalReason(response.status());
  }

  ScriptedRegistry registry_store_;
  tenancy::TokenBook book_;
  bool requires_tokens_ = false;
  std::unique_ptr<LiveRegistry> registry_;
  std::unique_ptr<TenantDrain> drain_;
  std::unique_ptr<TenantCalls> tenants_;
  std::unique_ptr<TokenCalls> tokens_;
  std::unique_ptr<LimitCalls> limits_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TENANCY_FIXTURE_H_

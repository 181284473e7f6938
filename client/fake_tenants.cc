#include "client/fake_tenants.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/fake_error.h"

namespace grove::client {
namespace {

// 2023-11-14T22:13:20Z.
constexpr int64_t kMadeAt = 1'700'000'000;
constexpr char kDefaultTenant[] = "tenants/default";

grpc::Status Refuse(grpc::StatusCode code, const std::string& message, const std::string& reason) {
  return grpc::Status(code, message, FakeError(code, message, reason).SerializeAsString());
}

grpc::Status NotFound(const std::string& name, const std::string& reason) {
  return Refuse(grpc::NOT_FOUND, absl::StrCat("there is no ", name), reason);
}

bool Masks(const v1::UpdateTenantRequest& request, const std::string& path) {
  const auto& paths = request.update_mask().paths();
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

std::string ParentOf(const grpc::ServerContext& context, const std::string& parent) {
  return parent.empty() ? CallersTenant(context) : parent;
}

// As of the others, but for the operators'.
std::string TokenParentOf(const grpc::ServerContext& context, const std::string& parent) {
  const std::string tenant = ParentOf(context, parent);
  return parent.empty() && tenant == kDefaultTenant ? "operators" : tenant;
}

}  // namespace

std::string CallersTenant(const grpc::ServerContext& context) {
  constexpr std::string_view kBearer = "Bearer of-";
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return kDefaultTenant;
  const std::string_view value(found->second.data(), found->second.size());
  if (!value.starts_with(kBearer)) return kDefaultTenant;
  return absl::StrCat("tenants/", std::string(value.substr(kBearer.size())));
}

FakeTenants::FakeTenants() {
  v1::Tenant& tenant = tenants_["tenants/default"];
  tenant.set_name("tenants/default");
  tenant.set_weight(1);
  tenant.set_state(v1::Tenant::STATE_ACTIVE);
  tenant.set_from_config(true);
}

grpc::Status FakeTenants::CreateTenant(grpc::ServerContext*, const v1::CreateTenantRequest* request,
                                       v1::CreateTenantResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string name = "tenants/" + request->tenant_id();
  if (tenants_.count(name) > 0) {
    return Refuse(grpc::ALREADY_EXISTS, name + " exists", "TENANT_EXISTS");
  }
  v1::Tenant& tenant = *response->mutable_tenant();
  tenant = request->tenant();
  tenant.set_name(name);
  if (tenant.weight() == 0) tenant.set_weight(1);
  tenant.set_state(v1::Tenant::STATE_ACTIVE);
  tenant.mutable_create_time()->set_seconds(kMadeAt);
  tenant.set_etag("1");
  if (!request->validate_only()) tenants_[name] = tenant;
  return grpc::Status::OK;
}

grpc::Status FakeTenants::GetTenant(grpc::ServerContext*, const v1::GetTenantRequest* request,
                                    v1::GetTenantResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = tenants_.find(request->name());
  if (found == tenants_.end()) return NotFound(request->name(), "TENANT_NOT_FOUND");
  *response->mutable_tenant() = found->second;
  if (found->second.state() == v1::Tenant::STATE_DRAINING) tenants_.erase(found);
  return grpc::Status::OK;
}

grpc::Status FakeTenants::ListTenants(grpc::ServerContext* context, const v1::ListTenantsRequest*,
                                      v1::ListTenantsResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string own = CallersTenant(*context);
  for (const auto& [name, tenant] : tenants_) {
    if (own == kDefaultTenant || name == own) *response->add_tenants() = tenant;
  }
  return grpc::Status::OK;
}

grpc::Status FakeTenants::UpdateTenant(grpc::ServerContext*, const v1::UpdateTenantRequest* request,
                                       v1::UpdateTenantResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = tenants_.find(request->tenant().name());
  if (found == tenants_.end()) return NotFound(request->tenant().name(), "TENANT_NOT_FOUND");
  v1::Tenant& tenant = found->second;
  if (tenant.from_config()) {
    return Refuse(grpc::FAILED_PRECONDITION, tenant.name() + " is the config's to change",
                  "TENANT_FROM_CONFIG");
  }
  if (!request->tenant().etag().empty() && request->tenant().etag() != tenant.etag()) {
    return Refuse(grpc::ABORTED, tenant.name() + " has been changed since", "ETAG_MISMATCH");
  }
  if (Masks(*request, "display_name")) tenant.set_display_name(request->tenant().display_name());
  if (Masks(*request, "weight")) tenant.set_weight(request->tenant().weight());
  if (Masks(*request, "labels")) *tenant.mutable_labels() = request->tenant().labels();
  for (const std::string& path : request->update_mask().paths()) {
    constexpr std::string_view kQuotas = "quotas.";
    if (!std::string_view(path).starts_with(kQuotas)) continue;
    const auto* field = v1::Quotas::descriptor()->FindFieldByName(path.substr(kQuotas.size()));
    const v1::Quotas& said = request->tenant().quotas();
    v1::Quotas& quotas = *tenant.mutable_quotas();
    quotas.GetReflection()->SetInt64(&quotas, field, said.GetReflection()->GetInt64(said, field));
  }
  *response->mutable_tenant() = tenant;
  return grpc::Status::OK;
}

grpc::Status FakeTenants::DeleteTenant(grpc::ServerContext*, const v1::DeleteTenantRequest* request,
                                       v1::DeleteTenantResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = tenants_.find(request->name());
  if (found == tenants_.end()) return NotFound(request->name(), "TENANT_NOT_FOUND");
  v1::Tenant tenant = found->second;
  tenant.set_state(v1::Tenant::STATE_DRAINING);
  if (!request->validate_only()) found->second = tenant;
  *response->mutable_tenant() = tenant;
  response->set_tasks_left(request->cancel_tasks() ? 0 : 3);
  return grpc::Status::OK;
}

std::string FakeTenants::NextSecret() {
  return absl::StrCat("grv_secret-", ++secrets_);
}

grpc::Status FakeTenants::CreateToken(grpc::ServerContext* context,
                                      const v1::CreateTokenRequest* request,
                                      v1::CreateTokenResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string parent = TokenParentOf(*context, request->parent());
  if (parent != "operators" && tenants_.count(parent) == 0) {
    return NotFound(parent, "TENANT_NOT_FOUND");
  }
  v1::Token& token = *response->mutable_token();
  token = request->token();
  const std::string id = request->token_id().empty() ? "made-up" : request->token_id();
  token.set_name(absl::StrCat(parent, "/tokens/", id));
  token.set_display_prefix("grv_secr");
  token.mutable_create_time()->set_seconds(kMadeAt);
  token.set_created_by("local");
  tokens_[token.name()] = token;
  response->set_secret(NextSecret());
  return grpc::Status::OK;
}

grpc::Status FakeTenants::GetToken(grpc::ServerContext*, const v1::GetTokenRequest* request,
                                   v1::GetTokenResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = tokens_.find(request->name());
  if (found == tokens_.end()) return NotFound(request->name(), "TOKEN_NOT_FOUND");
  *response->mutable_token() = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeTenants::ListTokens(grpc::ServerContext* context,
                                     const v1::ListTokensRequest* request,
                                     v1::ListTokensResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string parent = TokenParentOf(*context, request->parent());
  for (const auto& [name, token] : tokens_) {
    if (!absl::StartsWith(name, parent + "/")) continue;
    if (!token.has_revoke_time() || request->with_revoked()) *response->add_tokens() = token;
  }
  return grpc::Status::OK;
}

grpc::Status FakeTenants::RotateToken(grpc::ServerContext*, const v1::RotateTokenRequest* request,
                                      v1::RotateTokenResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = tokens_.find(request->name());
  if (found == tokens_.end()) return NotFound(request->name(), "TOKEN_NOT_FOUND");
  v1::Token& token = *response->mutable_token();
  token = found->second;
  token.set_name(request->name() + ".2");
  if (request->has_expire_time()) *token.mutable_expire_time() = request->expire_time();
  found->second.set_rotated_to(token.name());
  found->second.mutable_expire_time()->set_seconds(kMadeAt + request->overlap().seconds());
  tokens_[token.name()] = token;
  response->set_secret(NextSecret());
  return grpc::Status::OK;
}

grpc::Status FakeTenants::RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest* request,
                                      v1::RevokeTokenResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = tokens_.find(request->name());
  if (found == tokens_.end()) return NotFound(request->name(), "TOKEN_NOT_FOUND");
  found->second.mutable_revoke_time()->set_seconds(kMadeAt);
  *response->mutable_token() = found->second;
  return grpc::Status::OK;
}

grpc::Status FakeTenants::ListLimits(grpc::ServerContext* context,
                                     const v1::ListLimitsRequest* request,
                                     v1::ListLimitsResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string parent = ParentOf(*context, request->parent());
  if (tenants_.count(parent) == 0) {
    return NotFound(parent, "TENANT_NOT_FOUND");
  }
  for (const auto& [name, limit] : limits_) {
    if (name.first == parent) *response->add_limits() = limit;
  }
  if (!absl::StartsWith("customer-7", request->key_prefix())) return grpc::Status::OK;
  v1::LimitUsage& key = *response->add_keys();
  key.set_key("customer-7");
  key.set_running(2);
  key.set_queued(5);
  const auto limit = limits_.find({parent, "customer-*"});
  if (limit == limits_.end()) return grpc::Status::OK;
  key.set_pattern(limit->second.pattern());
  key.set_running_max(limit->second.running_max());
  return grpc::Status::OK;
}

grpc::Status FakeTenants::SetLimit(grpc::ServerContext* context, const v1::SetLimitRequest* request,
                                   v1::SetLimitResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string parent = ParentOf(*context, request->parent());
  v1::Limit& limit = limits_[{parent, request->limit().pattern()}];
  limit = request->limit();
  limit.mutable_update_time()->set_seconds(kMadeAt);
  *response->mutable_limit() = limit;
  return grpc::Status::OK;
}

grpc::Status FakeTenants::DeleteLimit(grpc::ServerContext* context,
                                      const v1::DeleteLimitRequest* request,
                                      v1::DeleteLimitResponse*) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string parent = ParentOf(*context, request->parent());
  if (limits_.erase({parent, request->pattern()}) > 0) return grpc::Status::OK;
  return Refuse(grpc::NOT_FOUND, absl::StrCat(parent, " has no limit \"", request->pattern(), "\""),
                "LIMIT_NOT_FOUND");
}

}  // namespace grove::client

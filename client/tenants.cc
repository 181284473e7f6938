// Client's tenants, tokens and limits.

#include <string_view>
#include <utility>

#include "client/client.h"
#include "client/stubs.h"

namespace grove::client {

using TenantStub = v1::TenantService::Stub;

absl::StatusOr<v1::Tenant> Client::CreateTenant(const v1::CreateTenantRequest& request) {
  auto response = stubs_->Call(stubs_->tenants, &TenantStub::CreateTenant, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_tenant());
}

absl::StatusOr<v1::Tenant> Client::GetTenant(std::string_view name) {
  v1::GetTenantRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->CallAgain(stubs_->tenants, &TenantStub::GetTenant, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_tenant());
}

absl::StatusOr<v1::ListTenantsResponse> Client::ListTenants(v1::ListTenantsRequest request,
                                                            int64_t limit) {
  return stubs_->Pages(
      stubs_->tenants, &TenantStub::ListTenants, std::move(request), limit,
      [](v1::ListTenantsResponse& response) { return response.mutable_tenants(); });
}

absl::StatusOr<v1::Tenant> Client::UpdateTenant(const v1::UpdateTenantRequest& request) {
  auto response = stubs_->Call(stubs_->tenants, &TenantStub::UpdateTenant, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_tenant());
}

absl::StatusOr<v1::DeleteTenantResponse> Client::DeleteTenant(
    const v1::DeleteTenantRequest& request) {
  return stubs_->Call(stubs_->tenants, &TenantStub::DeleteTenant, request);
}

absl::StatusOr<v1::CreateTokenResponse> Client::CreateToken(const v1::CreateTokenRequest& request) {
  return stubs_->Call(stubs_->tenants, &TenantStub::CreateToken, request);
}

absl::StatusOr<v1::Token> Client::GetToken(std::string_view name) {
  v1::GetTokenRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->CallAgain(stubs_->tenants, &TenantStub::GetToken, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_token());
}

absl::StatusOr<v1::ListTokensResponse> Client::ListTokens(v1::ListTokensRequest request,
                                                          int64_t limit) {
  return stubs_->Pages(stubs_->tenants, &TenantStub::ListTokens, std::move(request), limit,
                       [](v1::ListTokensResponse& response) { return response.mutable_tokens(); });
}

absl::StatusOr<v1::RotateTokenResponse> Client::RotateToken(const v1::RotateTokenRequest& request) {
  return stubs_->Call(stubs_->tenants, &TenantStub::RotateToken, request);
}

absl::StatusOr<v1::Token> Client::RevokeToken(std::string_view name, std::string_view reason) {
  v1::RevokeTokenRequest request;
  request.set_name(std::string(name));
  request.set_reason(std::string(reason));
  auto response = stubs_->Call(stubs_->tenants, &TenantStub::RevokeToken, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_token());
}

absl::StatusOr<v1::ListLimitsResponse> Client::ListLimits(v1::ListLimitsRequest request,
                                                          int64_t limit) {
  return stubs_->Pages(stubs_->tenants, &TenantStub::ListLimits, std::move(request), limit,
                       [](v1::ListLimitsResponse& response) { return response.mutable_keys(); });
}

absl::StatusOr<v1::Limit> Client::SetLimit(const v1::SetLimitRequest& request) {
  auto response = stubs_->Call(stubs_->tenants, &TenantStub::SetLimit, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_limit());
}

absl::Status Client::DeleteLimit(const v1::DeleteLimitRequest& request) {
  return stubs_->Call(stubs_->tenants, &TenantStub::DeleteLimit, request).status();
}

}  // namespace grove::client

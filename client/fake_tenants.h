// FakeTenants: TenantService of the test's own process.
//
// Has the tenant "default" of the config, and what is made. A deleted tenant is DRAINING for one
// look, and then gone. The key "customer-7" of each tenant has tasks. Secrets are "grv_secret-1"
// and so on.

#ifndef GROVE_CLIENT_FAKE_TENANTS_H_
#define GROVE_CLIENT_FAKE_TENANTS_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "grove/v1/tenant_service.grpc.pb.h"

namespace grove::client {

// What an empty parent stands for: the tenant of the token "of-TENANT", or tenants/default, which
// stands for the operators' here.
std::string CallersTenant(const grpc::ServerContext& context);

class FakeTenants final : public v1::TenantService::Service {
 public:
  FakeTenants();

  grpc::Status CreateTenant(grpc::ServerContext*, const v1::CreateTenantRequest* request,
                            v1::CreateTenantResponse* response) override;
  grpc::Status GetTenant(grpc::ServerContext*, const v1::GetTenantRequest* request,
                         v1::GetTenantResponse* response) override;
  grpc::Status ListTenants(grpc::ServerContext*, const v1::ListTenantsRequest*,
                           v1::ListTenantsResponse* response) override;
  grpc::Status UpdateTenant(grpc::ServerContext*, const v1::UpdateTenantRequest* request,
                            v1::UpdateTenantResponse* response) override;
  grpc::Status DeleteTenant(grpc::ServerContext*, const v1::DeleteTenantRequest* request,
                            v1::DeleteTenantResponse* response) override;
  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override;
  grpc::Status GetToken(grpc::ServerContext*, const v1::GetTokenRequest* request,
                        v1::GetTokenResponse* response) override;
  grpc::Status ListTokens(grpc::ServerContext*, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* response) override;
  grpc::Status RotateToken(grpc::ServerContext*, const v1::RotateTokenRequest* request,
                           v1::RotateTokenResponse* response) override;
  grpc::Status RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest* request,
                           v1::RevokeTokenResponse* response) override;
  grpc::Status ListLimits(grpc::ServerContext*, const v1::ListLimitsRequest* request,
                          v1::ListLimitsResponse* response) override;
  grpc::Status SetLimit(grpc::ServerContext*, const v1::SetLimitRequest* request,
                        v1::SetLimitResponse* response) override;
  grpc::Status DeleteLimit(grpc::ServerContext*, const v1::DeleteLimitRequest* request,
                           v1::DeleteLimitResponse*) override;

 private:
  std::string NextSecret();

  std::mutex mutex_;
  std::map<std::string, v1::Tenant> tenants_;
  std::map<std::string, v1::Token> tokens_;
  // By tenant and pattern.
  std::map<std::pair<std::string, std::string>, v1::Limit> limits_;
  int secrets_ = 0;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_TENANTS_H_

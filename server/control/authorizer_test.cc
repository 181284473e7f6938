#include "server/control/authorizer.h"

#include <sys/stat.h>

#include <fstream>
#include <string_view>

#include "google/protobuf/descriptor.h"
#include "grove/v1/backdoor_service.pb.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "grove/v1/worker_service.pb.h"
#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using config::v1::Token;

void AddToken(const std::string& name, Token::Role role, const std::string& secret,
              config::v1::Control& config) {
  const std::string path = testing::TempDir() + "/secret-" + name;
  std::ofstream(path) << secret << "\n";
  chmod(path.c_str(), 0600);
  Token* token = config.add_tokens();
  token->set_name(name);
  token->set_role(role);
  token->set_secret_file(path);
}

Authorizer WithTokens() {
  config::v1::Control config;
  AddToken("reader", Token::ROLE_READ, "reader-secret-0123456789", config);
  AddToken("writer", Token::ROLE_WRITE, "writer-secret-0123456789", config);
  AddToken("boss", Token::ROLE_ADMIN, "boss-secret-0123456789", config);
  return *Authorizer::Create(config);
}

absl::StatusOr<std::string_view> Try(const Authorizer& authorizer, std::string_view method,
                                     std::string_view authorization) {
  return authorizer.Authorize(FindMethod(method), authorization);
}

constexpr char kGet[] = "/grove.v1.TaskService/GetTask";
constexpr char kSpawn[] = "/grove.v1.TaskService/SpawnTask";
constexpr char kBackdoor[] = "/grove.v1.BackdoorService/OpenSession";

TEST(MethodTable, HasARowForEveryMethodOfThePublicApi) {
  for (const google::protobuf::FileDescriptor* file :
       {v1::TaskSpec::descriptor()->file(), v1::Queue::descriptor()->file(),
        v1::Pool::descriptor()->file(), v1::Worker::descriptor()->file(),
        v1::Fiber::descriptor()->file(), v1::OpenSessionRequest::descriptor()->file(),
        v1::Operation::descriptor()->file()}) {
    ASSERT_EQ(file->service_count(), 1);
    const google::protobuf::ServiceDescriptor* service = file->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string method = "/" + service->full_name() + "/" + service->method(i)->name();
      EXPECT_EQ(FindMethod(method).method, method);
      EXPECT_NE(FindMethod(method).role, Token::ROLE_UNSPECIFIED) << method;
    }
  }
}

TEST(MethodTable, UnknownMethodsNeedTheAdminRole) {
  EXPECT_EQ(FindMethod("/grove.v1.TaskService/Nothing").role, Token::ROLE_ADMIN);
  EXPECT_EQ(FindMethod("").role, Token::ROLE_ADMIN);
}

TEST(MethodTable, OnlyReadingMethodsGoUnaudited) {
  for (const MethodRow& row : MethodTable()) {
    if (row.role == Token::ROLE_UNSPECIFIED || row.role == Token::ROLE_ADMIN) continue;
    EXPECT_EQ(row.mutating, row.role == Token::ROLE_WRITE) << row.method;
  }
}

TEST(Authorizer, WithoutTokensEverybodyMayDoEverything) {
  const Authorizer open = *Authorizer::Create({});
  EXPECT_TRUE(Try(open, kBackdoor, "").ok());
  EXPECT_TRUE(Try(open, kSpawn, "Bearer whatever").ok());
}

TEST(Authorizer, RolesCoverTheLowerOnes) {
  const Authorizer authorizer = WithTokens();
  EXPECT_EQ(*Try(authorizer, kGet, "Bearer reader-secret-0123456789"), "reader");
  EXPECT_EQ(*Try(authorizer, kGet, "Bearer boss-secret-0123456789"), "boss");
  EXPECT_EQ(*Try(authorizer, kSpawn, "bearer writer-secret-0123456789"), "writer");
  EXPECT_EQ(*Try(authorizer, kBackdoor, "Bearer boss-secret-0123456789"), "boss");
}

TEST(Authorizer, LowerRolesAreDenied) {
  const Authorizer authorizer = WithTokens();
  const absl::Status status = Try(authorizer, kSpawn, "Bearer reader-secret-0123456789").status();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_EQ(tasks::RefusalReason(status), "ROLE_INSUFFICIENT");
  EXPECT_TRUE(absl::IsPermissionDenied(
      Try(authorizer, kBackdoor, "Bearer writer-secret-0123456789").status()));
}

TEST(Authorizer, MissingMalformedAndUnknownTokensAreToldApart) {
  const Authorizer authorizer = WithTokens();
  const auto reason = [&](std::string_view authorization) {
    const absl::Status status = Try(authorizer, kGet, authorization).status();
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << authorization;
    return tasks::RefusalReason(status);
  };
  EXPECT_EQ(reason(""), "TOKEN_MISSING");
  EXPECT_EQ(reason("Basic YTpi"), "TOKEN_MALFORMED");
  EXPECT_EQ(reason("Bearer "), "TOKEN_UNKNOWN");
  EXPECT_EQ(reason("Bearer reader-secret-012345678"), "TOKEN_UNKNOWN");
  EXPECT_EQ(reason("Bearer reader-secret-01234567890"), "TOKEN_UNKNOWN");
}

TEST(Authorizer, ProbesNeedNoToken) {
  EXPECT_TRUE(Try(WithTokens(), "/grpc.health.v1.Health/Check", "").ok());
  EXPECT_FALSE(
      Try(WithTokens(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "").ok());
}

TEST(Authorizer, SecretsMustDiffer) {
  config::v1::Control config;
  AddToken("a", Token::ROLE_READ, "one-secret-0123456789", config);
  AddToken("b", Token::ROLE_ADMIN, "one-secret-0123456789", config);
  EXPECT_EQ(Authorizer::Create(config).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grove::control

#include "server/control/authorizer.h"

#include <string_view>

#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using tenancy::Role;

constexpr WallMicros kNow = 1'000'000;

constexpr char kGet[] = "/grove.v1.TaskService/GetTask";
constexpr char kSpawn[] = "/grove.v1.TaskService/SpawnTask";
constexpr char kResize[] = "/grove.v1.PoolService/ResizePool";
constexpr char kReload[] = "/grove.v1.OperationService/Reload";
constexpr char kBackdoor[] = "/grove.v1.BackdoorService/OpenSession";

class AuthorizerTest : public testing::Test {
 protected:
  AuthorizerTest() {
    Add("reader", "", {Role::kViewer});
    Add("writer", "", {Role::kWriter});
    Add("keeper", "", {Role::kOperator});
    Add("boss", "", {Role::kAdmin});
    Add("looker", "", {Role::kDebug});
    Add("theirs", "acme", {Role::kAdmin});
    Add("brief", "", {Role::kViewer}, kNow + 1);
  }

  // Its secret is "NAME-secret".
  void Add(const std::string& name, const std::string& tenant, tenancy::RoleSet roles,
           WallMicros expires_us = 0) {
    ASSERT_TRUE(book_
                    .Add({.name = name,
                          .title = StrCat("token ", name),
                          .tenant = tenant,
                          .roles = roles,
                          .digest = tenancy::DigestOf(name + "-secret"),
                          .expires_us = expires_us})
                    .ok());
  }

  absl::StatusOr<tenancy::PrincipalPtr> Try(std::string_view method, std::string_view authorization,
                                            WallMicros now_us = kNow) {
    return authorizer_.Authorize(FindMethod(method), {.authorization = authorization}, now_us);
  }
  // "" where it may.
  std::string ReasonOf(std::string_view method, std::string_view token) {
    return tasks::RefusalReason(Try(method, StrCat("Bearer ", token, "-secret")).status());
  }

  tenancy::TokenBook book_;
  Authorizer authorizer_{book_, nullptr, true};
};

TEST_F(AuthorizerTest, WhileNoTokenIsNeededEverybodyMayDoEverything) {
  Authorizer open(book_, nullptr, false);
  EXPECT_EQ(*open.Authorize(FindMethod(kBackdoor), {}), tenancy::LocalPrincipal());
  EXPECT_TRUE(open.Authorize(FindMethod(kSpawn), {.authorization = "Bearer whatever"}).ok());
  open.RequireTokens();
  EXPECT_FALSE(open.Authorize(FindMethod(kSpawn), {}).ok());
}

TEST_F(AuthorizerTest, SaysWhoCalls) {
  const auto caller = *Try(kGet, "bearer theirs-secret");
  EXPECT_EQ(caller->name, "token theirs");
  EXPECT_EQ(caller->tenant, "acme");
  EXPECT_EQ(caller, book_.Named("theirs"));
}

TEST_F(AuthorizerTest, RolesCoverTheLowerOnes) {
  EXPECT_EQ(ReasonOf(kGet, "reader"), "");
  EXPECT_EQ(ReasonOf(kGet, "boss"), "");
  EXPECT_EQ(ReasonOf(kSpawn, "writer"), "");
  EXPECT_EQ(ReasonOf(kResize, "keeper"), "");
  EXPECT_EQ(ReasonOf(kReload, "keeper"), "");
  EXPECT_EQ(ReasonOf(kBackdoor, "boss"), "");
  EXPECT_EQ(ReasonOf(kBackdoor, "looker"), "");
  EXPECT_EQ(ReasonOf(kGet, "looker"), "");
}

TEST_F(AuthorizerTest, LowerRolesAreDenied) {
  const absl::Status status = Try(kSpawn, "Bearer reader-secret").status();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_EQ(status.message(), "needs the role writer; token reader has viewer");
  EXPECT_EQ(ReasonOf(kResize, "writer"), "ROLE_INSUFFICIENT");
  EXPECT_EQ(ReasonOf(kReload, "writer"), "ROLE_INSUFFICIENT");
  EXPECT_EQ(ReasonOf(kBackdoor, "keeper"), "ROLE_INSUFFICIENT");
  EXPECT_EQ(ReasonOf(kSpawn, "looker"), "ROLE_INSUFFICIENT");
}

TEST_F(AuthorizerTest, WhatIsForTheOperatorsIsClosedToTenantsWhateverTheirRole) {
  EXPECT_EQ(ReasonOf(kResize, "theirs"), "");
  for (const MethodRow& row : MethodTable()) {
    if (row.reach != Reach::kOperators) continue;
    const absl::Status status = Try(row.method, "Bearer theirs-secret").status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << row.method;
    EXPECT_EQ(tasks::RefusalReason(status), "OPERATORS_ONLY") << row.method;
  }
}

TEST_F(AuthorizerTest, MissingMalformedUnknownAndExpiredTokensAreToldApart) {
  const auto reason = [&](std::string_view authorization, WallMicros now_us = kNow) {
    const absl::Status status = Try(kGet, authorization, now_us).status();
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << authorization;
    return tasks::RefusalReason(status);
  };
  EXPECT_EQ(reason(""), "TOKEN_MISSING");
  EXPECT_EQ(reason("Basic YTpi"), "TOKEN_MALFORMED");
  EXPECT_EQ(reason("Bearer "), "TOKEN_UNKNOWN");
  EXPECT_EQ(reason("Bearer reader-secre"), "TOKEN_UNKNOWN");
  EXPECT_EQ(reason("Bearer reader-secrett"), "TOKEN_UNKNOWN");
  EXPECT_TRUE(Try(kGet, "Bearer brief-secret").ok());
  EXPECT_EQ(reason("Bearer brief-secret", kNow + 1), "TOKEN_EXPIRED");
  book_.EndExpired(kNow + 1);
  EXPECT_EQ(reason("Bearer brief-secret", kNow + 1), "TOKEN_EXPIRED");
}

// What certificates say is certificate_book_test's.
TEST_F(AuthorizerTest, ATokenBeatsTheCertificate) {
  config::v1::ControlTls tls;
  auto& role = *tls.add_roles();
  role.set_certificate("CN:ci");
  role.set_role(config::v1::Token::ROLE_WRITER);
  const auto certificates = *tenancy::CertificateBook::Create("roles", tls.roles());
  const Authorizer authorizer(book_, certificates.get(), false);
  EXPECT_TRUE(authorizer.requires_tokens());
  const auto reason = [&](const Shown& shown) {
    return tasks::RefusalReason(authorizer.Authorize(FindMethod(kGet), shown, kNow).status());
  };
  EXPECT_EQ(reason({}), "TOKEN_MISSING");
  EXPECT_EQ(reason({.certificate = "of nobody"}), "CERTIFICATE_UNKNOWN");
  EXPECT_EQ(reason({.authorization = "Bearer reader-secret", .certificate = "of nobody"}), "");
  EXPECT_EQ(reason({.authorization = "Bearer wrong", .certificate = "of nobody"}), "TOKEN_UNKNOWN");
  // Where certificates have no roles, what a client shows is nothing.
  EXPECT_EQ(tasks::RefusalReason(
                authorizer_.Authorize(FindMethod(kGet), {.certificate = "x"}, kNow).status()),
            "TOKEN_MISSING");
}

TEST_F(AuthorizerTest, ProbesNeedNoTokenAndNothingExistsForThem) {
  const auto probe = *Try("/grpc.health.v1.Health/Check", "");
  EXPECT_FALSE(probe->is_operator());
  EXPECT_FALSE(probe->Sees("default"));
  EXPECT_FALSE(Try("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "").ok());
}

}  // namespace
}  // namespace grove::control

#include "server/tenancy/certificate_book.h"

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/tls/fixture.h"

namespace grove::tenancy {
namespace {

using config::v1::Token;
using Trouble = CertificateBook::Trouble;

class CertificateBookTest : public testing::Test {
 protected:
  void Rule(const std::string& certificate, Token::Role role, const std::string& tenant = "") {
    auto& added = *tls_.add_roles();
    added.set_certificate(certificate);
    added.set_role(role);
    added.set_tenant(tenant);
  }
  absl::Status Problem() { return CertificateBook::Create("roles", tls_.roles()).status(); }

  std::string Certificate(const TestCertificateOptions& options) {
    std::ifstream file(authority_.Issue("client", options).chain);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  CertificateBook::Found Find(const std::string& pem, WallMicros now_us = WallNow()) {
    if (book_ == nullptr) book_ = *CertificateBook::Create("roles", tls_.roles());
    return book_->Find(pem, now_us);
  }

  TestAuthority authority_{"book"};
  config::v1::ControlTls tls_;
  std::unique_ptr<CertificateBook> book_;
};

TEST_F(CertificateBookTest, TheFirstRuleThatFitsSaysWhoItIs) {
  Rule("CN:root", Token::ROLE_ADMIN);
  Rule("CN:ci", Token::ROLE_WRITER, "acme");
  Rule("CN:*", Token::ROLE_VIEWER, "default");
  const auto found = Find(Certificate({.common_name = "ci"}));
  ASSERT_NE(found.principal, nullptr);
  EXPECT_EQ(found.principal->name, "certificate CN=ci");
  EXPECT_EQ(found.principal->tenant, "acme");
  EXPECT_EQ(found.principal->roles, RoleSet{Role::kWriter});
  EXPECT_EQ(found.principal->token, "");
  EXPECT_TRUE(Find(Certificate({.common_name = "root"})).principal->is_operator());
  EXPECT_EQ(Find(Certificate({.common_name = "who"})).principal->tenant, "default");
}

TEST_F(CertificateBookTest, AStarNamesTheTenant) {
  Rule("URI:spiffe://example.org/tenant/*", Token::ROLE_WRITER);
  const auto found = Find(Certificate({.names = "URI:spiffe://example.org/tenant/acme"}));
  ASSERT_NE(found.principal, nullptr);
  EXPECT_EQ(found.principal->tenant, "acme");
}

TEST_F(CertificateBookTest, WhatNoTenantIsCalledIsNobody) {
  Rule("URI:spiffe://example.org/tenant/*", Token::ROLE_WRITER);
  Rule("URI:*", Token::ROLE_ADMIN, "default");
  for (const char* name : {"-", "acme/queues/a", "Acme", ".."}) {
    const auto found =
        Find(Certificate({.names = StrCat("URI:spiffe://example.org/tenant/", name)}));
    EXPECT_EQ(found.principal, nullptr) << name;
    EXPECT_EQ(found.trouble, Trouble::kUnknown) << name;
  }
}

TEST_F(CertificateBookTest, WhatNoRuleFitsIsNobody) {
  Rule("CN:ci", Token::ROLE_WRITER);
  EXPECT_EQ(Find(Certificate({.common_name = "cd"})).trouble, Trouble::kUnknown);
  EXPECT_EQ(Find("no certificate").trouble, Trouble::kUnknown);
  EXPECT_EQ(Find("").trouble, Trouble::kUnknown);
}

TEST_F(CertificateBookTest, ItHoldsUntilItExpires) {
  Rule("CN:ci", Token::ROLE_WRITER);
  const std::string pem = Certificate({.common_name = "ci", .valid_until = absl::Hours(1)});
  EXPECT_EQ(Find(pem).trouble, Trouble::kNone);
  EXPECT_EQ(Find(pem, WallNow() + absl::ToInt64Microseconds(absl::Hours(2))).trouble,
            Trouble::kExpired);
}

TEST_F(CertificateBookTest, IsOnePrincipalForAllItsCalls) {
  Rule("CN:*", Token::ROLE_WRITER, "default");
  const std::string pem = Certificate({.common_name = "ci"});
  const PrincipalPtr first = Find(pem).principal;
  EXPECT_EQ(Find(pem).principal, first);
  // More than are remembered: read anew, and right.
  for (size_t i = 0; i < kCertificatesRememberedMax; ++i) Find(StrCat("none ", i));
  EXPECT_EQ(Find(pem).principal->name, first->name);
}

TEST_F(CertificateBookTest, SaysWhichRuleIsWrong) {
  Rule("acme", Token::ROLE_WRITER);
  EXPECT_TRUE(absl::StrContains(Problem().message(), "roles: 'acme': 'acme': want a name after"))
      << Problem();
  tls_.clear_roles();
  Rule("CN:ci", Token::ROLE_UNSPECIFIED);
  EXPECT_TRUE(absl::StrContains(Problem().message(), "'CN:ci': has no role")) << Problem();
}

}  // namespace
}  // namespace grove::tenancy

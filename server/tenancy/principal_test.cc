#include "server/tenancy/principal.h"

#include "gtest/gtest.h"

namespace grove::tenancy {
namespace {

TEST(Roles, HigherOnesIncludeLowerOnes) {
  EXPECT_TRUE(RoleSet({Role::kWriter}).Covers(Role::kViewer));
  EXPECT_TRUE(RoleSet({Role::kWriter}).Covers(Role::kWriter));
  EXPECT_FALSE(RoleSet({Role::kWriter}).Covers(Role::kOperator));
  EXPECT_FALSE(RoleSet({Role::kOperator}).Covers(Role::kAdmin));
  EXPECT_TRUE(RoleSet({Role::kAdmin}).Covers(Role::kDebug));
  EXPECT_TRUE(RoleSet().Covers(Role::kNone));
  EXPECT_FALSE(RoleSet().Covers(Role::kViewer));
}

TEST(Roles, DebugSeesAndChangesNothing) {
  EXPECT_TRUE(RoleSet({Role::kDebug}).Covers(Role::kViewer));
  EXPECT_TRUE(RoleSet({Role::kDebug}).Covers(Role::kDebug));
  EXPECT_FALSE(RoleSet({Role::kDebug}).Covers(Role::kWriter));
  EXPECT_FALSE(RoleSet({Role::kOperator}).Covers(Role::kDebug));
  EXPECT_TRUE(RoleSet({Role::kDebug, Role::kWriter}).Covers(Role::kWriter));
}

TEST(Roles, AreTold) {
  EXPECT_EQ(RoleSet({Role::kDebug, Role::kViewer}).ToString(), "viewer, debug");
}

TEST(PrincipalTest, ATenantSeesItselfAloneAndOperatorsSeeAll) {
  Principal acme;
  acme.tenant = "acme";
  EXPECT_TRUE(acme.Sees("acme"));
  EXPECT_FALSE(acme.Sees("acm"));
  EXPECT_FALSE(acme.Sees(""));
  EXPECT_TRUE(LocalPrincipal()->Sees("acme"));
  EXPECT_TRUE(LocalPrincipal()->roles.Covers(Role::kDebug));
}

}  // namespace
}  // namespace grove::tenancy

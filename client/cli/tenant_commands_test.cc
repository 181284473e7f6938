#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "client/cli/app_fixture.h"
#include "client/cli/complete.h"
#include "client/cli/render.h"

namespace grove::client::cli {
namespace {

using absl::StrContains;
using Json = nlohmann::json;

class Tenants : public AppTest {
 protected:
  Json RunJson(std::vector<std::string> line) {
    line.insert(line.end(), {"-o", "json"});
    EXPECT_EQ(Run(line), 0) << err_;
    return Json::parse(out_);
  }
};
using Tokens = Tenants;

TEST_F(Tenants, AreMadeShownAndListed) {
  EXPECT_EQ(Run({"tenants", "create", "acme", "--weight", "2.5", "--label", "tier=gold"}), 0)
      << err_;
  EXPECT_TRUE(StrContains(out_, "tenants/acme")) << out_;
  const Json shown = RunJson({"tenants", "get", "acme"});
  EXPECT_EQ(shown["weight"], 2.5);
  EXPECT_EQ(shown["labels"]["tier"], "gold");
  EXPECT_EQ(shown["state"], "ACTIVE");
  EXPECT_EQ(Run({"tenants", "-o", "name"}), 0);
  EXPECT_EQ(out_, "tenants/acme\ntenants/default\n");
  EXPECT_EQ(Run({"tenants", "list"}), 0);
  EXPECT_TRUE(StrContains(out_, "TENANT ")) << out_;
  EXPECT_EQ(Run({"tenants", "create", "acme"}), 1);
  EXPECT_TRUE(StrContains(err_, "tenants/acme exists")) << err_;
}

TEST_F(Tenants, ADryRunChangesNothing) {
  EXPECT_EQ(Run({"tenants", "create", "acme", "--dry_run"}), 0);
  EXPECT_EQ(Run({"tenants", "get", "acme"}), 1);
  EXPECT_TRUE(StrContains(err_, "there is no tenants/acme")) << err_;
}

// The fake's token "of-acme" is the tenant's.
TEST_F(Tenants, ATokensOwnTenantNeedNotBeNamed) {
  ASSERT_EQ(Run({"tenants", "create", "acme"}), 0);
  variables_["GROVE_TOKEN"] = "of-acme";
  EXPECT_EQ(Run({"spawn", "stuck"}), 0) << err_;
  EXPECT_EQ(out_, "tenants/acme/queues/default/tasks/T1\n");
  EXPECT_EQ(Run({"get", "T1", "-o", "name"}), 0) << err_;
  EXPECT_EQ(out_, "tenants/acme/queues/default/tasks/T1\n");
  EXPECT_EQ(Run({"limits", "set", "a*", "--running_max=1"}), 0) << err_;
  EXPECT_EQ(Run({"limits", "delete", "a*"}), 0) << err_;
  EXPECT_EQ(out_, "limit a* of tenants/acme is gone\n");
  EXPECT_EQ(Run({"schedules", "create", "nightly", "echo", "--cron", "0 3 * * *"}), 0) << err_;
  EXPECT_EQ(Run({"schedules", "get", "nightly", "-o", "name"}), 0) << err_;
  EXPECT_EQ(out_, "tenants/acme/schedules/nightly\n");
  EXPECT_EQ(Run({"tokens", "create", "ci", "--role", "viewer"}), 0) << err_;
  EXPECT_EQ(Run({"tokens", "get", "ci", "-o", "name"}), 0) << err_;
  EXPECT_EQ(out_, "tenants/acme/tokens/ci\n");
  EXPECT_EQ(Run({"spawn", "stuck", "--tenant", "default"}), 0) << err_;
  EXPECT_EQ(out_, "tenants/default/queues/default/tasks/T2\n") << "what is typed is sent";
  variables_["GROVE_TOKEN"] = "an-operators";
  EXPECT_EQ(Run({"spawn", "stuck"}), 0) << err_;
  EXPECT_EQ(out_, "tenants/default/queues/default/tasks/T3\n");
  EXPECT_EQ(Run({"tokens", "create", "root", "--role", "admin"}), 0) << err_;
  EXPECT_EQ(Run({"tokens", "get", "root", "-o", "name"}), 0) << err_;
  EXPECT_EQ(out_, "operators/tokens/root\n");
}

TEST_F(Tenants, QuotasOfHttpAreSetAndShown) {
  ASSERT_EQ(Run({"tenants", "create", "acme"}), 0);
  EXPECT_EQ(RunJson({"tenants", "update", "acme", "--http_requests_max=20",
                     "--http_requests_per_minute=600", "--http_burst=50",
                     "--fetches_max=3"})["quotas"]["http_burst"],
            "50");
  EXPECT_EQ(Run({"tenants", "get", "acme"}), 0);
  for (const char* text : {"0 of 20\n", "0 of 3\n", "600/min, 50 at once, 0 used\n"}) {
    EXPECT_TRUE(StrContains(out_, text)) << out_;
  }
}

TEST_F(Tenants, WhatHttpUsesIsShownBesideItsQuotas) {
  v1::Tenant tenant;
  tenant.set_name("tenants/acme");
  tenant.set_http_requests_running(3);
  tenant.set_http_requests_refused(7);
  tenant.set_http_rate_refused(2);
  const View view{absl::Now(), Look()};
  // Also where the bounds were taken away.
  EXPECT_TRUE(StrContains(RenderTenant(tenant, view), " 3, 7 refused\n"));
  EXPECT_TRUE(StrContains(RenderTenant(tenant, view), " 2 refused\n"));
  EXPECT_FALSE(StrContains(RenderTenant(tenant, view), "fetches"));
  tenant.mutable_quotas()->set_http_requests_max(20);
  tenant.mutable_quotas()->set_http_requests_per_second(10);
  tenant.set_http_burst_used(4);
  EXPECT_TRUE(StrContains(RenderTenant(tenant, view), " 3 of 20, 7 refused\n"));
  EXPECT_TRUE(StrContains(RenderTenant(tenant, view), " 10/s, 4 used, 2 refused\n"));
}

TEST_F(Tenants, AnUpdateChangesWhatIsGivenAlone) {
  ASSERT_EQ(Run({"tenants", "create", "acme", "--label", "a=1", "--display_name", "Acme"}), 0);
  EXPECT_EQ(RunJson({"tenants", "update", "acme", "--weight=3"})["labels"]["a"], "1");
  const Json changed = RunJson({"tenants", "update", "acme", "--no_labels"});
  EXPECT_TRUE(changed["labels"].empty());
  EXPECT_EQ(changed["weight"], 3.0);
  EXPECT_EQ(changed["display_name"], "Acme");
  EXPECT_EQ(Run({"tenants", "update", "acme"}), 2);
  EXPECT_EQ(Run({"tenants", "update", "acme", "--no_labels", "--label", "a=1"}), 2);
  EXPECT_EQ(Run({"tenants", "update", "acme", "--weight", "heavy"}), 2);
  EXPECT_EQ(Run({"tenants", "update", "acme", "--weight", "2", "--etag", "9"}), 1);
  EXPECT_EQ(Run({"tenants", "update", "default", "--weight", "2"}), 1);
}

TEST_F(Tenants, DeletionSaysWhatIsLeftOrWaits) {
  ASSERT_EQ(Run({"tenants", "create", "acme"}), 0);
  EXPECT_EQ(Run({"tenants", "delete", "acme", "--dry_run"}), 0);
  EXPECT_EQ(out_, "tenants/acme would be deleted: 3 tasks left\n");
  EXPECT_EQ(Run({"tenants", "delete", "acme"}), 0);
  EXPECT_EQ(out_, "tenants/acme is being deleted: 3 tasks left\n");
  ASSERT_EQ(Run({"tenants", "create", "beta"}), 0);
  EXPECT_EQ(Run({"tenants", "delete", "beta", "--wait"}), 0);
  EXPECT_EQ(out_, "tenants/beta is gone\n");
}

TEST_F(Tenants, DeletionAsksAPerson) {
  ASSERT_EQ(Run({"tenants", "create", "acme"}), 0);
  person_is_there_ = true;
  EXPECT_EQ(Run({"tenants", "delete", "acme"}, "n\n"), 1);
  EXPECT_TRUE(StrContains(err_, "Delete tenants/acme at ")) << err_;
  EXPECT_TRUE(StrContains(err_, "not deleted")) << err_;
  EXPECT_EQ(Run({"tenants", "delete", "acme"}, "y\n"), 0);
}

TEST_F(Tokens, ASecretStandsAloneOnStandardOutput) {
  EXPECT_EQ(Run({"tokens", "create", "root", "--role", "admin"}), 0);
  EXPECT_EQ(out_, "grv_secret-1\n");
  EXPECT_EQ(err_,
            "operators/tokens/root (admin): this is its secret, which is shown now and never "
            "again\n");
  EXPECT_EQ(Run({"tokens", "create", "--role=viewer", "-o", "name"}), 0);
  EXPECT_EQ(out_, "grv_secret-2\n") << "there is no other way to see it";
  const Json made =
      RunJson({"tokens", "create", "ci", "--tenant", "default", "--role", "writer,debug"});
  EXPECT_EQ(made["secret"], "grv_secret-3");
  EXPECT_EQ(made["token"]["name"], "tenants/default/tokens/ci");
  EXPECT_EQ(made["token"]["roles"], Json({"WRITER", "DEBUG"}));
  EXPECT_EQ(err_, "");
}

TEST_F(Tokens, AreShownAndListedWithoutTheirSecrets) {
  ASSERT_EQ(Run({"tokens", "create", "root", "--role", "admin"}), 0);
  ASSERT_EQ(Run({"tokens", "create", "ci", "--tenant", "default", "--role", "viewer"}), 0);
  EXPECT_EQ(Run({"tokens", "-o", "name"}), 0);
  EXPECT_EQ(out_, "operators/tokens/root\n");
  EXPECT_EQ(Run({"tokens", "list", "--tenant", "default", "-o", "name"}), 0);
  EXPECT_EQ(out_, "tenants/default/tokens/ci\n");
  EXPECT_EQ(Run({"tokens", "get", "default/ci"}), 0);
  EXPECT_TRUE(StrContains(out_, "viewer")) << out_;
  EXPECT_FALSE(StrContains(out_, "secret")) << out_;
}

TEST_F(Tokens, RotationPrintsTheNewSecret) {
  ASSERT_EQ(Run({"tokens", "create", "root", "--role", "admin"}), 0);
  EXPECT_EQ(Run({"tokens", "rotate", "root", "--overlap", "1d"}), 0);
  EXPECT_EQ(out_, "grv_secret-2\n");
  EXPECT_TRUE(StrContains(err_, "operators/tokens/root.2 (admin)")) << err_;
  const Json old = RunJson({"tokens", "get", "root"});
  EXPECT_EQ(old["rotated_to"], "operators/tokens/root.2");
  EXPECT_EQ(old["expire_time"], "2023-11-15T22:13:20Z") << "a day of overlap";
}

TEST_F(Tokens, RevokedOnesAreListedIfAskedFor) {
  ASSERT_EQ(Run({"tokens", "create", "root", "--role", "admin"}), 0);
  EXPECT_EQ(Run({"tokens", "revoke", "root", "--reason", "leaked"}), 0);
  EXPECT_TRUE(StrContains(out_, "REVOKED")) << out_;
  EXPECT_EQ(Run({"tokens", "-o", "name"}), 0);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run({"tokens", "--all", "-o", "name"}), 0);
  EXPECT_EQ(out_, "operators/tokens/root\n");
}

TEST_F(Tokens, RefuseWhatMakesNoSense) {
  EXPECT_EQ(Run({"tokens", "create", "x"}), 2);
  EXPECT_TRUE(StrContains(err_, "--role is needed")) << err_;
  EXPECT_EQ(Run({"tokens", "create", "x", "--role", "emperor"}), 2);
  for (const char* when : {"soon", "-1h", "0", "2027-31-31T00:00:00Z"}) {
    EXPECT_EQ(Run({"tokens", "create", "x", "--role", "admin", "--expires", when}), 2) << when;
  }
  EXPECT_EQ(Run({"tokens", "create", "x", "--role", "admin", "--expires=2030-01-31T00:00:00Z"}), 0);
  EXPECT_EQ(Run({"tokens", "create", "y", "--role", "admin", "--expires=90d"}), 0);
  EXPECT_EQ(Run({"tokens", "get", "a/b/c"}), 2);
}

TEST_F(Tokens, AreCompleted) {
  ASSERT_EQ(Run({"tokens", "create", "root", "--role", "admin"}), 0);
  EXPECT_EQ(Run({"__complete", "tokens", "revoke", ""}), 0);
  EXPECT_EQ(out_, "root\tadmin\n");
  EXPECT_EQ(Run({"__complete", "tenants", "get", "d"}), 0);
  EXPECT_EQ(out_, "default\t\n");
  EXPECT_EQ(Run({"__complete", "--", "tokens", "create", "--role", "viewer,w"}), 0);
  EXPECT_EQ(out_, "viewer,writer\t\n");
}

}  // namespace
}  // namespace grove::client::cli

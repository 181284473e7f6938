#include "server/control/limit_calls.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/tenancy_fixture.h"

namespace grove::control {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class LimitCallsTest : public TenancyTest {
 protected:
  LimitCallsTest() { Begin(); }

  static v1::SetLimitRequest Asking(const std::string& parent, const std::string& pattern,
                                    int64_t running_max = 1) {
    v1::SetLimitRequest request;
    request.set_parent(parent);
    request.mutable_limit()->set_pattern(pattern);
    request.mutable_limit()->set_running_max(running_max);
    return request;
  }
  absl::StatusOr<v1::SetLimitResponse> Set(const std::string& pattern, int64_t running_max = 1,
                                           const std::string& parent = "tenants/default") {
    return limits_->Set(Operator(), Asking(parent, pattern, running_max));
  }
  absl::StatusOr<v1::DeleteLimitResponse> Delete(const std::string& pattern,
                                                 const std::string& parent = "tenants/default") {
    v1::DeleteLimitRequest request;
    request.set_parent(parent);
    request.set_pattern(pattern);
    return limits_->Delete(Operator(), request);
  }
  v1::ListLimitsResponse List(const std::string& parent = "tenants/default") {
    v1::ListLimitsRequest request;
    request.set_parent(parent);
    auto response = limits_->List(Operator(), request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::ListLimitsResponse();
  }
  std::vector<std::string> Patterns(const std::string& parent = "tenants/default") {
    std::vector<std::string> patterns;
    const v1::ListLimitsResponse listed = List(parent);
    for (const v1::Limit& limit : listed.limits()) patterns.push_back(limit.pattern());
    return patterns;
  }
  void SpawnWith(const std::string& key, const std::string& parent = "tenants/default") {
    v1::TaskSpec spec = Spec();
    spec.add_limit_keys(key);
    const auto spawned = driver_.Spawn(parent, v1::TaskSpec(spec));
    EXPECT_TRUE(spawned.ok()) << spawned.status();
  }
  absl::StatusOr<v1::UpdateTenantResponse> Update(const v1::Tenant& tenant,
                                                  const std::vector<std::string>& mask) {
    v1::UpdateTenantRequest request;
    *request.mutable_tenant() = tenant;
    for (const std::string& path : mask) request.mutable_update_mask()->add_paths(path);
    return tenants_->Update(Operator(), request);
  }
};

TEST_F(LimitCallsTest, OneIsWrittenAndHoldsAtOnce) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const auto set = Set("a");
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_EQ(set->limit().pattern(), "a");
    EXPECT_TRUE(set->limit().has_update_time());
    EXPECT_NE(registry_store_.kept.FindLimit({"default", "a"}), nullptr);
    for (int i = 0; i < 3; ++i) SpawnWith("a");
    Pass(absl::Milliseconds(1));
    EXPECT_THAT(sent_[0].start(), SizeIs(1));
    const v1::ListLimitsResponse listed = List();
    ASSERT_THAT(listed.keys(), SizeIs(1));
    EXPECT_EQ(listed.keys(0).running(), 1);
    EXPECT_EQ(listed.keys(0).queued(), 2);
    EXPECT_EQ(listed.keys(0).running_max(), 1);
    ASSERT_TRUE(Set("a", 2).ok());
    Pass(absl::Milliseconds(1));
    EXPECT_THAT(sent_[0].start(), SizeIs(2)) << "also for those that wait";
    ASSERT_TRUE(Delete("a").ok());
    Pass(absl::Milliseconds(1));
    EXPECT_THAT(sent_[0].start(), SizeIs(3));
    EXPECT_TRUE(registry_store_.kept.limits().empty());
  });
}

TEST_F(LimitCallsTest, WhatCannotBeWrittenHasNotHappened) {
  Drive([&] {
    ASSERT_TRUE(Set("a").ok());
    registry_store_.fails = absl::ResourceExhaustedError("no room");
    EXPECT_EQ(ReasonOf(Set("a", 9)), "REGISTRY_FULL");
    EXPECT_EQ(ReasonOf(Set("b")), "REGISTRY_FULL");
    EXPECT_EQ(ReasonOf(Delete("a")), "REGISTRY_FULL");
    EXPECT_THAT(Patterns(), ElementsAre("a"));
    const v1::ListLimitsResponse listed = List();
    EXPECT_EQ(listed.limits(0).running_max(), 1);
  });
}

TEST_F(LimitCallsTest, RefusesWhatIsWrong) {
  Drive([&] {
    EXPECT_EQ(ReasonOf(Set("")), "LIMIT_PATTERN_INVALID");
    EXPECT_EQ(ReasonOf(Set("a/b/c")), "LIMIT_PATTERN_INVALID");
    EXPECT_EQ(ReasonOf(Set("a", -1)), "LIMIT_INVALID");
    EXPECT_EQ(ReasonOf(Set("a", 1, "default")), "NAME_INVALID");
    EXPECT_EQ(ReasonOf(Set("a", 1, "tenants/nobody")), "TENANT_NOT_FOUND");
    EXPECT_EQ(ReasonOf(Delete("a")), "LIMIT_NOT_FOUND");
    v1::SetLimitRequest both = Asking("", "a");
    both.mutable_limit()->set_spawns_per_second(1);
    both.mutable_limit()->set_spawns_per_minute(1);
    EXPECT_EQ(ReasonOf(limits_->Set(Operator(), both)), "LIMIT_INVALID");
    EXPECT_EQ(registry_store_.writes, 0);
  });
}

TEST_F(LimitCallsTest, ThoseOfTheConfigAreItsToChange) {
  Drive([&] {
    tenancy::Limit configured{{.running_max = 7}, "b", /*from_config=*/true};
    directory_.SetLimit(0, configured);
    EXPECT_EQ(ReasonOf(Set("b")), "LIMIT_FROM_CONFIG");
    EXPECT_EQ(ReasonOf(Delete("b")), "LIMIT_FROM_CONFIG");
    ASSERT_TRUE(Set("a").ok());
    EXPECT_THAT(Patterns(), ElementsAre("a", "b"));
    const v1::ListLimitsResponse listed = List();
    EXPECT_TRUE(listed.limits(1).from_config());
    EXPECT_EQ(listed.limits(1).running_max(), 7);
    EXPECT_FALSE(listed.limits(1).has_update_time());
  });
}

TEST_F(LimitCallsTest, ATenantHasItsOwn) {
  Drive([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(CreateTenant("beta").ok());
    EXPECT_TRUE(limits_->Set(Of("acme"), Asking("tenants/acme", "a")).ok());
    const auto others = limits_->Set(Of("acme"), Asking("tenants/beta", "a"));
    EXPECT_EQ(ReasonOf(others), "TENANT_NOT_FOUND");
    EXPECT_EQ(others.status().message(), "there is no tenants/beta");
    EXPECT_THAT(Patterns("tenants/acme"), ElementsAre("a"));
    EXPECT_THAT(Patterns("tenants/beta"), ElementsAre());
  });
}

TEST_F(LimitCallsTest, KeysComeInPages) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    ASSERT_TRUE(Set("*").ok());
    for (const char* key : {"c", "a", "b", "other"}) SpawnWith(key);
    v1::ListLimitsRequest request;
    request.set_page_size(1);
    std::vector<std::string> keys;
    int limits = 0;
    do {
      const auto page = limits_->List(Operator(), request);
      ASSERT_TRUE(page.ok()) << page.status();
      limits += page->limits_size();
      for (const v1::LimitUsage& key : page->keys()) keys.push_back(key.key());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    EXPECT_THAT(keys, ElementsAre("a", "b", "c", "other"));
    EXPECT_EQ(limits, 1) << "on the first page alone";
    request.set_page_token(limits_->List(Operator(), request)->next_page_token());
    request.set_key_prefix("o");
    EXPECT_EQ(ReasonOf(limits_->List(Operator(), request)), "PAGE_TOKEN_INVALID");
    request.clear_page_token();
    const auto others = limits_->List(Operator(), request);
    EXPECT_THAT(others->keys(), SizeIs(1));
    request.set_page_size(-1);
    EXPECT_EQ(ReasonOf(limits_->List(Operator(), request)), "PAGE_SIZE_NEGATIVE");
  });
}

TEST_F(LimitCallsTest, ThereAreNoMoreThanAThousand) {
  Drive([&] {
    for (size_t i = 0; i < tenancy::kLimitsMax; ++i) ASSERT_TRUE(Set(StrCat("k", i)).ok());
    EXPECT_EQ(ReasonOf(Set("more")), "TOO_MANY_LIMITS");
    EXPECT_TRUE(Set("k0", 2).ok()) << "one that is there";
  });
}

TEST_F(LimitCallsTest, WhatIsKeptIsThereAgain) {
  Drive([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(CreateTenant("gone").ok());
    ASSERT_TRUE(Set("a/*", 3, "tenants/acme").ok());
    ASSERT_TRUE(Set("x", 3, "tenants/gone").ok());
    ASSERT_TRUE(Set("both", 3).ok());
    ASSERT_TRUE(Set("mine", 4).ok());
    v1::Tenant tenant;
    tenant.set_name("tenants/acme");
    tenant.mutable_quotas()->set_running_max(5);
    tenant.mutable_quotas()->set_spawns_per_minute(30);
    ASSERT_TRUE(Update(tenant, {"quotas"}).ok());
  });
  tenancy::Registry kept = registry_store_.kept;
  kept.Apply({.drop_tenants = {"gone"}});
  EXPECT_EQ(kept.FindLimit({"gone", "x"}), nullptr);
  kept.Apply({.put_limits = {{{"default", "broken"}, {.settings = "\xff"}}}});
  config::v1::Config config;
  config::v1::Tenant& configured = *config.add_tenants();
  configured.set_name("default");
  configured.add_limits()->set_pattern("both");
  configured.mutable_limits(0)->set_running_max(9);
  auto directory = *tenancy::Directory::Create(config);
  AdoptTenants(kept, directory);
  const size_t acme = *directory.FindTenant("acme");
  EXPECT_EQ(directory.LimitsOf(acme).Find("a/b")->running_max, 3);
  EXPECT_EQ(directory.QuotasOf(acme).running_max, 5);
  EXPECT_EQ(directory.QuotasOf(acme).spawns.interval_ns, 2'000'000'000);
  const tenancy::Limits& limits = directory.LimitsOf(*directory.FindTenant("default"));
  EXPECT_EQ(limits.Named("both")->running_max, 9) << "as the config says";
  EXPECT_EQ(limits.Named("mine")->running_max, 4);
  EXPECT_EQ(limits.Named("broken"), nullptr);
}

TEST_F(LimitCallsTest, QuotasChangeByTheirMask) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    v1::Tenant tenant = CreateTenant("acme")->tenant();
    EXPECT_FALSE(tenant.has_quotas());
    tenant.clear_etag();
    tenant.mutable_quotas()->set_running_max(1);
    tenant.mutable_quotas()->set_queued_max(2);
    const auto first = Update(tenant, {"quotas.running_max"});
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(first->tenant().quotas().running_max(), 1);
    EXPECT_EQ(first->tenant().quotas().queued_max(), 0);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(driver_.Spawn("tenants/acme", Spec()).ok());
    Pass(absl::Milliseconds(1));
    EXPECT_THAT(sent_[0].start(), SizeIs(1));
    tenant.mutable_quotas()->set_running_max(2);
    ASSERT_TRUE(Update(tenant, {"quotas"}).ok());
    Pass(absl::Milliseconds(1));
    EXPECT_THAT(sent_[0].start(), SizeIs(2)) << "it holds at once";
    const v1::Tenant shown = *GetTenant(Operator(), "tenants/acme");
    EXPECT_EQ(shown.running_slots(), 2);
    EXPECT_EQ(shown.queued_bytes(), 2);
    EXPECT_TRUE(driver_.Spawn("tenants/acme", Spec()).ok());
    EXPECT_EQ(ReasonOf(driver_.Spawn("tenants/acme", Spec())), "QUOTA_QUEUED");
    ASSERT_TRUE(Update(tenant, {"weight"}).ok()) << "and leaves the quotas";
    EXPECT_EQ(GetTenant(Operator(), "tenants/acme")->quotas().queued_max(), 2);
    tenant.clear_quotas();
    ASSERT_TRUE(Update(tenant, {"quotas"}).ok());
    EXPECT_FALSE(GetTenant(Operator(), "tenants/acme")->has_quotas());
    tenant.mutable_quotas()->set_queued_bytes_max(-1);
    EXPECT_EQ(ReasonOf(Update(tenant, {"quotas"})), "QUOTA_INVALID");
    EXPECT_EQ(ReasonOf(Update(tenant, {"quotas.more"})), "FIELD_MASK_INVALID");
    EXPECT_EQ(ReasonOf(Update(tenant, {"quotas."})), "FIELD_MASK_INVALID");
    v1::CreateTenantRequest request;
    request.set_tenant_id("beta");
    request.mutable_tenant()->mutable_quotas()->set_queued_max(7);
    EXPECT_EQ(tenants_->Create(Operator(), request)->tenant().quotas().queued_max(), 7);
  });
}

}  // namespace
}  // namespace grove::control

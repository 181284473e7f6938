#include "server/control/tenant_calls.h"

#include <malloc.h>

#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/tenancy_fixture.h"

namespace grove::control {
namespace {

using ::testing::ElementsAre;

class TenantCallsTest : public TenancyTest {
 protected:
  TenantCallsTest() { Begin(); }

  absl::StatusOr<v1::UpdateTenantResponse> Update(v1::Tenant tenant,
                                                  const std::vector<std::string>& mask) {
    v1::UpdateTenantRequest request;
    *request.mutable_tenant() = std::move(tenant);
    for (const std::string& path : mask) request.mutable_update_mask()->add_paths(path);
    return tenants_->Update(Operator(), request);
  }
  absl::StatusOr<v1::DeleteTenantResponse> Delete(const std::string& name, bool cancel = false) {
    v1::DeleteTenantRequest request;
    request.set_name(name);
    request.set_cancel_tasks(cancel);
    return tenants_->Delete(Operator(), request);
  }
  std::vector<std::string> List(const tenancy::Principal& who, int page_size = 0) {
    std::vector<std::string> names;
    v1::ListTenantsRequest request;
    request.set_page_size(page_size);
    do {
      const auto page = tenants_->List(who, request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const v1::Tenant& tenant : page->tenants()) names.push_back(tenant.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }
  // Beside the drain's fiber.
  void DriveAll(absl::AnyInvocable<void()> body) {
    Drive([&] {
      FiberHandle drain = *Spawn("drain", [this] { return drain_->Run(); });
      body();
      drain.Cancel();
      drain.Join().IgnoreError();
    });
  }
  bool IsGone(const std::string& name) {
    return ReasonOf(GetTenant(Operator(), name)) == "TENANT_NOT_FOUND";
  }
  void AwaitGone(const std::string& name) {
    for (int i = 0; i < 1000 && !IsGone(name); ++i) Pass(absl::Milliseconds(20));
    EXPECT_TRUE(IsGone(name));
  }
};

TEST_F(TenantCallsTest, OneIsWrittenAndThenThere) {
  Drive([&] {
    EXPECT_EQ(ReasonOf(GetTenant(Operator(), "tenants/acme")), "TENANT_NOT_FOUND");
    const auto made = CreateTenant("acme");
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->tenant().name(), "tenants/acme");
    EXPECT_EQ(made->tenant().weight(), 1);
    EXPECT_EQ(made->tenant().state(), v1::Tenant::STATE_ACTIVE);
    EXPECT_FALSE(made->tenant().from_config());
    EXPECT_NE(registry_store_.kept.FindTenant("acme"), nullptr);
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    EXPECT_TRUE(driver_.Spawn("tenants/acme", Spec()).ok());
    EXPECT_EQ(GetTenant(Operator(), "tenants/acme")->queued(), 1);
  });
}

TEST_F(TenantCallsTest, WhatCannotBeWrittenHasNotHappened) {
  Drive([&] {
    registry_store_.fails = absl::ResourceExhaustedError("no room");
    const auto full = CreateTenant("acme");
    EXPECT_EQ(ReasonOf(full), "REGISTRY_FULL");
    EXPECT_TRUE(full.status().GetPayload(Abseil(tasks::kRetryInfoType)).has_value());
    registry_store_.fails = absl::DataLossError("damaged");
    EXPECT_EQ(ReasonOf(CreateTenant("acme")), "REGISTRY_UNAVAILABLE");
    EXPECT_FALSE(directory_.FindTenant("acme"));
    registry_store_.fails = absl::OkStatus();
    EXPECT_TRUE(CreateTenant("acme").ok());
    registry_store_.fails = absl::UnavailableError("gone");
    v1::Tenant heavy;
    heavy.set_name("tenants/acme");
    heavy.set_weight(9);
    EXPECT_FALSE(Update(heavy, {"weight"}).ok());
    EXPECT_FALSE(Delete("tenants/acme").ok());
    EXPECT_EQ(GetTenant(Operator(), "tenants/acme")->weight(), 1);
    EXPECT_EQ(GetTenant(Operator(), "tenants/acme")->state(), v1::Tenant::STATE_ACTIVE);
  });
}

TEST_F(TenantCallsTest, RefusesWhatIsWrong) {
  Drive([&] {
    EXPECT_EQ(ReasonOf(CreateTenant("")), "NAME_INVALID");
    EXPECT_EQ(ReasonOf(CreateTenant("Acme")), "NAME_INVALID");
    EXPECT_EQ(ReasonOf(CreateTenant("default")), "TENANT_EXISTS");
    EXPECT_EQ(ReasonOf(GetTenant(Operator(), "acme")), "NAME_INVALID");
    v1::CreateTenantRequest request;
    request.set_tenant_id("acme");
    const auto reason = [&](auto set) {
      v1::CreateTenantRequest wrong = request;
      set(*wrong.mutable_tenant());
      return ReasonOf(tenants_->Create(Operator(), wrong));
    };
    EXPECT_EQ(reason([](auto& t) { t.set_weight(0.001); }), "TENANT_WEIGHT_OUT_OF_RANGE");
    EXPECT_EQ(reason([](auto& t) { t.set_weight(1001); }), "TENANT_WEIGHT_OUT_OF_RANGE");
    EXPECT_EQ(reason([](auto& t) { t.set_weight(NAN); }), "TENANT_WEIGHT_OUT_OF_RANGE");
    EXPECT_EQ(reason([](auto& t) { t.set_display_name("a\nb"); }), "DISPLAY_NAME_INVALID");
    EXPECT_EQ(reason([](auto& t) { t.set_display_name(std::string(201, 'a')); }),
              "DISPLAY_NAME_INVALID");
    EXPECT_EQ(reason([](auto& t) { (*t.mutable_labels())["A"] = ""; }), "LABEL_INVALID");
    EXPECT_EQ(reason([](auto& t) {
                for (int i = 0; i < 33; ++i) (*t.mutable_labels())[StrCat("l", i)] = "";
              }),
              "TOO_MANY_LABELS");
    EXPECT_EQ(registry_store_.writes, 0);
  });
}

TEST_F(TenantCallsTest, ADryRunWritesNothing) {
  Drive([&] {
    v1::CreateTenantRequest request;
    request.set_tenant_id("acme");
    request.set_validate_only(true);
    const auto possible = tenants_->Create(Operator(), request);
    ASSERT_TRUE(possible.ok());
    EXPECT_EQ(possible->tenant().name(), "tenants/acme");
    request.set_tenant_id("default");
    EXPECT_EQ(ReasonOf(tenants_->Create(Operator(), request)), "TENANT_EXISTS");
    ASSERT_TRUE(CreateTenant("acme").ok());
    v1::DeleteTenantRequest deletion;
    deletion.set_name("tenants/acme");
    deletion.set_validate_only(true);
    EXPECT_TRUE(tenants_->Delete(Operator(), deletion).ok());
    EXPECT_EQ(GetTenant(Operator(), "tenants/acme")->state(), v1::Tenant::STATE_ACTIVE);
    EXPECT_EQ(registry_store_.writes, 1);
  });
}

TEST_F(TenantCallsTest, AnUpdateTakesWhatTheMaskNames) {
  Drive([&] {
    v1::Tenant tenant = CreateTenant("acme")->tenant();
    const std::string etag = tenant.etag();
    tenant.set_display_name("Acme");
    tenant.set_weight(4);
    (*tenant.mutable_labels())["tier"] = "gold";
    const auto changed = Update(tenant, {"weight", "labels"});
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(changed->tenant().display_name(), "");
    EXPECT_EQ(changed->tenant().weight(), 4);
    EXPECT_EQ(changed->tenant().labels().at("tier"), "gold");
    EXPECT_NE(changed->tenant().etag(), etag);
    EXPECT_EQ(directory_.tenants()[*directory_.FindTenant("acme")].weight, 4);
    EXPECT_EQ(ReasonOf(Update(tenant, {"weight"})), "ETAG_MISMATCH") << "the etag is the old one";
    tenant.clear_etag();
    EXPECT_TRUE(Update(tenant, {"display_name"}).ok());
    EXPECT_EQ(ReasonOf(Update(tenant, {})), "FIELD_MASK_INVALID");
    EXPECT_EQ(ReasonOf(Update(tenant, {"weight", "state"})), "FIELD_MASK_INVALID");
    tenant.set_name("tenants/default");
    EXPECT_EQ(ReasonOf(Update(tenant, {"weight"})), "TENANT_FROM_CONFIG");
    tenant.set_name("tenants/beta");
    EXPECT_EQ(ReasonOf(Update(tenant, {"weight"})), "TENANT_NOT_FOUND");
  });
}

TEST_F(TenantCallsTest, ListsGoByNameAndByPage) {
  Drive([&] {
    for (const char* id : {"zeta", "beta", "echo", "alpha"}) ASSERT_TRUE(CreateTenant(id).ok());
    const auto all = ElementsAre("tenants/alpha", "tenants/beta", "tenants/default", "tenants/echo",
                                 "tenants/zeta");
    EXPECT_THAT(List(Operator()), all);
    EXPECT_THAT(List(Operator(), 1), all);
    EXPECT_THAT(List(Operator(), 2), all);
  });
}

TEST_F(TenantCallsTest, ATenantSeesItselfAlone) {
  Drive([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(CreateTenant("beta").ok());
    EXPECT_THAT(List(Of("acme")), ElementsAre("tenants/acme"));
    EXPECT_TRUE(GetTenant(Of("acme"), "tenants/acme").ok());
    const absl::Status others = GetTenant(Of("acme"), "tenants/beta").status();
    const absl::Status nobodys = GetTenant(Of("acme"), "tenants/gama").status();
    EXPECT_EQ(others.message(), "there is no tenants/beta");
    EXPECT_EQ(nobodys.message(), "there is no tenants/gama");
    EXPECT_EQ(tasks::RefusalReason(others), tasks::RefusalReason(nobodys));
    v1::ListTenantsRequest request;
    request.set_page_size(1);
    request.set_page_token(tenants_->List(Operator(), request)->next_page_token());
    EXPECT_EQ(ReasonOf(tenants_->List(Of("acme"), request)), "PAGE_TOKEN_INVALID");
  });
}

TEST_F(TenantCallsTest, DeletionWaitsForTasksAndTakesTheTokensAlong) {
  DriveAll([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(
        book_.Add({.name = "tenants/acme/tokens/ci", .tenant = "acme", .digest = {1}}).ok());
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    ASSERT_TRUE(driver_.Spawn("tenants/acme", Spec()).ok());
    Pass(absl::Milliseconds(1));
    const auto deleted = Delete("tenants/acme");
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    EXPECT_EQ(deleted->tasks_left(), 1);
    EXPECT_EQ(deleted->tenant().state(), v1::Tenant::STATE_DRAINING);
    EXPECT_EQ(ReasonOf(driver_.Spawn("tenants/acme", Spec())), "TENANT_DRAINING");
    EXPECT_EQ(ReasonOf(CreateTenant("acme")), "TENANT_EXISTS");
    EXPECT_TRUE(registry_store_.kept.FindTenant("acme")->draining);
    Pass(absl::Seconds(2));
    EXPECT_FALSE(IsGone("tenants/acme"));
    EXPECT_NE(book_.Named("tenants/acme/tokens/ci"), nullptr);
    End(0, sent_[0].start(0).attempt());
    AwaitGone("tenants/acme");
    EXPECT_EQ(book_.Named("tenants/acme/tokens/ci"), nullptr);
    EXPECT_EQ(registry_store_.kept.FindTenant("acme"), nullptr);
    EXPECT_EQ(engine_.Counters(driver_.Now()).tasks_held, 0);
    EXPECT_TRUE(CreateTenant("acme").ok()) << "its name may come again";
  });
}

TEST_F(TenantCallsTest, DeletionMayCancel) {
  DriveAll([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(driver_.Spawn("tenants/acme", Spec()).ok());
    Pass(absl::Milliseconds(1));
    EXPECT_GT(Delete("tenants/acme")->tasks_left(), 0);
    const auto cancelled = Delete("tenants/acme", /*cancel=*/true);
    EXPECT_EQ(cancelled->tasks_left(), 0);
    Pass(absl::Milliseconds(1));
    for (const auto& cancel : sent_[0].cancel()) End(0, cancel.attempt());
    AwaitGone("tenants/acme");
  });
}

TEST_F(TenantCallsTest, ItsNameIsFreeOnceWhatItHadHasLeftTheDisk) {
  DriveAll([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    ASSERT_TRUE(driver_.Spawn("tenants/acme", Spec(v1::DURABILITY_DURABLE)).ok());
    Pass(absl::Milliseconds(1));
    store_.Persist();
    Pass(absl::Milliseconds(1));
    End(0, sent_[0].start(0).attempt());
    Pass(absl::Milliseconds(1));
    store_.Persist();
    ASSERT_TRUE(Delete("tenants/acme").ok());
    Pass(absl::Seconds(5));
    EXPECT_EQ(store_.written().back().kind, tasks::StoreWrite::Kind::kDelete);
    EXPECT_FALSE(IsGone("tenants/acme"));
    store_.Persist();
    AwaitGone("tenants/acme");
  });
}

TEST_F(TenantCallsTest, ARegistryThatFailsDelaysTheEnd) {
  DriveAll([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(Delete("tenants/acme").ok());
    registry_store_.fails = absl::UnavailableError("gone");
    Pass(absl::Seconds(5));
    EXPECT_FALSE(IsGone("tenants/acme"));
    registry_store_.fails = absl::OkStatus();
    AwaitGone("tenants/acme");
  });
}

TEST_F(TenantCallsTest, WhatIsKeptIsThereAgain) {
  Drive([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(CreateTenant("beta").ok());
    ASSERT_TRUE(CreateTenant("configured").ok());
    ASSERT_TRUE(Delete("tenants/beta").ok());
    v1::Tenant tenant;
    tenant.set_name("tenants/acme");
    tenant.set_weight(3);
    ASSERT_TRUE(Update(tenant, {"weight"}).ok());
  });
  config::v1::Config config;
  config.add_tenants()->set_name("configured");
  auto directory = *tenancy::Directory::Create(config);
  AdoptTenants(registry_store_.kept, directory);
  EXPECT_EQ(directory.tenants()[*directory.FindTenant("acme")].weight, 3);
  EXPECT_FALSE(directory.tenants()[*directory.FindTenant("acme")].draining);
  EXPECT_TRUE(directory.tenants()[*directory.FindTenant("beta")].draining);
  EXPECT_TRUE(directory.tenants()[*directory.FindTenant("configured")].from_config);
}

// The registry's part of what an idle tenant costs; server/tasks/tenants_test.cc has the rest.
TEST(IdleTenantRecords, AreSmall) {
  constexpr int kTenants = 10'000;
  tenancy::Registry registry;
  const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int i = 0; i < kTenants; ++i) {
    registry.Apply({.put_tenants = {{StrCat("tenant-", i), {}}}});
  }
  const size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
  RecordProperty("bytes_per_tenant", static_cast<int>((after - before) / kTenants));
  EXPECT_LE((after - before) / kTenants, 200u);
}

}  // namespace
}  // namespace grove::control

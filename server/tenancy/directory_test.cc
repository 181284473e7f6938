#include "server/tenancy/directory.h"

#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/schema.h"

namespace grove::tenancy {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Directory> FromText(const std::string& text) {
  config::v1::Config config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return Directory::Create(config);
}

std::string ErrorOf(const std::string& text) {
  const absl::Status status = FromText(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(Directory, HasTheDefaultTenantWithoutConfig) {
  const auto directory = FromText("");
  ASSERT_TRUE(directory.ok());
  ASSERT_TRUE(directory->FindTenant("default"));
  const auto queue = directory->FindQueue("default", "default");
  ASSERT_TRUE(queue);
  EXPECT_EQ(directory->queues()[*queue].depth_max, kQueueDepthDefault);
  EXPECT_EQ(directory->queues()[*queue].order, config::v1::Queue::ORDER_FIFO);
  EXPECT_EQ(directory->pools()[directory->queues()[*queue].pool].size, kPoolSizeDefault);
}

TEST(Directory, GivesEveryTenantADefaultQueueAndPool) {
  const auto directory =
      FromText("tenants { name: 'acme' queues { name: 'mail' order: ORDER_LIFO } }");
  ASSERT_TRUE(directory.ok());
  EXPECT_TRUE(directory->FindTenant("default"));
  EXPECT_TRUE(directory->FindQueue("acme", "default"));
  EXPECT_TRUE(directory->FindPool("acme", "default"));
  const auto mail = directory->FindQueue("acme", "mail");
  ASSERT_TRUE(mail);
  EXPECT_EQ(directory->queues()[*mail].pool, *directory->FindPool("acme", "default"));
  EXPECT_EQ(directory->queues()[*mail].resource_name(), "tenants/acme/queues/mail");
}

TEST(Directory, TakesTheDefaultsOwnSettings) {
  const auto directory = FromText(
      "tenants { name: 'default' pools { name: 'default' size: 7 } queues { name: 'default' "
      "paused: true } }");
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ(directory->tenants().size(), 1u);
  EXPECT_EQ(directory->pools()[*directory->FindPool("default", "default")].size, 7);
  EXPECT_TRUE(directory->queues()[*directory->FindQueue("default", "default")].paused);
}

TEST(Directory, RefusesAQueueOfAnotherTenantsPool) {
  EXPECT_THAT(ErrorOf("tenants { name: 'a' pools { name: 'big' } } tenants { name: 'b' queues { "
                      "name: 'q' pool: 'big' } }"),
              HasSubstr("tenants/b/queues/q: tenants/b has no pool \"big\""));
}

TEST(Directory, RefusesDoubledNames) {
  EXPECT_THAT(ErrorOf("tenants { name: 'a' } tenants { name: 'a' }"),
              HasSubstr("tenants/a is there twice"));
  EXPECT_THAT(ErrorOf("tenants { name: 'a' pools { name: 'p' } pools { name: 'p' } }"),
              HasSubstr("tenants/a/pools/p is there twice"));
  EXPECT_THAT(ErrorOf("tenants { name: 'a' queues { name: 'q' } queues { name: 'q' } }"),
              HasSubstr("tenants/a/queues/q is there twice"));
}

TEST(Directory, RefusesBadNamesAndSizes) {
  EXPECT_THAT(ErrorOf("tenants { name: 'Acme' }"), HasSubstr("\"Acme\""));
  EXPECT_THAT(ErrorOf("tenants { name: 'a' queues { } }"), HasSubstr("tenants/a/queues: bad name"));
  EXPECT_THAT(ErrorOf("tenants { name: 'a' pools { name: 'p' size: 1000001 } }"),
              HasSubstr("tenants/a/pools/p: size is 1000001"));
  EXPECT_TRUE(FromText("tenants { name: 'a' pools { name: 'p' size: 1000000 } }").ok());
  EXPECT_THAT(ErrorOf("tenants { name: 'a' queues { name: 'q' depth_max: -1 } }"),
              HasSubstr("depth_max is -1"));
}

TEST(Directory, FindsNothingUnderUnknownNames) {
  const auto directory = FromText("");
  ASSERT_TRUE(directory.ok());
  EXPECT_FALSE(directory->FindTenant("acme"));
  EXPECT_FALSE(directory->FindQueue("default", "mail"));
  EXPECT_FALSE(directory->FindPool("acme", "default"));
}

TEST(Directory, GrowsAndItsIndicesStay) {
  auto directory = FromText("tenants { name: 'acme' }");
  ASSERT_TRUE(directory.ok());
  const size_t acme = *directory->FindTenant("acme");
  const auto* acme_queue = &directory->queues()[*directory->FindQueue("acme", "default")];
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(directory->AddTenant(StrCat("t", i), 2).ok());
  EXPECT_EQ(directory->FindTenant("acme"), acme);
  EXPECT_EQ(&directory->queues()[*directory->FindQueue("acme", "default")], acme_queue);
  EXPECT_TRUE(directory->tenants()[acme].from_config);
  // Its entries know each other also where it has been moved to.
  const Directory moved = *std::move(directory);
  const auto queue = moved.FindQueue("t999", "default");
  ASSERT_TRUE(queue);
  EXPECT_EQ(moved.queues()[*queue].resource_name(), "tenants/t999/queues/default");
  EXPECT_EQ(moved.pools()[moved.queues()[*queue].pool].resource_name(),
            "tenants/t999/pools/default");
  const Directory::Tenant& tenant = moved.tenants()[moved.queues()[*queue].tenant];
  EXPECT_EQ(tenant.name, "t999");
  EXPECT_EQ(tenant.weight, 2);
  EXPECT_FALSE(tenant.from_config);
}

TEST(Directory, RefusesATenantThatIsThereOrBadlyNamed) {
  auto directory = FromText("");
  ASSERT_TRUE(directory.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(directory->AddTenant("default", 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(directory->AddTenant("A", 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(directory->AddTenant("", 1).status()));
}

TEST(Directory, ARetiredTenantsNameAndPlaceComeAgain) {
  auto directory = FromText("");
  ASSERT_TRUE(directory.ok());
  const size_t acme = *directory->AddTenant("acme", 1);
  ASSERT_TRUE(directory->AddTenant("beta", 1).ok());
  directory->SetDraining(acme);
  directory->Retire(acme);
  EXPECT_FALSE(directory->FindTenant("acme"));
  EXPECT_FALSE(directory->FindQueue("acme", "default"));
  EXPECT_FALSE(directory->FindPool("acme", "default"));
  EXPECT_TRUE(directory->tenants()[acme].is_retired());
  EXPECT_TRUE(directory->FindQueue("beta", "default"));
  EXPECT_EQ(*directory->AddTenant("gamma", 1), acme);
  EXPECT_FALSE(directory->tenants()[acme].draining);
  EXPECT_EQ(directory->queues()[*directory->FindQueue("gamma", "default")].resource_name(),
            "tenants/gamma/queues/default");
  // Where none is free, at the end.
  const size_t last = *directory->AddTenant("acme", 1);
  EXPECT_EQ(last, directory->tenants().size() - 1);
  EXPECT_EQ(directory->queues().size(), directory->pools().size());
}

TEST(Directory, QuotasAndLimitsAreOfTheConfigOrSet) {
  auto directory = FromText(
      "tenants { name: 'acme' quotas { running_max: 3 spawns_per_minute: 6 } "
      "limits { pattern: 'a*' queued_max: 2 } limits { pattern: '*/x' running_max: 1 } }");
  ASSERT_TRUE(directory.ok()) << directory.status();
  const size_t acme = *directory->FindTenant("acme");
  EXPECT_EQ(directory->QuotasOf(acme).running_max, 3);
  EXPECT_EQ(directory->QuotasOf(acme).spawns.interval_ns, 10'000'000'000);
  EXPECT_EQ(directory->LimitsOf(acme).Find("ab")->queued_max, 2);
  EXPECT_TRUE(directory->LimitsOf(acme).Find("ab")->from_config);
  EXPECT_EQ(directory->LimitsOf(acme).Find("b/x")->running_max, 1);
  const size_t none = *directory->FindTenant("default");
  EXPECT_EQ(directory->tenants()[none].bounds, nullptr) << "costs nothing";
  EXPECT_EQ(directory->QuotasOf(none).running_max, 0);
  EXPECT_TRUE(directory->LimitsOf(none).all().empty());
  directory->SetLimit(none, {{.running_max = 4}, "k"});
  EXPECT_EQ(directory->LimitsOf(none).Find("k")->running_max, 4);
  directory->DropLimit(none, "k");
  EXPECT_EQ(directory->LimitsOf(none).Find("k"), nullptr);
}

TEST(Directory, RefusesWrongQuotasAndLimits) {
  const auto refusal = [](const std::string& of) {
    return std::string(FromText("tenants { name: 'acme' " + of + " }").status().message());
  };
  EXPECT_EQ(refusal("quotas { running_max: -1 }"),
            "tenants/acme: quotas: running_max is -1; 0 (no bound) to 1000000 are allowed");
  EXPECT_EQ(refusal("limits { pattern: 'a' spawn_burst: 1 }"),
            "tenants/acme: limit \"a\": spawn_burst bounds nothing without spawns_per_second or "
            "_minute");
  EXPECT_EQ(refusal("limits { pattern: 'a' } limits { pattern: 'a' }"),
            "tenants/acme: limit \"a\" is there twice");
  EXPECT_NE(refusal("limits { pattern: 'a/b/c' }"), "");
}

TEST(Directory, ItsDefaultsAreTheSchemas) {
  const auto value = [](std::string_view key) { return config::FindSchemaRow(key)->default_value; };
  EXPECT_EQ(kPoolSizeDefault, value("tenants[].pools[].size"));
  EXPECT_EQ(kQueueDepthDefault, value("tenants[].queues[].depth_max"));
  const auto most = [](std::string_view key) { return config::FindSchemaRow(key)->max; };
  EXPECT_EQ(kQueueDepthMax, most("tenants[].queues[].depth_max"));
  EXPECT_EQ(kRunningQuotaMax, most("tenants[].quotas.running_max"));
  EXPECT_EQ(kQueuedQuotaMax, most("tenants[].quotas.queued_max"));
  EXPECT_EQ(kQueuedBytesQuotaMax, most("tenants[].quotas.queued_bytes_max"));
  EXPECT_EQ(kSpawnsPerSecondMax, most("tenants[].quotas.spawns_per_second"));
  EXPECT_EQ(kSpawnsPerMinuteMax, most("tenants[].limits[].spawns_per_minute"));
  EXPECT_EQ(kSpawnBurstMax, most("tenants[].limits[].spawn_burst"));
  EXPECT_EQ(kOutputBytesQuotaMax, most("tenants[].quotas.output_bytes_max"));
  EXPECT_EQ(kHttpRequestsQuotaMax, most("tenants[].quotas.http_requests_max"));
  EXPECT_EQ(kHttpPerSecondMax, most("tenants[].quotas.http_requests_per_second"));
  EXPECT_EQ(kHttpPerMinuteMax, most("tenants[].quotas.http_requests_per_minute"));
  EXPECT_EQ(kHttpBurstMax, most("tenants[].quotas.http_burst"));
  EXPECT_EQ(kFetchesQuotaMax, most("tenants[].quotas.fetches_max"));
  EXPECT_EQ(kPayloadBytesQuotaMax, most("tenants[].quotas.payload_bytes_max"));
}

}  // namespace
}  // namespace grove::tenancy

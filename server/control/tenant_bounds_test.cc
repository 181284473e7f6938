#include "server/control/tenant_bounds.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "server/control/tenancy_fixture.h"

namespace grove::control {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const internal::v1::ControlFrame& frame) {
  std::vector<std::string> texts;
  for (const internal::v1::TenantBounds& bounds : frame.bounds()) {
    texts.push_back(bounds.ShortDebugString());
  }
  return texts;
}

class TenantBoundsTest : public TenancyTest {
 protected:
  TenantBoundsTest() {
    Begin();
    tenants_->set_on_changed([this](size_t tenant) { told_ = BoundsOf(directory_, tenant); });
    drain_->set_on_gone([this](const std::string& tenant) { told_ = BoundsOfGone(tenant); });
  }
  void Update(const std::string& name, const std::string& quotas) {
    v1::UpdateTenantRequest request;
    request.mutable_tenant()->set_name(name);
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        quotas, request.mutable_tenant()->mutable_quotas()));
    request.mutable_update_mask()->add_paths("quotas");
    EXPECT_TRUE(tenants_->Update(Operator(), request).ok());
  }

  internal::v1::ControlFrame told_;
};

TEST_F(TenantBoundsTest, ATenantIsToldWhenItComesChangesAndGoes) {
  Drive([&] {
    FiberHandle drain = *Spawn("drain", [this] { return drain_->Run(); });
    const size_t before = Texts(AllBounds(directory_)).size();
    ASSERT_TRUE(CreateTenant("made").ok());
    EXPECT_THAT(Texts(told_), ElementsAre("tenant: \"made\""));
    Update("tenants/made",
           "http_requests_max: 3 http_requests_per_minute: 60 http_burst: 5 fetches_max: 2");
    const std::string all =
        "tenant: \"made\" http_requests_max: 3 http_requests_per_minute: 60 "
        "http_burst: 5 fetches_max: 2";
    EXPECT_THAT(Texts(told_), ElementsAre(all));
    EXPECT_EQ(Texts(AllBounds(directory_)).size(), before + 1);
    EXPECT_EQ(Texts(AllBounds(directory_)).back(), all);
    v1::DeleteTenantRequest request;
    request.set_name("tenants/made");
    ASSERT_TRUE(tenants_->Delete(Operator(), request).ok());
    for (int i = 0; i < 1000 && !told_.bounds(0).gone(); ++i) Pass(absl::Milliseconds(20));
    EXPECT_THAT(Texts(told_), ElementsAre("tenant: \"made\" gone: true"));
    EXPECT_EQ(Texts(AllBounds(directory_)).size(), before);
    drain.Cancel();
    drain.Join().IgnoreError();
  });
}

TEST(TenantBounds, OfTheConfigsTenantsThoseAreToldThatHaveSome) {
  config::v1::Config config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "tenants { name: 'acme' quotas { running_max: 2 } } "
      "tenants { name: 'bound' quotas { fetches_max: 2 } }",
      &config));
  const auto directory = tenancy::Directory::Create(config);
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_THAT(Texts(AllBounds(*directory)), ElementsAre("tenant: \"bound\" fetches_max: 2"));
}

TEST(TenantBounds, CountsWhatAllWorkersUse) {
  config::v1::Config config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "tenants { name: 'acme' quotas { http_requests_max: 5 fetches_max: 7 } }", &config));
  const auto directory = tenancy::Directory::Create(config);
  ASSERT_TRUE(directory.ok()) << directory.status();
  metrics::Scoreboard board = *metrics::Scoreboard::Create(2);
  tasks::TaskCounters counters;
  CountHttpQuotas(*directory, board, counters);
  EXPECT_THAT(counters.quotas, IsEmpty()) << "no worker has been told yet";
  metrics::SeriesIndex names(board.series().bound_tenants.directory());
  metrics::TenantCells& cells = board.series().bound_cells.of[names.Find("acme")];
  names.Find("gone");
  cells.requests.Enter(0, 2, 5);
  cells.requests.Enter(1, 2, 5);
  CountHttpQuotas(*directory, board, counters);
  ASSERT_EQ(counters.quotas.size(), 2);
  EXPECT_EQ(counters.quotas[0].quota, "http_requests");
  EXPECT_EQ(counters.quotas[0].used, 2);
  EXPECT_EQ(counters.quotas[0].max, 5);
  EXPECT_EQ(counters.quotas[1].quota, "fetches");
  EXPECT_EQ(counters.quotas[1].used, 0);
}

TEST_F(TenantBoundsTest, ATenantShowsWhatIsUsedOfItsQuotasOfHttp) {
  Drive([&] {
    ASSERT_TRUE(CreateTenant("made").ok());
    EXPECT_EQ(GetTenant(Operator(), "tenants/made")->http_requests_running(), 0);
    Update("tenants/made", "http_requests_max: 3 http_requests_per_second: 10 http_burst: 5");
    EXPECT_EQ(GetTenant(Operator(), "tenants/made")->http_burst_used(), 0)
        << "no worker has been told yet";
    metrics::SeriesIndex names(scoreboard_.series().bound_tenants.directory());
    metrics::TenantCells& cells = scoreboard_.series().bound_cells.of[names.Find("made")];
    cells.requests.Enter(0, scoreboard_.workers(), 3);
    cells.fetches.Enter(0, scoreboard_.workers(), 9);
    cells.refused_requests = 7;
    cells.refused_rate = 8;
    cells.http_full_at_ns = hub_->ReadClock() + 250'000'000;
    for (const tenancy::Principal& who : {Operator(), Of("made")}) {
      const auto tenant = GetTenant(who, "tenants/made");
      ASSERT_TRUE(tenant.ok()) << tenant.status();
      EXPECT_EQ(tenant->http_requests_running(), 1);
      EXPECT_EQ(tenant->fetches_running(), 1);
      EXPECT_EQ(tenant->http_requests_refused(), 7);
      EXPECT_EQ(tenant->http_rate_refused(), 8);
      EXPECT_EQ(tenant->http_burst_used(), 3);
    }
    // It comes back at the rate, and without a rate there is none.
    Pass(absl::Milliseconds(100));
    EXPECT_EQ(GetTenant(Operator(), "tenants/made")->http_burst_used(), 2);
    Update("tenants/made", "http_requests_max: 3");
    EXPECT_EQ(GetTenant(Operator(), "tenants/made")->http_burst_used(), 0);
  });
}

}  // namespace
}  // namespace grove::control

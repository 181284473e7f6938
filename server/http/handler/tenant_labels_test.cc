#include "server/http/handler/tenant_labels.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/label_scope.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class TenantLabelsTest : public HubTest {
 protected:
  std::vector<std::pair<std::string, int64_t>> Take() {
    std::vector<std::pair<std::string, int64_t>> taken;
    labels_.TakeRunTimes(
        [&](const std::string& tenant, int64_t us) { taken.emplace_back(tenant, us); });
    return taken;
  }
  void Serve(std::string_view tenant, absl::Duration time) {
    const LabelScope scope(labels_.Of(tenant));
    clock_.Advance(time);
  }

  TenantLabels labels_;
};

TEST_F(TenantLabelsTest, TellsWhatEachTenantHasRunSinceItWasLastTaken) {
  Run([&] {
    Serve("acme", absl::Milliseconds(2));
    Serve("umbrella", absl::Milliseconds(3));
    Serve("acme", absl::Milliseconds(5));
    clock_.Advance(absl::Seconds(1));
    EXPECT_THAT(Take(), ElementsAre(Pair("acme", 7000), Pair("umbrella", 3000)));
    EXPECT_THAT(Take(), IsEmpty());
    Serve("umbrella", absl::Milliseconds(1));
    EXPECT_THAT(Take(), ElementsAre(Pair("umbrella", 1000)));
  });
}

TEST_F(TenantLabelsTest, NoTimeIsLostBelowAMicrosecond) {
  Run([&] {
    for (int i = 0; i < 10; ++i) {
      Serve("acme", absl::Nanoseconds(300));
      if (i == 2) {
        EXPECT_THAT(Take(), IsEmpty());
      }
    }
    EXPECT_THAT(Take(), ElementsAre(Pair("acme", 3)));
  });
}

}  // namespace
}  // namespace grove::http

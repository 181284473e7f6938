#include "runtime/hub/label_scope.h"

#include "gtest/gtest.h"
#include "runtime/hub/fake_clock.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

class LabelScopeTest : public HubTest {};

std::shared_ptr<const FiberLabel> Of(const char* tenant) {
  return std::make_shared<const FiberLabel>(FiberLabel{.tenant = tenant, .task = ""});
}

std::string RunningTenant() {
  const FiberLabel* const label = Hub::Current()->running()->label();
  return label == nullptr ? "" : label->tenant;
}

TEST_F(LabelScopeTest, LabelsTheFiberAndWhatItSpawnsUntilItsEnd) {
  Run([] {
    {
      const LabelScope outer(Of("acme"));
      EXPECT_EQ(RunningTenant(), "acme");
      {
        const LabelScope inner(Of("other"));
        EXPECT_EQ(RunningTenant(), "other");
      }
      EXPECT_EQ(RunningTenant(), "acme");
      EXPECT_TRUE(Spawn("child", [] { EXPECT_EQ(RunningTenant(), "acme"); })->Join().ok());
      const LabelScope nobody(nullptr);
      EXPECT_EQ(RunningTenant(), "");
    }
    EXPECT_EQ(Hub::Current()->running()->label(), nullptr);
  });
}

TEST_F(LabelScopeTest, TheLabelHasTheTimeThatRanWithIt) {
  Run([&] {
    const auto label = Of("acme");
    const auto fiber = *Spawn("serves", [&] {
      for (int i = 0; i < 10; ++i) {
        clock_.Advance(absl::Seconds(1));  // before it is anybody's
        const LabelScope scope(label);
        clock_.Advance(absl::Milliseconds(1));
        Yield();
        clock_.Advance(absl::Milliseconds(2));
        const auto child = *Spawn("child", [&] { clock_.Advance(absl::Milliseconds(4)); });
        FiberHandle(child).Join().IgnoreError();
      }
    });
    FiberHandle(fiber).Join().IgnoreError();
    EXPECT_EQ(absl::Nanoseconds(label->run_time), 10 * absl::Milliseconds(7));
  });
}

}  // namespace
}  // namespace grove

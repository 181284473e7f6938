#include "server/worker/crash_report.h"

#include <cstdlib>
#include <memory>

#include "gtest/gtest.h"
#include "runtime/hub.h"

namespace grove {
namespace {

void CrashInAFiber() {
  InstallCrashReport();
  auto hub = Hub::Create();
  (*hub)
      ->Run([] {
        SpawnOptions options{.name = "victim"};
        options.label = std::make_shared<const FiberLabel>(
            FiberLabel{.tenant = "acme", .task = "tenants/acme/tasks/7"});
        auto fiber = Spawn(options, [] { abort(); });
        fiber->Join().IgnoreError();
      })
      .IgnoreError();
}

TEST(CrashReportDeathTest, NamesTheFiberItsTaskAndWhereItWasSpawned) {
  EXPECT_DEATH(CrashInAFiber(),
               "crashed in fiber [0-9]+ \"victim\", spawned at .*crash_report_test.cc:[0-9]+, "
               "task tenants/acme/tasks/7");
}

}  // namespace
}  // namespace grove

#include "server/worker/crash_report.h"

#include <cstdlib>
#include <memory>

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::worker {
namespace {

void CrashInAFiber() {
  InstallCrashReport();
  const auto hub = *Hub::Create();
  RunOn(*hub, [] {
    SpawnOptions options{.name = "victim"};
    options.label = std::make_shared<const FiberLabel>(
        FiberLabel{.tenant = "acme", .task = "tenants/acme/tasks/7"});
    EXPECT_TRUE(Spawn(options, [] { abort(); })->Join().ok());
  });
}

TEST(CrashReportDeathTest, NamesTheFiberItsTaskAndWhereItWasSpawned) {
  EXPECT_DEATH(CrashInAFiber(),
               "crashed in fiber [0-9]+ \"victim\", spawned at .*crash_report_test.cc:[0-9]+, "
               "task tenants/acme/tasks/7");
}

// Each call holds a frame of its own: the sum after the recursion keeps it from being a loop.
int Recurse(volatile int* depth) {
  volatile char frame[512] = {};
  *depth = *depth + 1;
  if (*depth > 1'000'000) return 0;  // far more than any stack holds
  return Recurse(depth) + frame[*depth % 512];
}

void OverflowInAFiber() {
  InstallCrashReport();
  const auto hub = *Hub::Create();
  RunOn(*hub, [] {
    volatile int depth = 0;
    EXPECT_TRUE(Spawn("deep", [&depth] { Recurse(&depth); })->Join().ok());
  });
}

TEST(CrashReportDeathTest, TellsAStackOverflowFromAnyOtherCrash) {
  EXPECT_DEATH(OverflowInAFiber(),
               "stack overflow in fiber [0-9]+ \"deep\", spawned at .*crash_report_test.cc:[0-9]+");
}

}  // namespace
}  // namespace grove::worker

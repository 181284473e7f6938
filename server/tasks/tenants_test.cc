#include "server/tasks/tenants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine_fixture.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;

class TenantsTest : public EngineTest {
 protected:
  size_t AddTenant(std::string_view name) {
    const auto index = directory_->AddTenant(name, 1);
    EXPECT_TRUE(index.ok()) << index.status();
    engine_->Grow();
    return index.ok() ? *index : 0;
  }
  void Sweep(size_t tenant, TenantSweep what) {
    TaskId after;
    while (!engine_->SweepTenant(tenant, what, after, now_, fx_)) {
    }
    Tick();
    Tick();
  }
  void Retire(size_t tenant) {
    engine_->ForgetTenant(tenant);
    directory_->Retire(tenant);
  }
  TaskCounters Counters() { return engine_->Counters(now_); }
};

TEST_F(TenantsTest, OneMadeAtRunTimeRunsTasks) {
  Up(0);
  EXPECT_EQ(RefusalReason(Refused("", "tenants/acme")), "TENANT_NOT_FOUND");
  const size_t acme = AddTenant("acme");
  const std::string name = Spawn("", "tenants/acme");
  EXPECT_TRUE(name.starts_with("tenants/acme/queues/default/tasks/")) << name;
  EXPECT_EQ(engine_->LoadOf(acme).queued, 1);
  Tick();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].tenant(), "acme");
  EXPECT_EQ(engine_->LoadOf(acme).running, 1);
  End(starts[0].attempt());
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(TenantsTest, ManyComeAndEachGetsItsTurn) {
  for (int i = 0; i < 50; ++i) AddTenant(StrCat("t", i));
  Up(0, 50);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50; ++i) Spawn("", StrCat("tenants/t", i));
  }
  Tick();
  absl::flat_hash_set<std::string> started;
  for (const auto& start : TakeStarts()) started.insert(start.tenant());
  EXPECT_EQ(started.size(), 50u);
}

TEST_F(TenantsTest, ADrainingOneTakesNoTasksAndEndsThoseItHas) {
  Up(0, 1);
  const size_t acme = AddTenant("acme");
  const std::string first = Spawn("request_id: 'r'", "tenants/acme");
  const std::string second = Spawn("", "tenants/acme");
  Tick();
  directory_->SetDraining(acme);
  const absl::Status refused = Refused("", "tenants/acme");
  EXPECT_EQ(RefusalReason(refused), "TENANT_DRAINING");
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  // The answer to a spawn of before is the same as ever.
  EXPECT_EQ(Spawn("request_id: 'r'", "tenants/acme"), first);
  End(TakeOnlyStart());
  End(TakeOnlyStart());
  EXPECT_EQ(engine_->LoadOf(acme).live(), 0);
  EXPECT_FALSE(engine_->IsUnused(acme));
  Tick();
  Sweep(acme, TenantSweep::kDropEnded);
  EXPECT_TRUE(engine_->IsUnused(acme));
  EXPECT_FALSE(engine_->Find(second).ok());
}

TEST_F(TenantsTest, CancelsItsTasksAndNoOthers) {
  Up(0, 1);
  const size_t acme = AddTenant("acme");
  const std::string running = Spawn("", "tenants/acme");
  Tick();
  const std::string others = Spawn();
  const std::string queued = Spawn("", "tenants/acme");
  const std::string later = Spawn("delay { seconds: 100 }", "tenants/acme");
  Sweep(acme, TenantSweep::kCancel);
  for (const std::string& name : {running, queued, later}) {
    EXPECT_EQ(StateOf(name), v1::TASK_STATE_CANCELLED);
  }
  EXPECT_EQ(StateOf(others), v1::TASK_STATE_QUEUED);
  Sweep(acme, TenantSweep::kDropEnded);
  // The worker has yet to say that it let go: until then its room is the tenant's.
  EXPECT_FALSE(engine_->IsUnused(acme));
  End(TakeCancels().at(0), Outcome::OUTCOME_CANCELLED);
  EXPECT_TRUE(engine_->IsUnused(acme));
}

TEST_F(TenantsTest, ThousandsAreSweptInSteps) {
  Up(0, 1);
  const size_t acme = AddTenant("acme");
  for (int i = 0; i < 700; ++i) Spawn("delay { seconds: 100 }", "tenants/acme");
  TaskId after;
  int steps = 1;
  while (!engine_->SweepTenant(acme, TenantSweep::kCancel, after, now_, fx_)) ++steps;
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(engine_->LoadOf(acme).live(), 0);
}

TEST_F(TenantsTest, OnesPlaceBecomesAnothers) {
  Up(0, 1);
  const size_t acme = AddTenant("acme");
  // Its queue keeps a turn that it does not need any more, here behind a full worker.
  Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  Spawn("", "tenants/acme");
  Tick();
  Sweep(acme, TenantSweep::kCancel);
  Sweep(acme, TenantSweep::kDropEnded);
  ASSERT_TRUE(engine_->IsUnused(acme));
  Retire(acme);
  EXPECT_EQ(AddTenant("beta"), acme);
  EXPECT_EQ(engine_->GetQueue("tenants/beta/queues/default", now_)->spawned_total(), 0);
  EXPECT_FALSE(engine_->GetQueue("tenants/acme/queues/default", now_).ok());
  Spawn("", "tenants/beta");
  End(attempt);
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].tenant(), "beta");
  for (const auto& function : Counters().functions) EXPECT_NE(function.tenant, "acme");
}

TEST_F(TenantsTest, OneThatComesAgainHasNothingOfBefore) {
  Up(0, 1);
  const size_t acme = AddTenant("acme");
  Spawn("request_id: 'r' durability: DURABILITY_DURABLE", "tenants/acme");
  Persist();
  End(TakeOnlyStart());
  Persist();
  Tick();
  Sweep(acme, TenantSweep::kDropEnded);
  ASSERT_TRUE(engine_->IsUnused(acme));
  // What it had leaves the disk before its name is free.
  EXPECT_FALSE(engine_->IsOnDisk(engine_->last_ticket()));
  Persist();
  EXPECT_TRUE(engine_->IsOnDisk(engine_->last_ticket()));
  EXPECT_TRUE(Disk().empty());
  Retire(acme);
  AddTenant("acme");
  v1::ListTasksRequest list;
  list.set_parent("tenants/acme");
  EXPECT_EQ(engine_->ListTasks(list, now_)->tasks_size(), 0);
  EXPECT_NE(Spawn("request_id: 'r' input: '2'", "tenants/acme"), "");
}

TEST_F(TenantsTest, ListsPassOverRetiredOnes) {
  const size_t acme = AddTenant("acme");
  AddTenant("beta");
  Retire(acme);
  v1::ListQueuesRequest request;
  request.set_page_size(1);
  std::vector<std::string> names;
  do {
    const auto page = engine_->ListQueues(request, now_);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Queue& queue : page->queues()) names.push_back(queue.name());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, ElementsAre("tenants/default/queues/default", "tenants/beta/queues/default"));
}

TEST_F(TenantsTest, AnIdleOneIsNotCounted) {
  Up(0, 1);
  AddTenant("acme");
  EXPECT_EQ(Counters().queues.size(), 1u);
  EXPECT_EQ(Counters().pools.size(), 1u);
  Spawn("", "tenants/acme");
  EXPECT_EQ(Counters().queues.size(), 2u);
  EXPECT_EQ(Counters().pools.size(), 2u);
}

// What one costs that was only made: the bound is a kilobyte, of which the registry takes
// its part too (tenant_calls_test.cc).
TEST(IdleTenants, AreCheap) {
  constexpr int kTenants = 10'000;
  auto directory = *tenancy::Directory::Create({});
  EngineOptions options;
  FillTasks(options.tasks);
  options.self_check = SelfCheck::kNever;
  TaskEngine engine(&directory, options);
  const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int i = 0; i < kTenants; ++i) {
    ASSERT_TRUE(directory.AddTenant(StrCat("tenant-", i), 1).ok());
    engine.Grow();
  }
  const size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
  const size_t each = (after - before) / kTenants;
  RecordProperty("bytes_per_idle_tenant", static_cast<int>(each));
  EXPECT_LE(each, 880u);
}

}  // namespace
}  // namespace grove::tasks

#include "server/tasks/gateway_functions.h"

#include "gmock/gmock.h"
#include "server/config/limits.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kGateway = config::kWorkersMax;
constexpr char kTenants[] = "tenants { name: 'default' } tenants { name: 'acme' }";

class GatewayFunctionsTest : public EngineTest {
 protected:
  // One at the gateway that has these.
  void Join(int worker, const std::vector<std::string>& functions, int64_t capacity = 1,
            uint64_t incarnation = 1) {
    internal::v1::Hello hello = Hello(worker, capacity, incarnation);
    hello.clear_functions();
    for (const std::string& name : functions) hello.add_functions()->set_name(name);
    ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
    Tick();
  }
  std::vector<std::string> Functions(std::string_view tenant) {
    std::vector<std::string> names;
    const auto listed = engine_->ListFunctions(v1::ListFunctionsRequest(), tenant);
    for (const v1::Function& function : listed->functions()) names.push_back(function.name());
    return names;
  }
  std::vector<StoredQueue> Kept() {
    std::vector<StoredQueue> kept;
    for (const StoreWrite& write : disk_) {
      if (write.kind != StoreWrite::Kind::kQueue) continue;
      kept.push_back({write.task.tenant, write.task.queue, write.task.progress.task});
    }
    return kept;
  }
};

TEST_F(GatewayFunctionsTest, AreTheirTenantsAlone) {
  Make(kTenants);
  Up(0);
  Join(kGateway, {"acme/resize"});
  const std::string name = Spawn("function: 'resize'", "tenants/acme");
  EXPECT_EQ(Get(name).spec().function(), "acme/resize");
  EXPECT_EQ(Get(Spawn("function: 'acme/resize'", "tenants/acme")).spec().function(), "acme/resize");
  EXPECT_EQ(RefusalReason(Refused("function: 'resize'")), "UNKNOWN_FUNCTION");
  EXPECT_EQ(RefusalReason(Refused("function: 'acme/resize'")), "UNKNOWN_FUNCTION");
  EXPECT_THAT(Functions("acme"), Contains("functions/acme/resize"));
  EXPECT_THAT(Functions("default"), Not(Contains("functions/acme/resize")));
  EXPECT_THAT(Functions(""), Contains("functions/acme/resize"));
}

TEST_F(GatewayFunctionsTest, ComeBeforeTheDaemonsOwn) {
  Make(kTenants);
  Up(0);
  Join(kGateway, {"acme/echo"});
  EXPECT_EQ(Get(Spawn("", "tenants/acme")).spec().function(), "acme/echo");
  EXPECT_EQ(Get(Spawn("")).spec().function(), "echo");
}

TEST_F(GatewayFunctionsTest, LetOthersOfTheirQueueGoOnWhileTheirWorkersAreFull) {
  Make(kTenants);
  Up(0);
  Join(kGateway, {"default/slow", "default/other"}, 1);
  const std::string first = Spawn("function: 'slow'"), second = Spawn("function: 'slow'"),
                    third = Spawn("function: 'other'"), quick = Spawn();
  Tick();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ(starts[0].task(), quick);
  EXPECT_EQ(starts[1].task(), first);
  End(starts[1].attempt(), Outcome::OUTCOME_SUCCEEDED, kGateway);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(second));
  // Room that comes by itself calls them, too, whichever function had it before.
  engine_->WorkerCapacity(kGateway, 2);
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(third));
}

TEST_F(GatewayFunctionsTest, WaitForAWorkerThatHasThem) {
  Make(kTenants);
  Up(0);
  Join(kGateway, {"default/slow"}, 1);
  const std::string first = Spawn("function: 'slow'"), second = Spawn("function: 'slow'");
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(first));
  engine_->WorkerDown(kGateway, now_, fx_);
  Tick();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(StateOf(first), v1::TASK_STATE_QUEUED);
  Join(kGateway + 1, {"default/slow"}, 2);
  EXPECT_THAT(TakeStartedNames(), testing::UnorderedElementsAre(first, second));
}

TEST_F(GatewayFunctionsTest, AreKnownAfterARestart) {
  Make(kTenants);
  Up(0);
  Join(kGateway, {"acme/resize"});
  Persist();
  // The same once more is not written.
  Join(kGateway, {"acme/resize"}, 1, 2);
  EXPECT_THAT(fx_.writes, IsEmpty());
  const std::vector<StoredQueue> kept = Kept();
  ASSERT_EQ(kept.size(), 1u);
  Make(kTenants, 2);
  engine_->RecoverQueue(kept[0]);
  Recover({});
  Up(0);
  EXPECT_EQ(Get(Spawn("function: 'resize'", "tenants/acme")).spec().function(), "acme/resize");
  // Not of a tenant that is gone.
  Make("", 3);
  engine_->RecoverQueue(kept[0]);
  Recover({});
  EXPECT_THAT(Functions(""), Not(Contains("functions/acme/resize")));
}

TEST_F(GatewayFunctionsTest, GoWithTheirTenant) {
  Make(kTenants);
  Up(0);
  Join(kGateway, {"acme/resize"});
  Persist();
  TaskId after;
  const auto tenant = directory_->FindTenant("acme");
  ASSERT_TRUE(tenant);
  EXPECT_TRUE(engine_->SweepTenant(*tenant, TenantSweep::kDropEnded, after, now_, fx_));
  Persist();
  EXPECT_EQ(Kept().back().settings, "");
  EXPECT_THAT(Functions(""), Not(Contains("functions/acme/resize")));
}

TEST_F(GatewayFunctionsTest, TheirAttemptsGoOnOverAnotherDaemon) {
  Make(kTenants);
  Up(0);
  Join(kGateway, {"default/slow"}, 1, 77);
  const std::string name = Spawn("function: 'slow' durability: DURABILITY_DURABLE");
  Persist();
  const uint64_t attempt = TakeOnlyStart();
  Persist();
  daemon_number_ = 5;
  Make(kTenants, 2);
  Recover(Disk());
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(engine_->AwaitedOn(kGateway), 77u);
  EXPECT_EQ(engine_->AwaitedOn(kGateway + 1), std::nullopt);
  internal::v1::Hello hello = Hello(kGateway, 1, 77);
  hello.add_running(attempt);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Tick(20);
  EXPECT_EQ(engine_->AwaitedOn(kGateway), std::nullopt);
  EXPECT_EQ(engine_->RunningOn(kGateway), 1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(Get(name).attempts_size(), 1);
}

}  // namespace
}  // namespace grove::tasks

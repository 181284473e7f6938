#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

class UniqueKeysTest : public EngineTest {
 protected:
  Spawned Ask(const std::string& text, const std::string& parent = "") {
    auto spawned = engine_->Spawn(parent, Spec(text), now_, fx_);
    EXPECT_TRUE(spawned.ok()) << spawned.status();
    return spawned.ok() ? *spawned : Spawned();
  }
};

TEST_F(UniqueKeysTest, ASpawnAttachesUntilTheTaskHasEnded) {
  Up(0);
  const Spawned first = Ask("unique_key { key: 'k' } input: '1'");
  EXPECT_FALSE(first.attached);
  const Spawned second = Ask("unique_key { key: 'k' } input: '2'");
  EXPECT_TRUE(second.attached);
  EXPECT_EQ(second.name, first.name);
  EXPECT_EQ(Queue().spawned_total(), 1);
  Tick();
  EXPECT_TRUE(Ask("unique_key { key: 'k' }").attached) << "while it runs, too";
  End(TakeOnlyStart());
  const Spawned third = Ask("unique_key { key: 'k' }");
  EXPECT_FALSE(third.attached);
  EXPECT_NE(third.name, first.name);
}

TEST_F(UniqueKeysTest, ASpawnMayBeRefusedInstead) {
  Up(0);
  const std::string text = "unique_key { key: 'k' on_conflict: ON_CONFLICT_REFUSE }";
  const std::string name = Spawn(text);
  const absl::Status refused = Refused(text);
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(RefusalReason(refused), "UNIQUE_KEY_TAKEN");
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr(name));
  ASSERT_TRUE(engine_->Cancel(name, "", now_, fx_).ok());
  EXPECT_NE(Spawn(text), name);
}

TEST_F(UniqueKeysTest, KeysAreTheTenantsAndTheFunctions) {
  Make("tenants { name: 'default' } tenants { name: 'acme' }");
  internal::v1::Hello hello = Hello(0, 0);
  hello.add_functions()->set_name("other");
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  Ask("unique_key { key: 'k' }");
  EXPECT_FALSE(Ask("unique_key { key: 'k' }", "tenants/acme").attached);
  EXPECT_FALSE(Ask("unique_key { key: 'k' } function: 'other'").attached);
  EXPECT_FALSE(Ask("unique_key { key: 'l' }").attached);
  EXPECT_TRUE(Ask("unique_key { key: 'k' }", "tenants/acme").attached);
}

TEST_F(UniqueKeysTest, AnAttachedDurableSpawnWaitsForTheDiskAsTheFirst) {
  Up(0, 0);
  const std::string text = "unique_key { key: 'k' } durability: DURABILITY_DURABLE";
  EXPECT_FALSE(Ask(text).acknowledged);
  EXPECT_FALSE(Ask(text).acknowledged);
  Persist();
  EXPECT_TRUE(Ask(text).acknowledged);
}

TEST_F(UniqueKeysTest, KeysOutliveControl) {
  Up(0, 0);
  const std::string text = "unique_key { key: 'k' } durability: DURABILITY_DURABLE";
  const std::string name = Spawn(text);
  const std::string ended = Spawn("unique_key { key: 'l' } durability: DURABILITY_DURABLE");
  Persist();
  ASSERT_TRUE(engine_->Cancel(ended, "", now_, fx_).ok());
  Persist();
  Make("", 2);
  Recover(Disk());
  Up(0, 0);
  EXPECT_EQ(Ask(text).name, name);
  EXPECT_FALSE(Ask("unique_key { key: 'l' }").attached);
}

TEST_F(UniqueKeysTest, AnEndedTaskComesBackOnlyWhileNobodyElseHasItsKey) {
  Up(0, 0);
  const std::string first = Spawn("unique_key { key: 'k' }");
  ASSERT_TRUE(engine_->Cancel(first, "", now_, fx_).ok());
  const std::string second = Spawn("unique_key { key: 'k' }");
  const TaskAction retry{.kind = TaskAction::Kind::kRetry};
  EXPECT_EQ(RefusalReason(engine_->Change(*engine_->Find(first), retry, now_, fx_).status()),
            "UNIQUE_KEY_TAKEN");
  ASSERT_TRUE(engine_->Cancel(second, "", now_, fx_).ok());
  EXPECT_TRUE(engine_->Change(*engine_->Find(first), retry, now_, fx_).ok());
  EXPECT_EQ(Ask("unique_key { key: 'k' }").name, first);
}

}  // namespace
}  // namespace grove::tasks

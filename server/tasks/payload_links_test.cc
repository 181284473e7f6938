#include "server/tasks/payload_links.h"

#include <utility>

#include "gtest/gtest.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

class PayloadLinksTest : public EngineTest {
 protected:
  void SetUp() override {
    Make("tenants { name: 'acme' } tenants { name: 'borage' }");
    internal::v1::Hello hello = Hello(0);
    hello.mutable_functions(0)->set_streams_input(true);
    hello.add_functions()->set_name("whole");
    ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
    Tick();
  }

  std::string Add(uint64_t low, int64_t bytes = 5'000'000, const std::string& type = "text/csv") {
    PayloadRecord record{.tenant = "acme", .id = {1, low}, .size_bytes = bytes};
    record.content_type = type;
    record.create_us = now_;
    payloads_.Add(record);
    return record.name();
  }
  std::string SpawnOf(const std::string& payload, const std::string& more = "") {
    return Spawn("input_payload: '" + payload + "' " + more, "tenants/acme");
  }
  absl::Status RefusedOf(const std::string& payload, const std::string& more = "",
                         const std::string& parent = "tenants/acme") {
    return Refused("input_payload: '" + payload + "' " + more, parent);
  }
  int64_t TasksOf(const std::string& payload) {
    const PayloadRecord* record = payloads_.Find(payload);
    return record == nullptr ? -1 : record->tasks;
  }
  // The only attempt that was started succeeds, with this output.
  void SucceedWith(uint64_t output) {
    for (const auto& start : TakeStarts()) {
      Outcome ended;
      ended.set_attempt(start.attempt());
      ended.set_outcome(Outcome::OUTCOME_SUCCEEDED);
      ended.mutable_output_payload()->set_file(TaskId{1, output}.ToString());
      ended.set_output_content_type("text/csv");
      engine_->AttemptEnded(0, std::move(ended), now_, fx_);
      Tick();
    }
  }
};

TEST_F(PayloadLinksTest, AnAttemptIsToldTheFileOfItsInput) {
  const std::string payload = Add(1);
  SpawnOf(payload);
  Tick();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].input_payload().file(), (TaskId{1, 1}).ToString());
  EXPECT_EQ(starts[0].input_payload().size_bytes(), 5'000'000);
  EXPECT_EQ(starts[0].input(), "");
  EXPECT_EQ(starts[0].content_type(), "text/csv");
}

TEST_F(PayloadLinksTest, TheContentTypeIsTheSpecsBeforeThePayloads) {
  const std::string task = SpawnOf(Add(1), "content_type: 'application/json'");
  EXPECT_EQ(Get(task).spec().content_type(), "application/json");
  EXPECT_EQ(Get(SpawnOf(Add(2, 5, ""))).spec().content_type(), "application/octet-stream");
}

TEST_F(PayloadLinksTest, ATaskShowsItsPayloadsAndTheirSizes) {
  const std::string input = Add(1);
  const std::string output = Add(2, 7'000'000);
  const std::string task = SpawnOf(input);
  Tick();
  SucceedWith(2);
  EXPECT_EQ(Get(task).spec().input_payload(), input);
  EXPECT_EQ(Get(task).input_size_bytes(), 5'000'000);
  EXPECT_EQ(Get(task).output_payload(), output);
  EXPECT_EQ(Get(task).output_size_bytes(), 7'000'000);
}

TEST_F(PayloadLinksTest, BothLiveUntilTheTaskIsForgotten) {
  const std::string input = Add(1);
  const std::string output = Add(2);
  SpawnOf(input);
  Tick();
  SucceedWith(2);
  EXPECT_EQ(TasksOf(input), 1);
  EXPECT_EQ(TasksOf(output), 1);
  Tick(24 * 3600);
  Tick();
  EXPECT_EQ(TasksOf(input), 0);
  EXPECT_EQ(TasksOf(output), 0);
}

TEST_F(PayloadLinksTest, ADeletedTaskGivesItsPayloadUpOnceThatIsOnDisk) {
  const std::string input = Add(1);
  const std::string task = SpawnOf(input, "durability: DURABILITY_DURABLE");
  Persist();
  SucceedWith(2);
  Persist();
  const auto is_on_disk = [this](uint64_t ticket) { return engine_->IsOnDisk(ticket); };
  ASSERT_TRUE(
      engine_->Change(*engine_->Find(task), {.kind = TaskAction::Kind::kDelete}, now_, fx_).ok());
  EXPECT_EQ(payloads_.TakeLeaving(now_, is_on_disk).size(), 0u);
  Persist();
  EXPECT_EQ(payloads_.TakeLeaving(now_, is_on_disk).size(), 1u);
}

TEST_F(PayloadLinksTest, ATaskThatRunsAgainGivesUpItsOutputAlone) {
  const std::string input = Add(1);
  const std::string output = Add(2);
  const std::string task = SpawnOf(input);
  Tick();
  SucceedWith(2);
  ASSERT_TRUE(
      engine_->Change(*engine_->Find(task), {.kind = TaskAction::Kind::kRetry}, now_, fx_).ok());
  EXPECT_EQ(TasksOf(input), 1);
  EXPECT_EQ(TasksOf(output), 0);
  EXPECT_EQ(Get(task).output_payload(), "");
}

TEST_F(PayloadLinksTest, BothAreHeldAgainAfterARestart) {
  const std::string input = Add(1);
  const std::string output = Add(2);
  const std::string task = SpawnOf(input, "durability: DURABILITY_DURABLE");
  Persist();
  SucceedWith(2);
  Persist();
  const std::vector<StoredTask> disk = Disk();
  payloads_.ReleaseAll(*engine_->Find(task), 0);
  EXPECT_EQ(TasksOf(input), 0);
  Make("tenants { name: 'acme' } tenants { name: 'borage' }", 2);
  Recover(disk);
  EXPECT_EQ(TasksOf(input), 1);
  EXPECT_EQ(TasksOf(output), 1);
  EXPECT_EQ(Get(task).output_payload(), output);
}

TEST_F(PayloadLinksTest, TasksOfAQueueThatTheConfigLacksHoldTheirs) {
  const std::string input = Add(1);
  const std::string task = SpawnOf(input, "durability: DURABILITY_DURABLE");
  Persist();
  const std::vector<StoredTask> disk = Disk();
  payloads_.ReleaseAll(*engine_->Find(task), 0);
  Make("tenants { name: 'borage' }", 2);
  EXPECT_EQ(Recover(disk).left_in_store.size(), 1u);
  EXPECT_EQ(TasksOf(input), 1);
}

TEST_F(PayloadLinksTest, AnothersPayloadIsAsOneThatNeverWas) {
  const std::string payload = Add(1);
  const absl::Status other = RefusedOf(payload, "", "tenants/borage");
  EXPECT_EQ(other.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RefusalReason(other), "PAYLOAD_NOT_FOUND");
  const std::string never = "tenants/acme/payloads/" + TaskId{1, 9}.ToString();
  EXPECT_EQ(RefusalReason(RefusedOf(never)), "PAYLOAD_NOT_FOUND");
}

TEST_F(PayloadLinksTest, WhatIsNoNameOrStandsBesideAnInputIsRefused) {
  EXPECT_EQ(RefusalReason(RefusedOf("nonsense")), "NAME_INVALID");
  EXPECT_EQ(RefusalReason(RefusedOf(Add(1), "input: '1'")), "INPUT_AMBIGUOUS");
}

TEST_F(PayloadLinksTest, AFunctionThatTakesNoStreamGetsNoMoreThanAnInputMayHave) {
  const std::string task = "function: 'whole'";
  EXPECT_EQ(RefusalReason(RefusedOf(Add(1), task)), "INPUT_TOO_LARGE");
  SpawnOf(Add(2, 1 << 20), task);
}

TEST_F(PayloadLinksTest, ARepeatedSpawnIsTheSameOnlyWithTheSamePayload) {
  const std::string first = Add(1);
  const std::string task = SpawnOf(first, "request_id: 'a'");
  EXPECT_EQ(SpawnOf(first, "request_id: 'a'"), task);
  EXPECT_EQ(RefusalReason(RefusedOf(Add(2), "request_id: 'a'")), "REQUEST_ID_REUSED");
}

TEST_F(PayloadLinksTest, AnEndThatIsNotOnDiskHidesItsOutput) {
  Add(2);
  const std::string task = SpawnOf(Add(1), "durability: DURABILITY_DURABLE");
  Persist();
  SucceedWith(2);
  EXPECT_EQ(Get(task).output_payload(), "");
  Persist();
  EXPECT_NE(Get(task).output_payload(), "");
}

}  // namespace
}  // namespace grove::tasks

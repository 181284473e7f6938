#include "server/control/streamed_spawns.h"

#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/control/driver_fixture.h"
#include "server/control/task_calls.h"

namespace grove::control {
namespace {

class StreamedSpawnsTest : public DriverTest {
 protected:
  StreamedSpawnsTest() {
    driver_.AddListener([this] {
      if (spawns_ != nullptr) spawns_->AfterRound();
    });
  }

  // Beside a driver and a stream of `caller`'s.
  void Stream(absl::AnyInvocable<void()> body,
              tenancy::PrincipalPtr caller = tenancy::LocalPrincipal()) {
    Drive([&] {
      ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
      spawns_ = std::make_unique<StreamedSpawns>(
          *hub_, driver_, std::move(caller), [this] { return gate_; },
          [this](AnsweredSpawns answered) { answers_.push_back(std::move(answered)); });
      FiberHandle fiber = *Spawn("stream", [this] { spawns_->Run(); });
      body();
      spawns_->End();
      fiber.Join().IgnoreError();
      spawns_.reset();
    });
  }
  void Take(int64_t sequence, int specs, v1::Durability durability = v1::DURABILITY_VOLATILE) {
    v1::SpawnTasksRequest request;
    request.set_sequence(sequence);
    for (int i = 0; i < specs; ++i) *request.add_specs() = Spec(durability);
    spawns_->Take(std::move(request), 100);
  }
  // Until the stream and the driver have done what there is to do.
  void Settle() {
    for (int i = 0; i < 4; ++i) Yield();
  }
  // All that was written is on disk, and the driver knows.
  void Persist() {
    store_.Persist();
    ASSERT_TRUE(driver_.AwaitRound().ok());
  }
  std::vector<int64_t> Sequences() const {
    std::vector<int64_t> sequences;
    for (const AnsweredSpawns& each : answers_) sequences.push_back(each.response.sequence());
    return sequences;
  }

  absl::Status gate_;
  std::unique_ptr<StreamedSpawns> spawns_;
  std::vector<AnsweredSpawns> answers_;
};

TEST_F(StreamedSpawnsTest, AnswersVolatileTasksWithoutTheDisk) {
  Stream([&] {
    Take(7, 2);
    Settle();
    ASSERT_EQ(Sequences(), std::vector<int64_t>{7});
    ASSERT_EQ(answers_[0].response.results_size(), 2);
    EXPECT_TRUE(engine_.Find(answers_[0].response.results(1).name()).ok());
    EXPECT_EQ(answers_[0].bytes, 100);
    EXPECT_TRUE(spawns_->idle());
  });
}

TEST_F(StreamedSpawnsTest, AnswersDurableTasksOnceTheyAreOnDisk) {
  Stream([&] {
    Take(1, 3, v1::DURABILITY_DURABLE);
    Settle();
    EXPECT_EQ(store_.written().size(), 3u);
    EXPECT_TRUE(answers_.empty());
    EXPECT_FALSE(spawns_->idle());
    Persist();
    EXPECT_EQ(Sequences(), std::vector<int64_t>{1});
  });
}

TEST_F(StreamedSpawnsTest, OneCommitIsEnoughForManyMessages) {
  Stream([&] {
    for (int i = 1; i <= 5; ++i) Take(i, 1, v1::DURABILITY_DURABLE);
    Settle();
    EXPECT_EQ(store_.written().size(), 5u);
    Persist();
    EXPECT_EQ(Sequences(), (std::vector<int64_t>{1, 2, 3, 4, 5}));
  });
}

TEST_F(StreamedSpawnsTest, AnswersInTheOrderOfTheMessages) {
  Stream([&] {
    Take(1, 1, v1::DURABILITY_DURABLE);
    Take(2, 1);
    Settle();
    EXPECT_TRUE(answers_.empty());
    Persist();
    EXPECT_EQ(Sequences(), (std::vector<int64_t>{1, 2}));
  });
}

TEST_F(StreamedSpawnsTest, RefusesEachItemOnItsOwn) {
  Stream([&] {
    v1::SpawnTasksRequest request;
    *request.add_specs() = Spec();
    request.add_specs()->set_function("nobody");
    spawns_->Take(request, 1);
    Settle();
    ASSERT_EQ(answers_.size(), 1u);
    EXPECT_FALSE(answers_[0].response.results(0).name().empty());
    EXPECT_EQ(answers_[0].response.results(1).error().code(), 3);
    EXPECT_TRUE(answers_[0].refused.ok());
  });
}

TEST_F(StreamedSpawnsTest, RefusesAMessageAsAWholeAndGoesOn) {
  Stream([&] {
    Take(1, kBatchMax + 1);
    Settle();
    gate_ = absl::UnavailableError("shut");
    Take(2, 1);
    Settle();
    gate_ = absl::OkStatus();
    Take(3, 1);
    Settle();
    ASSERT_EQ(Sequences(), (std::vector<int64_t>{1, 2, 3}));
    EXPECT_EQ(answers_[0].response.error().code(), 3);
    EXPECT_EQ(answers_[1].response.error().code(), 14);
    EXPECT_EQ(answers_[1].response.results_size(), 0);
    EXPECT_EQ(answers_[2].response.results_size(), 1);
  });
}

TEST_F(StreamedSpawnsTest, AnothersTenantAndQueueAreNotThere) {
  const tenancy::PrincipalPtr amber(new tenancy::Principal{
      .name = "token x", .tenant = "amber", .roles = {tenancy::Role::kWriter}});
  Stream(
      [&] {
        v1::SpawnTasksRequest request;
        request.set_parent("tenants/default");
        *request.add_specs() = Spec();
        spawns_->Take(request, 1);
        request.set_parent("");
        request.mutable_specs(0)->set_queue("tenants/default/queues/default");
        spawns_->Take(request, 1);
        Settle();
        ASSERT_EQ(answers_.size(), 2u);
        EXPECT_EQ(answers_[0].response.error().code(), 5);
        EXPECT_EQ(answers_[1].response.results(0).error().code(), 5);
        EXPECT_EQ(answers_[1].parent, "tenants/amber");
      },
      amber);
}

TEST_F(StreamedSpawnsTest, ADrainRefusesWhatWasNotLookedAtAndAnswersTheRest) {
  Stream([&] {
    Take(1, 1, v1::DURABILITY_DURABLE);
    Settle();
    driver_.Drain(1);
    Take(2, 1);
    Settle();
    Persist();
    ASSERT_EQ(Sequences(), (std::vector<int64_t>{1, 2}));
    EXPECT_FALSE(answers_[0].response.results(0).name().empty());
    EXPECT_EQ(answers_[1].response.error().code(), 14);
    EXPECT_TRUE(absl::IsUnavailable(answers_[1].refused));
  });
}

TEST_F(StreamedSpawnsTest, SaysThatTheDiskHasNotConfirmedInTime) {
  Stream([&] {
    Take(1, 1, v1::DURABILITY_DURABLE);
    Settle();
    Pass(kStoreWaitMax - absl::Seconds(1));
    EXPECT_TRUE(answers_.empty());
    Pass(absl::Seconds(2));
    ASSERT_EQ(answers_.size(), 1u);
    EXPECT_EQ(answers_[0].response.error().code(), 14);
    EXPECT_EQ(answers_[0].response.results_size(), 0);
  });
}

TEST_F(StreamedSpawnsTest, AnEndLeavesNothingBehind) {
  Stream([&] {
    Take(1, 1, v1::DURABILITY_DURABLE);
    Settle();
    spawns_->End();
    Persist();
    EXPECT_TRUE(answers_.empty());
    EXPECT_FALSE(store_.written().empty());
  });
}

}  // namespace
}  // namespace grove::control

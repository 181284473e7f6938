#include "server/control/worker_calls.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/control/driver_fixture.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using ::testing::ElementsAre;

// Three slots, whose workers are all dead.
class WorkerCallsTest : public DriverTest {
 protected:
  WorkerCallsTest() {
    for (int worker = 0; worker < scoreboard_.workers(); ++worker) {
      scoreboard_.slot(worker).state = metrics::SlotState::kDown;
    }
  }

  absl::StatusOr<v1::ListWorkersResponse> List(int32_t page_size, const std::string& token) {
    v1::ListWorkersRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    v1::ListWorkersResponse response;
    if (absl::Status s = calls_.ListWorkers(request, response); !s.ok()) return s;
    return response;
  }
  absl::Status GetFiber(const std::string& name) {
    auto call = std::make_shared<SeenCall>();
    Drive([&] {
      v1::GetFiberRequest request;
      request.set_name(name);
      v1::Fiber response;
      calls_.GetFiber(call, request, response);
      EXPECT_TRUE(call->ended.Wait().ok());
    });
    return call->how;
  }

  metrics::Scoreboard scoreboard_ = *metrics::Scoreboard::Create(3);
  InsideCalls inside_{driver_};
  WorkerLinks links_{"/nowhere", scoreboard_, driver_, inside_};
  OffloadPool offload_{{.threads = 1}};
  FiberReading fibers_{*hub_, scoreboard_, links_, offload_};
  WorkerCalls calls_{*hub_, scoreboard_, links_, fibers_};
};

TEST_F(WorkerCallsTest, ListsEverySlotInPages) {
  const auto first = List(2, "");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->workers_size(), 2);
  EXPECT_EQ(first->workers(1).name(), "workers/1");
  const auto last = List(2, first->next_page_token());
  ASSERT_TRUE(last.ok()) << last.status();
  ASSERT_EQ(last->workers_size(), 1);
  EXPECT_EQ(last->workers(0).name(), "workers/2");
  EXPECT_EQ(last->next_page_token(), "");
}

TEST_F(WorkerCallsTest, ASlotWithoutAProcessIsDown) {
  const auto listed = List(0, "");
  ASSERT_TRUE(listed.ok());
  EXPECT_EQ(listed->workers(0).state(), v1::Worker::STATE_DOWN);
  EXPECT_FALSE(listed->workers(0).linked());
}

TEST_F(WorkerCallsTest, ASlotThatWasScaledAwayIsNeitherListedNorFound) {
  scoreboard_.slot(1).state = metrics::SlotState::kEmpty;
  const auto first = List(1, "");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->workers(0).name(), "workers/0");
  const auto second = List(1, first->next_page_token());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->workers(0).name(), "workers/2");
  EXPECT_TRUE(absl::IsNotFound(GetFiber("workers/1/fibers/17")));
}

TEST_F(WorkerCallsTest, NoPageIsEmptySinceTheLastSlotsWereScaledAway) {
  scoreboard_.slot(1).state = metrics::SlotState::kEmpty;
  scoreboard_.slot(2).state = metrics::SlotState::kEmpty;
  EXPECT_EQ(List(1, "")->next_page_token(), "");
}

TEST_F(WorkerCallsTest, ANewSlotIsListed) {
  scoreboard_.Grow(4);
  EXPECT_EQ(List(0, "")->workers_size(), 3);
  scoreboard_.slot(3).state = metrics::SlotState::kStarting;
  EXPECT_EQ(List(0, "")->workers(3).state(), v1::Worker::STATE_STARTING);
}

TEST_F(WorkerCallsTest, AWorkerWhoseHubDoesNotTurnIsStuck) {
  metrics::WorkerSlot& slot = scoreboard_.slot(1);
  slot.state = metrics::SlotState::kReady;
  slot.last_turn_ns = hub_->ReadClock();
  EXPECT_EQ(List(0, "")->workers(1).state(), v1::Worker::STATE_READY);
  slot.last_turn_ns = hub_->ReadClock() - absl::ToInt64Nanoseconds(absl::Seconds(6));
  EXPECT_EQ(List(0, "")->workers(1).state(), v1::Worker::STATE_STUCK);
}

TEST_F(WorkerCallsTest, AWorkerThatKeepsDyingSaysHowOftenAndWhenItIsStartedAgain) {
  metrics::WorkerSlot& slot = scoreboard_.slot(1);
  slot.quick_deaths = 5;
  slot.due_ns = hub_->ReadClock() + absl::ToInt64Nanoseconds(absl::Milliseconds(3250));
  auto listed = List(0, "");
  EXPECT_EQ(listed->workers(1).quick_deaths(), 5);
  EXPECT_EQ(listed->workers(1).restart_delay().seconds(), 3);
  EXPECT_EQ(listed->workers(1).restart_delay().nanos(), 250'000'000);
  slot.due_ns = hub_->ReadClock();
  listed = List(0, "");
  EXPECT_FALSE(listed->workers(1).has_restart_delay());
  EXPECT_FALSE(listed->workers(0).has_restart_delay());
}

TEST_F(WorkerCallsTest, RefusesATokenOfAnotherList) {
  EXPECT_TRUE(absl::IsInvalidArgument(List(1, "nonsense").status()));
}

TEST_F(WorkerCallsTest, FibersOfAWorkerWithoutALinkAreOutOfReach) {
  const absl::Status status = GetFiber("workers/1/fibers/17");
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(tasks::RefusalReason(status), "WORKER_UNREACHABLE");
}

TEST_F(WorkerCallsTest, RefusesWhatIsNoFibersName) {
  EXPECT_TRUE(absl::IsInvalidArgument(GetFiber("workers/1")));
  EXPECT_TRUE(absl::IsNotFound(GetFiber("workers/3/fibers/17")));
}

TEST_F(WorkerCallsTest, NamesTheWorkersThatDoNotAnswer) {
  Drive([&] {
    auto call = std::make_shared<SeenCall>();
    v1::ListFibersResponse response;
    calls_.ListFibers(call, v1::ListFibersRequest(), response);
    ASSERT_TRUE(call->ended.Wait().ok());
    EXPECT_TRUE(call->how.ok()) << call->how;
    EXPECT_THAT(response.unreachable(), ElementsAre("workers/0", "workers/1", "workers/2"));
  });
}

TEST_F(WorkerCallsTest, AWorkersNameHasOneForm) {
  EXPECT_EQ(*ParseWorkerName("name", "workers/0", scoreboard_), 0);
  EXPECT_EQ(*ParseWorkerName("name", "workers/2", scoreboard_), 2);
  EXPECT_TRUE(absl::IsNotFound(ParseWorkerName("name", "workers/3", scoreboard_).status()));
  for (const char* name : {"", "workers/", "workers/-1", "workers/01", "worker/1", "workers/1/"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseWorkerName("name", name, scoreboard_).status()))
        << name;
  }
}

TEST_F(WorkerCallsTest, TheErrorNamesTheLastWorkerThatThereIs) {
  scoreboard_.slot(2).state = metrics::SlotState::kEmpty;
  EXPECT_THAT(ParseWorkerName("name", "workers/2", scoreboard_).status().message(),
              ::testing::HasSubstr("no workers/2; the last one is workers/1"));
}

}  // namespace
}  // namespace grove::control

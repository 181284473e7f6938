#include "runtime/sync/result_event.h"

#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using ResultEventTest = HubTest;

TEST_F(ResultEventTest, GivesTheValueToAllWaitersInOrderAndToLaterOnes) {
  std::vector<int> order;
  Run([&] {
    ResultEvent<std::string> event;
    for (int i = 0; i < 3; ++i) {
      (void)Spawn("waiter", [&, i] {
        EXPECT_EQ(*event.Wait(), "sent");
        order.push_back(i);
      });
    }
    Yield();
    EXPECT_EQ(event.waiting(), 3u);
    EXPECT_EQ(event.result(), nullptr);
    EXPECT_TRUE(event.Send("sent").ok());
    EXPECT_EQ(**event.result(), "sent");
    Yield();
    EXPECT_EQ(*event.Wait(), "sent");
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST_F(ResultEventTest, AnErrorReachesTheWaitersAsItIs) {
  Run([] {
    ResultEvent<int> event;
    auto waiter = *Spawn(
        "waiter", [&] { EXPECT_EQ(event.Wait().status(), absl::NotFoundError("no such thing")); });
    Yield();
    EXPECT_TRUE(event.Send(absl::NotFoundError("no such thing")).ok());
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(ResultEventTest, IsSentOnceAndTheFirstResultStands) {
  Run([] {
    ResultEvent<int> event;
    EXPECT_TRUE(event.Send(1).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(event.Send(2)));
    EXPECT_TRUE(absl::IsFailedPrecondition(event.Send(absl::UnknownError("late"))));
    EXPECT_EQ(*event.Wait(), 1);
  });
}

TEST_F(ResultEventTest, AResetOneIsAsNewAndOnlyASentOneCanBeReset) {
  Run([] {
    ResultEvent<int> event;
    EXPECT_TRUE(absl::IsFailedPrecondition(event.Reset()));
    EXPECT_TRUE(event.Send(1).ok());
    EXPECT_TRUE(event.Reset().ok());
    EXPECT_FALSE(event.ready());
    EXPECT_TRUE(event.Send(2).ok());
    EXPECT_EQ(*event.Wait(), 2);
  });
}

TEST_F(ResultEventTest, AWaiterKeepsWhatWasSentThoughTheEventIsResetBeforeItRuns) {
  Run([] {
    ResultEvent<int> event;
    auto waiter = *Spawn("waiter", [&] { EXPECT_EQ(*event.Wait(), 1); });
    Yield();
    EXPECT_TRUE(event.Send(1).ok());
    EXPECT_TRUE(event.Reset().ok());
    EXPECT_TRUE(event.Send(2).ok());
    waiter.Cancel();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(ResultEventTest, TellsItsOwnTimeOutFromOneThatWasSent) {
  Run([] {
    ResultEvent<int> event;
    bool waited = true;
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(event.Wait(&waited).status()));
      EXPECT_FALSE(waited);
    }
    EXPECT_EQ(event.waiting(), 0u);
    EXPECT_TRUE(event.Send(absl::DeadlineExceededError("theirs")).ok());
    EXPECT_TRUE(absl::IsDeadlineExceeded(event.Wait(&waited).status()));
    EXPECT_TRUE(waited);
  });
}

TEST_F(ResultEventTest, ACancelledWaiterLeavesTheOthersWaiting) {
  Run([] {
    ResultEvent<int> event;
    auto first = *Spawn("first", [&] { EXPECT_TRUE(absl::IsCancelled(event.Wait().status())); });
    auto second = *Spawn("second", [&] { EXPECT_EQ(*event.Wait(), 1); });
    Yield();
    first.Cancel();
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(event.Send(1).ok());
    EXPECT_TRUE(second.Join().ok());
  });
}

TEST_F(ResultEventTest, WithoutAValueItCarriesAStatus) {
  Run([] {
    ResultEvent<void> event;
    auto waiter = *Spawn("waiter", [&] { EXPECT_TRUE(event.Wait().ok()); });
    Yield();
    EXPECT_TRUE(event.Send(absl::OkStatus()).ok());
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_TRUE(event.Reset().ok());
    EXPECT_TRUE(event.Send(absl::AbortedError("over")).ok());
    EXPECT_TRUE(absl::IsAborted(event.Wait()));
  });
}

}  // namespace
}  // namespace grove

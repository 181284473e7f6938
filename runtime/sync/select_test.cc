#include "runtime/sync/select.h"

#include <memory>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/queue_order.h"

namespace grove {
namespace {

// Two queues and an event, and what waits on them.
struct Sources {
  Queue<int> numbers;
  Queue<std::string> words;
  ResultEvent<int> event;
  SelectGet<int, FirstInFirstOut<int>> number{numbers};
  SelectGet<std::string, FirstInFirstOut<std::string>> word{words};
  SelectEvent<int> sent{event};
  Selector selector{&number, &word, &sent};
};

using SelectorTest = HubTest;

TEST_F(SelectorTest, TakesFromTheOneThatIsReadyAlready) {
  Run([] {
    Sources s;
    EXPECT_FALSE(s.selector.TryWait().has_value());
    EXPECT_TRUE(s.words.Put("word").ok());
    EXPECT_EQ(*s.selector.Wait(), 1u);
    EXPECT_EQ(*s.word.Take(), "word");
    EXPECT_TRUE(s.event.Send(5).ok());
    EXPECT_EQ(s.selector.TryWait(), 2u);
    EXPECT_EQ(*s.sent.result(), 5);
  });
}

TEST_F(SelectorTest, IsWokenByTheFirstAndTakesNothingFromTheOthers) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*s.selector.Wait(), 1u);
      EXPECT_EQ(*s.word.Take(), "first");
    });
    Yield();
    EXPECT_TRUE(s.words.TryPut("first"));
    EXPECT_EQ(s.numbers.getting() + s.words.getting() + s.event.waiting(), 0u);
    EXPECT_TRUE(s.words.TryPut("second"));
    EXPECT_TRUE(s.numbers.TryPut(1));
    EXPECT_TRUE(s.event.Send(2).ok());
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(s.words.size(), 1u);
    EXPECT_EQ(s.numbers.size(), 1u);
  });
}

TEST_F(SelectorTest, IsWokenByAnEventAndLeavesTheQueues) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*s.selector.Wait(), 2u);
      EXPECT_TRUE(absl::IsAborted(s.sent.result().status()));
    });
    Yield();
    EXPECT_TRUE(s.event.Send(absl::AbortedError("stop")).ok());
    EXPECT_TRUE(s.event.Reset().ok());
    EXPECT_TRUE(s.numbers.TryPut(1));
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(s.numbers.size(), 1u);
  });
}

TEST_F(SelectorTest, TakesTurnsAmongThoseThatAreReady) {
  std::vector<size_t> chosen;
  Run([&] {
    Sources s;
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(s.numbers.Put(i).ok());
      EXPECT_TRUE(s.words.Put("word").ok());
    }
    EXPECT_TRUE(s.event.Send(1).ok());
    for (int i = 0; i < 7; ++i) {
      chosen.push_back(*s.selector.Wait());
      if (chosen.back() == 0) (void)s.number.Take();
      if (chosen.back() == 1) (void)s.word.Take();
    }
  });
  EXPECT_EQ(chosen, (std::vector<size_t>{0, 1, 2, 0, 1, 2, 0}));
}

TEST_F(SelectorTest, StandsInLineWithOtherGettersFirstComeFirstServed) {
  Run([] {
    Sources s;
    int before = 0;
    int selected = 0;
    int after = 0;
    (void)Spawn("before", [&] { before = *s.numbers.Get(); });
    (void)Spawn("selecting", [&] {
      EXPECT_EQ(*s.selector.Wait(), 0u);
      selected = *s.number.Take();
    });
    (void)Spawn("after", [&] { after = *s.numbers.Get(); });
    Yield();
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(s.numbers.TryPut(int{i}));
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ((std::vector<int>{before, selected, after}), (std::vector<int>{1, 2, 3}));
  });
}

TEST_F(SelectorTest, MeetsPuttersOfARendezvousFromBothSides) {
  Run([] {
    Queue<int> queue(0);
    PriorityQueue<int> idle;
    SelectGet number(queue);
    SelectGet other(idle);
    Selector selector({&other, &number});
    auto early = *Spawn("early", [&] { EXPECT_TRUE(queue.Put(1).ok()); });
    Yield();
    EXPECT_EQ(*selector.Wait(), 1u);
    EXPECT_EQ(*number.Take(), 1);
    auto late = *Spawn("late", [&] { EXPECT_TRUE(queue.TryPut(2)); });
    EXPECT_EQ(*selector.Wait(), 1u);
    EXPECT_EQ(*number.Take(), 2);
    EXPECT_TRUE(early.Join().ok());
    EXPECT_TRUE(late.Join().ok());
  });
}

TEST_F(SelectorTest, AClosedQueueIsReadyWithOutOfRange) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*s.selector.Wait(), 1u);
      EXPECT_TRUE(absl::IsOutOfRange(s.word.Take().status()));
      EXPECT_EQ(*s.selector.Wait(), 1u);
      EXPECT_TRUE(absl::IsOutOfRange(s.word.Take().status()));
    });
    Yield();
    s.words.Close();
    EXPECT_EQ(s.numbers.getting(), 0u);
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(SelectorTest, AValueThatWasNotFetchedIsKept) {
  Run([] {
    Sources s;
    EXPECT_TRUE(s.numbers.Put(1).ok());
    EXPECT_TRUE(s.numbers.Put(2).ok());
    EXPECT_EQ(*s.selector.Wait(), 0u);
    EXPECT_EQ(*s.selector.Wait(), 0u);
    EXPECT_EQ(*s.number.Take(), 1);
    EXPECT_EQ(s.numbers.size(), 1u);
  });
}

TEST_F(SelectorTest, ATimedOutOrCancelledWaitLeavesEveryLine) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      {
        Timeout timeout(absl::Seconds(1));
        EXPECT_TRUE(absl::IsDeadlineExceeded(s.selector.Wait().status()));
      }
      EXPECT_TRUE(absl::IsCancelled(s.selector.Wait().status()));
      EXPECT_EQ(s.numbers.getting() + s.words.getting() + s.event.waiting(), 0u);
    });
    (void)Sleep(absl::Seconds(2));
    EXPECT_EQ(s.numbers.getting(), 1u);
    waiter.Cancel();
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_TRUE(s.numbers.TryPut(1));
    EXPECT_EQ(s.numbers.size(), 1u);
  });
}

TEST_F(SelectorTest, AValueThatWasHandedOverIsNotLostToACancelInTheSameTurn) {
  Run([] {
    Sources s;
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*s.selector.Wait(), 0u);
      EXPECT_EQ(*s.number.Take(), 1);
    });
    Yield();
    EXPECT_TRUE(s.numbers.TryPut(1));
    waiter.Cancel();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(SelectorTest, MayNameOneQueueTwice) {
  Run([] {
    Queue<int> queue;
    SelectGet one(queue);
    SelectGet two(queue);
    Selector selector({&one, &two});
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*selector.Wait(), 0u);
      EXPECT_EQ(*one.Take(), 1);
    });
    Yield();
    EXPECT_EQ(queue.getting(), 2u);
    EXPECT_TRUE(queue.TryPut(1));
    EXPECT_EQ(queue.getting(), 0u);
    EXPECT_TRUE(queue.TryPut(2));
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(queue.size(), 1u);
  });
}

TEST_F(SelectorTest, IsReadyForAPlainEventWhileItIsSet) {
  Run([] {
    Event stop;
    Queue<int> queue;
    SelectEvent stopped(stop);
    SelectGet number(queue);
    Selector selector({&number, &stopped});
    auto waiter = *Spawn("waiter", [&] { EXPECT_EQ(*selector.Wait(), 1u); });
    Yield();
    stop.Set();
    EXPECT_EQ(queue.getting(), 0u);
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(selector.TryWait(), 1u);
    stop.Reset();
    EXPECT_FALSE(selector.TryWait().has_value());
  });
}

TEST_F(SelectorTest, PutsItsValueOnlyWhereItIsChosen) {
  Run([] {
    Queue<std::string> full(1);
    Queue<std::string> open(1);
    EXPECT_TRUE(full.Put("first").ok());
    SelectPut to_full(full, std::string("a"));
    SelectPut to_open(open, std::string("b"));
    Selector selector({&to_full, &to_open});
    EXPECT_EQ(*selector.Wait(), 1u);
    EXPECT_TRUE(to_open.status().ok());
    EXPECT_FALSE(to_open.offered());
    EXPECT_EQ(*open.Get(), "b");
    EXPECT_FALSE(selector.TryWait().has_value());  // nothing is offered to the one with room
    EXPECT_EQ(to_full.TakeBack(), "a");
  });
}

TEST_F(SelectorTest, PutsWhenRoomIsMadeAndNotTwice) {
  Run([] {
    Queue<int> full(1);
    EXPECT_TRUE(full.Put(1).ok());
    Queue<int> idle;
    SelectGet other(idle);
    SelectPut put(full, 2);
    Selector selector({&other, &put});
    auto putter = *Spawn("putter", [&] {
      EXPECT_EQ(*selector.Wait(), 1u);
      EXPECT_TRUE(put.status().ok());
      EXPECT_FALSE(put.offered());
    });
    Yield();
    EXPECT_EQ(full.putting(), 1u);
    EXPECT_EQ(*full.Get(), 1);
    EXPECT_TRUE(idle.TryPut(7));
    EXPECT_TRUE(putter.Join().ok());
    EXPECT_EQ(*full.Get(), 2);
    EXPECT_EQ(idle.size(), 1u);
    EXPECT_EQ(full.unfinished(), 2u);
  });
}

TEST_F(SelectorTest, APutThatWasServedCountsThoughTheQueueIsClosedInTheSameTurn) {
  Run([] {
    Queue<int> queue(0);
    SelectPut put(queue, 1);
    Selector selector({&put});
    auto putter = *Spawn("putter", [&] {
      EXPECT_EQ(*selector.Wait(), 0u);
      EXPECT_TRUE(put.status().ok());
    });
    Yield();
    EXPECT_EQ(*queue.Get(), 1);
    queue.Close();
    EXPECT_TRUE(putter.Join().ok());
  });
}

TEST_F(SelectorTest, APutToAClosedQueueKeepsItsValue) {
  Run([] {
    Queue<int> queue(0);
    SelectPut put(queue, 1);
    Selector selector({&put});
    auto putter = *Spawn("putter", [&] {
      for (int i = 0; i < 2; ++i) {  // closed while it waits, and before
        EXPECT_EQ(*selector.Wait(), 0u);
        EXPECT_TRUE(absl::IsFailedPrecondition(put.status()));
      }
      EXPECT_EQ(put.TakeBack(), 1);
    });
    Yield();
    queue.Close();
    EXPECT_TRUE(putter.Join().ok());
    EXPECT_EQ(queue.unfinished(), 0u);
  });
}

TEST_F(SelectorTest, ATimedOutPutKeepsItsValueAndLeavesTheLine) {
  Run([] {
    Queue<int> queue(0);
    SelectPut put(queue, 1);
    Selector selector({&put});
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(selector.Wait().status()));
    }
    EXPECT_TRUE(put.offered());
    EXPECT_EQ(queue.putting(), 0u);
  });
}

// Two fibers that each would rather put or get on two rendezvous queues.
TEST_F(SelectorTest, BothSidesOfARendezvousMaySelectWithoutALostOrDoubledValue) {
  constexpr int kValues = 100;
  std::vector<int> sent;
  std::vector<int> got;
  Run([&] {
    Queue<int> left(0);
    Queue<int> right(0);
    auto getter = *Spawn("getter", [&] {
      SelectGet from_left(left);
      SelectGet from_right(right);
      Selector selector({&from_left, &from_right});
      for (int i = 0; i < kValues; ++i) {
        got.push_back(*selector.Wait() == 0 ? *from_left.Take() : *from_right.Take());
        if (i % 3 == 0) Yield();
      }
    });
    SelectPut to_left(left);
    SelectPut to_right(right);
    Selector selector({&to_left, &to_right});
    for (int i = 0; i < kValues; ++i) {
      to_left.Offer(2 * i);
      to_right.Offer(2 * i + 1);
      sent.push_back(*selector.Wait() == 0 ? 2 * i : 2 * i + 1);
      EXPECT_NE(to_left.offered(), to_right.offered());
      if (i % 5 == 0) Yield();
    }
    EXPECT_TRUE(getter.Join().ok());
    EXPECT_EQ(left.unfinished() + right.unfinished(), static_cast<uint64_t>(kValues));
  });
  EXPECT_EQ(got, sent);
}

TEST_F(SelectorTest, DoesNotMeetItselfButItsLikeOnOneRendezvous) {
  Run([] {
    Queue<int> queue(0);
    const auto put_or_get = [&queue](int value) {
      SelectPut put(queue, value);
      SelectGet get(queue);
      Selector selector({&put, &get});
      return *selector.Wait() == 0 ? -1 : *get.Take();
    };
    std::vector<int> outcomes;
    auto one = *Spawn("one", [&] { outcomes.push_back(put_or_get(1)); });
    Yield();
    EXPECT_EQ(queue.putting() + queue.getting(), 2u);
    auto two = *Spawn("two", [&] { outcomes.push_back(put_or_get(2)); });
    EXPECT_TRUE(one.Join().ok());
    EXPECT_TRUE(two.Join().ok());
    EXPECT_EQ(outcomes, (std::vector<int>{-1, 2}));
    EXPECT_EQ(queue.putting() + queue.getting(), 0u);
  });
}

TEST_F(SelectorTest, TakesAPermitInItsTurnAndNoneIfAnotherCaseIsChosen) {
  Run([] {
    Semaphore semaphore(0);
    Event stop;
    SelectAcquire permit(semaphore);
    SelectEvent stopped(stop);
    Selector selector({&stopped, &permit});
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_EQ(*selector.Wait(), 1u);
      EXPECT_EQ(*selector.Wait(), 0u);
    });
    Yield();
    semaphore.Release();
    EXPECT_EQ(semaphore.free(), 0);
    Yield();
    stop.Set();
    semaphore.Release();
    EXPECT_EQ(semaphore.free(), 1);
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(SelectorTest, ATimerIsReadyFromItsMomentOnUntilItIsRestarted) {
  Run([] {
    Queue<int> queue;
    SelectGet number(queue);
    SelectTimer timer(absl::Seconds(5));
    Selector selector({&number, &timer});
    auto sender = *Spawn("sender", [&] {
      (void)Sleep(absl::Seconds(1));
      (void)queue.Put(1);
    });
    EXPECT_EQ(*selector.Wait(), 0u);
    EXPECT_EQ(*number.Take(), 1);
    EXPECT_EQ(*selector.Wait(), 1u);
    EXPECT_EQ(*selector.Wait(), 1u);
    timer.Restart(absl::Seconds(5));
    EXPECT_FALSE(selector.TryWait().has_value());
    EXPECT_EQ(*selector.Wait(), 1u);
    EXPECT_TRUE(sender.Join().ok());
  });
}

TEST_F(SelectorTest, NoneOfWhoseCasesCanBecomeReadyDies) {
  EXPECT_DEATH(Run([] {
                 Queue<int> queue(0);
                 SelectPut nothing(queue);
                 Selector selector({&nothing});
                 (void)selector.Wait();
               }),
               "none of whose cases");
}

}  // namespace
}  // namespace grove

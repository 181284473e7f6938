#include "runtime/select.h"

#include <memory>
#include <string>
#include <vector>

#include "runtime/hub_fixture.h"
#include "runtime/priority_queue.h"
#include "runtime/timeout.h"

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
  (void)Run([] {
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
  (void)Run([] {
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
  (void)Run([] {
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
  (void)Run([&] {
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
  (void)Run([] {
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
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(s.numbers.TryPut(std::move(i)));
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ((std::vector<int>{before, selected, after}), (std::vector<int>{1, 2, 3}));
  });
}

TEST_F(SelectorTest, MeetsPuttersOfARendezvousFromBothSides) {
  (void)Run([] {
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
  (void)Run([] {
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
  (void)Run([] {
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
  (void)Run([] {
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
  (void)Run([] {
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
  (void)Run([] {
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

}  // namespace
}  // namespace grove

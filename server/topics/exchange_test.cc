#include "server/topics/exchange.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"
#include "runtime/sync/select.h"

namespace grove::topics {
namespace {

std::string NewFolder() {
  std::string path = "/tmp/grove_topics.XXXXXX";  // a socket's path is short
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  return path;
}

int Connected(const std::string& path, bool listens) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* at = reinterpret_cast<const sockaddr*>(&address);
  if (listens) {
    EXPECT_EQ(bind(fd, at, sizeof(address)), 0);
    EXPECT_EQ(listen(fd, 1), 0);
  } else {
    EXPECT_EQ(connect(fd, at, sizeof(address)), 0);
  }
  return fd;
}

class ExchangeTest : public HubTest {
 protected:
  ~ExchangeTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Exchange> Opened(int slot) {
    auto exchange = std::make_unique<Exchange>(
        Exchange::Options{.slot = slot, .folder = folder_, .live_slots = [this] { return live_; }});
    EXPECT_TRUE(exchange->Open().ok());
    return exchange;
  }
  // Runs `body` while these hear the others.
  template <typename F>
  void RunWith(const std::vector<Exchange*>& workers, F body) {
    Run([&] {
      FiberGroup group;
      for (Exchange* worker : workers) {
        ASSERT_TRUE(group.Spawn("run", [worker] { worker->Run().IgnoreError(); }).ok());
      }
      body();
      group.Cancel();
      group.Join().IgnoreError();
    });
  }
  static std::string Next(Subscription& subscription) {
    const absl::StatusOr<Message> message = subscription.Next();
    return message.ok() ? message->bytes() : message.status().ToString();
  }
  std::string PathOf(int slot) const {
    return folder_ + "/worker-" + std::to_string(slot) + ".topics";
  }

  const std::string folder_ = NewFolder();
  std::vector<int> live_ = {0, 1, 2};
};

TEST_F(ExchangeTest, WhoeverTookItsPathOverKeepsIt) {
  const auto zero = Opened(0);
  auto old = Opened(1);
  const auto next = Opened(1);
  old = nullptr;
  RunWith({next.get()}, [&] {
    Subscription heard = *next->Subscribe("news", 10);
    ASSERT_TRUE(zero->Publish("news", "a").ok());
    EXPECT_EQ(Next(heard), "a");
  });
}

TEST_F(ExchangeTest, EverySubscriberOfEveryWorkerHearsItTheOwnIncluded) {
  const auto zero = Opened(0);
  const auto one = Opened(1);
  RunWith({zero.get(), one.get()}, [&] {
    Subscription own = *zero->Subscribe("news", 10);
    Subscription other = *one->Subscribe("news", 10);
    Subscription beside = *one->Subscribe("news", 10);
    Subscription elsewhere = *one->Subscribe("sports", 10);
    ASSERT_TRUE(zero->Publish("news", std::string("a\0b", 3)).ok());
    for (Subscription* each : {&own, &other, &beside}) {
      const absl::StatusOr<Message> message = each->Next();
      ASSERT_TRUE(message.ok());
      EXPECT_EQ(message->bytes(), std::string("a\0b", 3));
      EXPECT_EQ(message->worker, 0);
    }
    EXPECT_FALSE(elsewhere.TryNext().has_value());
    EXPECT_EQ(zero->stats().published, 1u);
    EXPECT_EQ(zero->stats().delivered, 1u);
    EXPECT_EQ(one->stats().delivered, 2u);
  });
}

TEST_F(ExchangeTest, EachPublishersOrderIsKept) {
  const auto zero = Opened(0);
  const auto one = Opened(1);
  const auto two = Opened(2);
  RunWith({zero.get(), one.get(), two.get()}, [&] {
    Subscription all = *two->Subscribe("t", 1000);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(zero->Publish("t", std::to_string(i)).ok());
      ASSERT_TRUE(one->Publish("t", std::to_string(i)).ok());
    }
    std::array<int, 2> next{};
    for (int i = 0; i < 200; ++i) {
      const absl::StatusOr<Message> message = all.Next();
      ASSERT_TRUE(message.ok());
      EXPECT_EQ(message->bytes(), std::to_string(next.at(message->worker)++));
    }
    EXPECT_FALSE(all.TakeGap().any());
  });
}

TEST_F(ExchangeTest, WaitingEndsByTimeCancellationAndSelection) {
  const auto zero = Opened(0);
  Run([&] {
    Subscription subscription = *zero->Subscribe("t", 10);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_EQ(subscription.Next().status().code(), absl::StatusCode::kDeadlineExceeded);
    }
    absl::Status seen;
    FiberGroup group;
    ASSERT_TRUE(group.Spawn("waits", [&] { seen = subscription.Next().status(); }).ok());
    Yield();
    group.Cancel();
    group.Join().IgnoreError();
    EXPECT_EQ(seen.code(), absl::StatusCode::kCancelled);
    Event never;
    SelectEvent stop(never);
    SelectGet next(subscription.queue());
    Selector selector({&stop, &next});
    ASSERT_TRUE(zero->Publish("t", "x").ok());
    ASSERT_EQ(*selector.Wait(), 1u);
    EXPECT_EQ(next.Take()->bytes(), "x");
  });
}

TEST_F(ExchangeTest, WhoIsSlowMissesAloneAndIsTold) {
  const auto zero = Opened(0);
  Run([&] {
    Subscription slow = *zero->Subscribe("t", 2);
    Subscription quick = *zero->Subscribe("t", 10);
    for (const char* each : {"1", "2", "3", "4", "5"}) ASSERT_TRUE(zero->Publish("t", each).ok());
    EXPECT_EQ(slow.TakeGap().dropped, 3u);
    EXPECT_FALSE(slow.TakeGap().any());
    EXPECT_EQ(Next(slow), "1");
    EXPECT_EQ(Next(slow), "2");
    EXPECT_EQ(quick.queue().size(), 5u);
    EXPECT_FALSE(quick.TakeGap().any());
    EXPECT_EQ(zero->stats().dropped, 3u);
  });
}

TEST_F(ExchangeTest, AWorkerThatDoesNotReadHoldsNobodyUpAndHearsOfItsLoss) {
  const auto zero = Opened(0);
  const auto stuck = Opened(1);
  const auto two = Opened(2);
  Subscription behind = *stuck->Subscribe("t", 100'000);
  Subscription well = *two->Subscribe("t", 100'000);
  uint64_t published = 0;
  RunWith({two.get()}, [&] {
    while (zero->stats().unsent < 3) {
      ASSERT_TRUE(zero->Publish("t", std::string(kMessageBytesMax, 'x')).ok());
      ++published;
      ASSERT_EQ(Next(well).size(), kMessageBytesMax);
    }
    EXPECT_FALSE(well.TakeGap().any());
  });
  EXPECT_GT(published, 3u);  // the largest fit
  RunWith({stuck.get()}, [&] {
    for (uint64_t i = 0; i < published - 3; ++i) ASSERT_EQ(Next(behind).size(), kMessageBytesMax);
    EXPECT_FALSE(behind.TakeGap().any());
    ASSERT_TRUE(zero->Publish("t", "after").ok());
    EXPECT_EQ(Next(behind), "after");
    EXPECT_EQ(behind.TakeGap().lost, 3u);
    EXPECT_EQ(stuck->stats().dropped, 0u);
  });
}

TEST_F(ExchangeTest, BoundsAreSaid) {
  const auto zero = Opened(0);
  const absl::Status large = zero->Publish("t", std::string(kMessageBytesMax + 1, 'x'));
  EXPECT_EQ(large, absl::InvalidArgumentError("a message of 65537 bytes: it may have 65536"));
  EXPECT_EQ(zero->Publish("", "x"), absl::InvalidArgumentError("a topic needs a name"));
  EXPECT_EQ(zero->Subscribe(std::string(256, 't'), 1).status(),
            absl::InvalidArgumentError("a topic's name of 256 bytes: it may have 255"));
  EXPECT_TRUE(absl::IsInvalidArgument(zero->Subscribe("t", 0).status()));
  EXPECT_EQ(zero->stats().published, 0u);
}

TEST_F(ExchangeTest, WhoIsNotThereIsNoLoss) {
  const auto zero = Opened(0);
  ASSERT_TRUE(zero->Publish("t", "x").ok());
  EXPECT_EQ(zero->stats().unsent, 0u);
}

// Both of them, as a reading end that is gone and as a new one at its path.
TEST_F(ExchangeTest, ASuccessorHearsWhatIsPublishedAfterItsStart) {
  const auto zero = Opened(0);
  auto one = Opened(1);
  ASSERT_TRUE(zero->Publish("t", "to the first").ok());
  one.reset();
  EXPECT_FALSE(std::filesystem::exists(PathOf(1)));
  ASSERT_TRUE(zero->Publish("t", "to nobody").ok());
  one = Opened(1);
  RunWith({one.get()}, [&] {
    Subscription subscription = *one->Subscribe("t", 10);
    ASSERT_TRUE(zero->Publish("t", "to the second").ok());
    EXPECT_EQ(Next(subscription), "to the second");
    EXPECT_FALSE(subscription.TakeGap().any());
  });
}

TEST_F(ExchangeTest, AWorkerThatIsKilledWhileItIsToldIsFollowedByItsSuccessor) {
  const int listening = Connected(PathOf(1), /*listens=*/true);
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    recv(accept(listening, nullptr, nullptr), &byte, 1, 0);
    raise(SIGKILL);
  }
  close(listening);
  const auto zero = Opened(0);
  for (int status = 0; waitpid(child, &status, WNOHANG) == 0;) {
    ASSERT_TRUE(zero->Publish("t", "x").ok());
  }
  EXPECT_TRUE(std::filesystem::exists(PathOf(1)));  // nobody has cleared up
  ASSERT_TRUE(zero->Publish("t", "to nobody").ok());
  const auto successor = Opened(1);
  RunWith({successor.get()}, [&] {
    Subscription subscription = *successor->Subscribe("t", 10);
    ASSERT_TRUE(zero->Publish("t", "back").ok());
    EXPECT_EQ(Next(subscription), "back");
    EXPECT_FALSE(subscription.TakeGap().any());
  });
}

TEST_F(ExchangeTest, ASlotWithoutAWorkerIsToldNothingAndForgotten) {
  const auto zero = Opened(0);
  const auto one = Opened(1);
  RunWith({one.get()}, [&] {
    Subscription subscription = *one->Subscribe("t", 10);
    ASSERT_TRUE(zero->Publish("t", "1").ok());
    EXPECT_EQ(Next(subscription), "1");
    live_ = {0};
    ASSERT_TRUE(zero->Publish("t", "2").ok());
    live_ = {0, 1};
    ASSERT_TRUE(zero->Publish("t", "3").ok());
    EXPECT_EQ(Next(subscription), "3");
  });
}

TEST_F(ExchangeTest, WhatIsNoMessageIsCountedAndTold) {
  const auto zero = Opened(0);
  const auto one = Opened(1);
  RunWith({zero.get(), one.get()}, [&] {
    Subscription subscription = *zero->Subscribe("t", 10);
    const int stranger = Connected(PathOf(0), /*listens=*/false);
    ASSERT_EQ(send(stranger, "no message at all, but long enough", 34, 0), 34);
    close(stranger);
    while (zero->stats().unreadable == 0) Yield();
    EXPECT_EQ(subscription.TakeGap().lost, 1u);
    ASSERT_TRUE(one->Publish("t", "x").ok());
    EXPECT_EQ(Next(subscription), "x");
  });
}

TEST_F(ExchangeTest, ASubscriptionMayOutliveTheExchange) {
  auto zero = Opened(0);
  Subscription subscription = *zero->Subscribe("t", 10);
  EXPECT_EQ(zero->subscriptions(), 1u);
  zero.reset();
  EXPECT_FALSE(subscription.TryNext().has_value());
}

TEST_F(ExchangeTest, WithoutAWorkerThereAreNone) {
  EXPECT_TRUE(absl::IsUnavailable(NoTopics().Publish("t", "x")));
  EXPECT_TRUE(absl::IsUnavailable(NoTopics().Subscribe("t").status()));
}

TEST_F(ExchangeTest, APathThatIsTooLongIsRefused) {
  Exchange exchange({.slot = 0, .folder = std::string(200, 'f'), .live_slots = {}});
  EXPECT_TRUE(absl::IsInvalidArgument(exchange.Open()));
}

}  // namespace
}  // namespace grove::topics

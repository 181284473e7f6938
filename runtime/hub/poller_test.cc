// Both pollers by themselves, and what sockets and listeners do over each of them.
#include "runtime/hub/poller.h"

#include <gmock/gmock.h>

#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/hub/clock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

std::string Name(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

TEST(PollerByName, ListsTheNamesThereAre) {
  const absl::Status status = Poller::ByName("kqueue").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "no poller is called \"kqueue\"; there are: epoll, poll");
}

// One end of a stream in a poller, the other in the test's hand.
class PollerTest : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr uint64_t kToken = 77;

  void SetUp() override {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds_), 0);
  }
  void TearDown() override {
    poller_->Remove(fds_[0]);
    close(fds_[0]);
    close(fds_[1]);
  }
  std::vector<Poller::Event> Wait() {
    std::vector<Poller::Event> events;
    poller_->Wait(0, 0, events);
    return events;
  }
  void Add(uint64_t token, Poller::Mode mode) {
    ASSERT_TRUE(poller_->Add(fds_[0], token, mode).ok());
    if (mode == Poller::Mode::kEdge) Wait();  // epoll's first edges
  }
  void Send() { ASSERT_EQ(write(fds_[1], "x", 1), 1); }
  void Drain() {
    char buffer[16];
    ASSERT_GT(read(fds_[0], buffer, sizeof(buffer)), 0);
  }

  const std::unique_ptr<Poller> poller_ = *Poller::ByName(GetParam());
  int fds_[2];
};

INSTANTIATE_TEST_SUITE_P(Both, PollerTest, ::testing::Values("epoll", "poll"), Name);

TEST_P(PollerTest, TellsADirectionOnceThoughItStaysReady) {
  Add(kToken, Poller::Mode::kEdge);
  poller_->Rearm(fds_[0], Direction::kRead);
  EXPECT_TRUE(Wait().empty());
  Send();
  const std::vector<Poller::Event> events = Wait();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].token, kToken);
  EXPECT_TRUE(events[0].readable);
  EXPECT_FALSE(events[0].hangup);
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, TellsItAgainAfterADrainAndARearm) {
  Add(kToken, Poller::Mode::kEdge);
  for (int i = 0; i < 3; ++i) {
    poller_->Rearm(fds_[0], Direction::kRead);
    Send();
    EXPECT_EQ(Wait().size(), 1u);
    Drain();
  }
}

TEST_P(PollerTest, AHangUpIsToldForBothDirectionsAndDoesNotSpin) {
  Add(kToken, Poller::Mode::kEdge);
  poller_->Rearm(fds_[0], Direction::kWrite);
  poller_->Rearm(fds_[0], Direction::kRead);
  Wait();
  poller_->Rearm(fds_[0], Direction::kRead);
  shutdown(fds_[1], SHUT_RDWR);
  const std::vector<Poller::Event> events = Wait();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].readable && events[0].writable && events[0].hangup);
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, TellsASharedListenerAndTheWakeUpForAsLongAsTheyAreReadable) {
  for (const auto& [token, mode] : {std::pair(kToken, Poller::Mode::kSharedListener),
                                    std::pair(Poller::kWakeToken, Poller::Mode::kEdge)}) {
    Add(token, mode);
    EXPECT_TRUE(Wait().empty());
    for (int i = 0; i < 2; ++i) {
      Send();
      EXPECT_EQ(Wait().size(), 1u);
      if (mode == Poller::Mode::kSharedListener) {
        EXPECT_EQ(Wait().size(), 1u);
      }
      Drain();
      EXPECT_TRUE(Wait().empty());
    }
    poller_->Remove(fds_[0]);
  }
}

TEST_P(PollerTest, TellsNothingOfARemovedDescriptor) {
  Add(kToken, Poller::Mode::kEdge);
  poller_->Rearm(fds_[0], Direction::kRead);
  Send();
  poller_->Remove(fds_[0]);
  poller_->Rearm(fds_[0], Direction::kRead);
  EXPECT_TRUE(Wait().empty());
}

TEST_P(PollerTest, RefusesADescriptorTwiceAndOneThatIsNotOpen) {
  Add(kToken, Poller::Mode::kEdge);
  EXPECT_TRUE(absl::IsAlreadyExists(poller_->Add(fds_[0], kToken, Poller::Mode::kEdge)));
  EXPECT_FALSE(poller_->Add(-1, kToken, Poller::Mode::kEdge).ok());
}

TEST_P(PollerTest, TellsAllOfManyAtOnce) {
  constexpr int kPairs = 20;
  int pairs[kPairs][2];
  for (int i = 0; i < kPairs; ++i) {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]), 0);
    ASSERT_TRUE(poller_->Add(pairs[i][0], i, Poller::Mode::kEdge).ok());
  }
  Wait();
  for (int i = 0; i < kPairs; ++i) {
    poller_->Rearm(pairs[i][0], Direction::kRead);
    if (i % 3 == 0) continue;
    ASSERT_EQ(write(pairs[i][1], "x", 1), 1);
  }
  uint64_t told = 0;
  for (const Poller::Event& event : Wait()) told |= uint64_t{1} << event.token;
  for (int i = 0; i < kPairs; ++i) EXPECT_EQ(told >> i & 1, i % 3 != 0) << i;
  EXPECT_TRUE(Wait().empty());
  for (auto& [a, b] : pairs) {
    poller_->Remove(a);
    close(a);
    close(b);
  }
}

TEST_P(PollerTest, WaitsNoShorterThanUntilItsDeadlineToTheNanosecond) {
  Add(kToken, Poller::Mode::kEdge);
  const MonotonicNanos deadline = Clock::Monotonic().Now() + 1'300'001;  // no whole millisecond
  std::vector<Poller::Event> events;
  poller_->Wait(Clock::Monotonic().Now(), deadline, events);
  EXPECT_TRUE(events.empty());
  EXPECT_GE(Clock::Monotonic().Now(), deadline);
}

// As FakePoller, over the poller under test; counts the waits that found something.
class CountingPoller final : public Poller {
 public:
  CountingPoller(FakeClock& clock, std::unique_ptr<Poller> kernel, int& fruitful)
      : clock_(clock), kernel_(std::move(kernel)), fruitful_(fruitful) {}

  absl::Status Add(int fd, uint64_t token, Mode mode) override {
    return kernel_->Add(fd, token, mode);
  }
  void Remove(int fd) override { kernel_->Remove(fd); }
  void RemoveClosing(int fd) override { kernel_->RemoveClosing(fd); }
  void Rearm(int fd, Direction direction) override { kernel_->Rearm(fd, direction); }
  void Wait(MonotonicNanos now, MonotonicNanos deadline, std::vector<Event>& events) override {
    kernel_->Wait(now, 0, events);
    if (!events.empty()) ++fruitful_;
    if (!events.empty() || deadline == 0) return;
    if (deadline == kNever) {
      kernel_->Wait(now, kNever, events);
    } else {
      clock_.AdvanceTo(deadline);
    }
  }

 private:
  FakeClock& clock_;
  const std::unique_ptr<Poller> kernel_;
  int& fruitful_;
};

class SocketOverPollerTest : public HubTest, public ::testing::WithParamInterface<const char*> {
 protected:
  SocketOverPollerTest() {
    hub_ = *Hub::Create({.clock = &clock_,
                         .poller = std::make_unique<CountingPoller>(
                             clock_, *Poller::ByName(GetParam()), fruitful_)});
  }

  static std::pair<Socket, Socket> Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {*Socket::Adopt(fds[0]), *Socket::Adopt(fds[1])};
  }
  static SocketAddress Loopback() { return *SocketAddress::Parse("127.0.0.1:0"); }

  int fruitful_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Both, SocketOverPollerTest, ::testing::Values("epoll", "poll"), Name);

TEST_P(SocketOverPollerTest, ParksTheReaderUntilDataComesAndSeesTheEnd) {
  Run([] {
    auto [a, b] = Pair();
    auto reader = *Spawn("reader", [&b = b] {
      char buffer[16];
      EXPECT_EQ(*b.Read(buffer), 5u);
      EXPECT_EQ(*b.Read(buffer), 0u);
    });
    Yield();
    EXPECT_EQ(reader->waiting_for().kind, WaitFor::Kind::kRead);
    EXPECT_TRUE(a.Write("hello").ok());
    EXPECT_TRUE(a.ShutdownWrite().ok());
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, DataAndEndArrivingTogetherAreBothSeen) {
  Run([] {
    auto [a, b] = Pair();
    Yield();
    EXPECT_TRUE(a.Write("x").ok());
    a.Close();
    (void)Sleep(absl::Seconds(1));
    char buffer[16];
    EXPECT_EQ(*b.Read(buffer), 1u);
    EXPECT_EQ(*b.Read(buffer), 0u);
  });
}

TEST_P(SocketOverPollerTest, UnreadDataAndAGonePeerDoNotKeepTheHubAwake) {
  Run([this] {
    auto [a, b] = Pair();
    EXPECT_TRUE(a.Write("nobody reads this").ok());
    a.Close();
    (void)Sleep(absl::Seconds(1));
    const int before = fruitful_;
    for (int i = 0; i < 5; ++i) (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(fruitful_, before);
  });
}

TEST_P(SocketOverPollerTest, WritesMoreThanTheKernelBuffers) {
  Run([] {
    auto [a, b] = Pair();
    const std::string sent(4 << 20, 'g');
    auto writer = *Spawn("writer", [&a = a, &sent] {
      EXPECT_TRUE(a.Write(sent).ok());
      a.Close();
    });
    std::string got(sent.size(), '\0');
    EXPECT_TRUE(b.ReadFull(got).ok());
    EXPECT_EQ(got, sent);
    EXPECT_TRUE(writer.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, AWriterStillParksAfterThePeerHasStoppedSending) {
  Run([] {
    auto [a, b] = Pair();
    EXPECT_TRUE(b.ShutdownWrite().ok());
    (void)Sleep(absl::Seconds(1));
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(a.Write(std::string(4 << 20, 'g'))));
  });
}

TEST_P(SocketOverPollerTest, OneFiberReadsWhileAnotherWaitsToWrite) {
  Run([] {
    auto [a, b] = Pair();
    const std::string bulk(4 << 20, 'w');
    auto writer = *Spawn("writer", [&a = a, &bulk] { EXPECT_TRUE(a.Write(bulk).ok()); });
    auto reader = *Spawn("reader", [&a = a] {
      char buffer[4];
      EXPECT_EQ(*a.Read(buffer), 4u);
    });
    Yield();
    EXPECT_TRUE(b.Write("ping").ok());
    EXPECT_TRUE(reader.Join().ok());
    std::string got(bulk.size(), '\0');
    EXPECT_TRUE(b.ReadFull(got).ok());
    EXPECT_TRUE(writer.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, ASecondReaderGetsAnErrorNamingBoth) {
  Run([] {
    auto [a, b] = Pair();
    char buffer[1];
    auto first = *Spawn("first", [&b = b, &buffer] { (void)b.Read(buffer); });
    Yield();
    const absl::Status second = b.Read(buffer).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(second));
    EXPECT_THAT(
        std::string(second.message()),
        testing::ContainsRegex("fiber [0-9]+ \"first\" .spawned at .*poller_test.cc:[0-9]+. "
                               "waits to read already; fiber [0-9]+ \"main\""));
    first.Cancel();
    EXPECT_TRUE(first.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, ASecondWriterGetsAnErrorAndTheFirstGoesOn) {
  Run([] {
    auto [a, b] = Pair();
    const std::string bulk(4 << 20, 'w');
    auto first = *Spawn("first", [&a = a, &bulk] { EXPECT_TRUE(a.Write(bulk).ok()); });
    Yield();
    const absl::Status second = a.Write("x");
    EXPECT_TRUE(absl::IsFailedPrecondition(second));
    EXPECT_THAT(std::string(second.message()), testing::HasSubstr("waits to write already"));
    std::string got(bulk.size(), '\0');
    EXPECT_TRUE(b.ReadFull(got).ok());
    EXPECT_TRUE(first.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, ClosingUnderAReaderWakesItAndARecycledNumberDoesNot) {
  Run([] {
    auto [a, b] = Pair();
    auto reader = *Spawn("reader", [&b = b] {
      char buffer[1];
      EXPECT_TRUE(absl::IsAborted(b.Read(buffer).status()));
    });
    Yield();
    b.Close();
    auto [c, d] = Pair();  // takes the number over
    EXPECT_TRUE(d.Write("not for the old reader").ok());
    EXPECT_TRUE(reader.Join().ok());
    char buffer[32];
    EXPECT_EQ(*c.Read(buffer), 22u);
  });
}

TEST_P(SocketOverPollerTest, ClosingUnderAWriterWakesIt) {
  Run([] {
    auto [a, b] = Pair();
    auto writer = *Spawn(
        "writer", [&a = a] { EXPECT_TRUE(absl::IsAborted(a.Write(std::string(4 << 20, 'w')))); });
    Yield();
    ASSERT_EQ(writer->waiting_for().kind, WaitFor::Kind::kWrite);
    a.Close();
    EXPECT_TRUE(writer.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, ATimeoutEndsAReadAndTheSocketStaysUsable) {
  Run([] {
    auto [a, b] = Pair();
    char buffer[4];
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(b.Read(buffer).status()));
    }
    EXPECT_TRUE(a.Write("late").ok());
    EXPECT_EQ(*b.Read(buffer), 4u);
  });
}

TEST_P(SocketOverPollerTest, ConnectsThroughAListener) {
  Run([] {
    auto listener = *Listener::Adopt(*BindListener(Loopback()));
    const SocketAddress address = SocketAddress::OfLocal(listener.fd());
    auto server = *Spawn("server", [&] {
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(listener.Accept()->Write("welcome").ok());
    });
    for (int i = 0; i < 3; ++i) {
      auto client = *Socket::Connect(address);
      char buffer[7];
      EXPECT_TRUE(client.ReadFull(buffer).ok());
    }
    EXPECT_TRUE(server.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, ATimeoutEndsAnAcceptAndTheListenerStaysUsable) {
  Run([] {
    auto listener = *Listener::Adopt(*BindListener(Loopback()));
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(listener.Accept().status()));
    }
    auto client = *Socket::Connect(listener.LocalAddress());
    EXPECT_TRUE(listener.Accept().ok());
  });
}

TEST_P(SocketOverPollerTest, ClosingAListenerWakesItsAcceptor) {
  Run([] {
    auto listener = *Listener::Adopt(*BindListener(Loopback()));
    auto acceptor =
        *Spawn("acceptor", [&] { EXPECT_TRUE(absl::IsAborted(listener.Accept().status())); });
    Yield();
    listener.Close();
    EXPECT_TRUE(acceptor.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, ARefusedConnectionIsUnavailable) {
  Run([] {
    const int fd = *BindListener(Loopback());
    const SocketAddress address = SocketAddress::OfLocal(fd);
    close(fd);
    EXPECT_TRUE(absl::IsUnavailable(Socket::Connect(address).status()));
  });
}

TEST_P(SocketOverPollerTest, AResetIsNoEnd) {
  Run([] {
    Listener listener = *Listener::Adopt(*BindListener(Loopback()));
    Socket client = *Socket::Connect(listener.LocalAddress());
    Socket accepted = *listener.Accept();
    auto reader = *Spawn("reader", [&] {
      char byte[1];
      EXPECT_TRUE(absl::IsUnavailable(accepted.Read(byte).status()));
    });
    Yield();
    client.Abort();
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, AnAcceptorGivesOthersTheirChanceAfterItsBatch) {
  Run([] {
    Listener listener = *Listener::Adopt(*BindListener(Loopback()), /*accept_batch=*/2);
    std::vector<Socket> clients;
    clients.reserve(3);
    for (int i = 0; i < 3; ++i) clients.push_back(*Socket::Connect(listener.LocalAddress()));
    int accepted = 0;
    auto acceptor = *Spawn("acceptor", [&] {
      while (accepted < 3) accepted += listener.Accept().ok();
    });
    while (accepted == 0) Yield();
    EXPECT_EQ(accepted, 2);
    EXPECT_EQ(acceptor->waiting_for().kind, WaitFor::Kind::kAccept);
    EXPECT_TRUE(acceptor.Join().ok());
  });
}

TEST_P(SocketOverPollerTest, CallsFromAnotherThreadWakeTheHubEachTime) {
  Run([this] {
    for (int i = 0; i < 3; ++i) {
      Event arrived;
      std::thread poster([&] { hub_->Post([&arrived] { arrived.Set(); }); });
      EXPECT_TRUE(arrived.Wait().ok());
      poster.join();
    }
  });
}

TEST_F(HubTest, CountsTheSystemCallsOnDescriptors) {
  Run([this] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Socket left = *Socket::Adopt(ends[0]);
    Socket right = *Socket::Adopt(ends[1]);
    const uint64_t before = hub_->Stats().io_calls;
    ASSERT_TRUE(left.Write("abc").ok());
    char bytes[8];
    EXPECT_EQ(*right.Read(bytes), 3u);
    EXPECT_EQ(hub_->Stats().io_calls - before, 2u);
  });
}

}  // namespace
}  // namespace grove

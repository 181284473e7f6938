// No wake-up is lost: many messages both ways through narrow pipes, each fiber waiting again and
// again. One that is lost hangs the test.
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/group/fiber_group.h"
#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

SocketOptions Narrow(int high_water) {
  SocketOptions options;
  options.send_high_water = high_water;
  options.receive_high_water = high_water;
  options.linger = absl::Seconds(30);
  return options;
}

void SendAll(Socket& socket, int count) {
  for (int i = 0; i < count; ++i) {
    const absl::Status sent = socket.Send(MessageOf(std::to_string(i), "second"));
    ASSERT_TRUE(sent.ok()) << sent;
  }
}

void ReceiveAll(Socket& socket, int count) {
  Message message;
  for (int i = 0; i < count; ++i) {
    const absl::Status received = socket.Receive(message);
    ASSERT_TRUE(received.ok()) << received;
    ASSERT_EQ(message.size(), 2u);
    ASSERT_EQ(message[0], std::to_string(i));  // none lost, none doubled, in order
  }
}

// Both ways on both sockets: four fibers, two for each ZMQ_FD.
void ExchangeAll(Socket& left, Socket& right, int count) {
  FiberGroup group(FiberGroup::OnFailure::kCancelRest);
  for (Socket* each : {&left, &right}) {
    (void)group.Spawn("sender", [each, count] { SendAll(*each, count); });
    (void)group.Spawn("receiver", [each, count] { ReceiveAll(*each, count); });
  }
  EXPECT_TRUE(group.Join().ok());
}

class SocketStressTest : public SocketTest {};

TEST_F(SocketStressTest, BothWaysWithinTheProcess) {
  Run([this] {
    for (const int high_water : {1, 2, 100}) {
      auto left = Open(SocketType::kPair, Narrow(high_water));
      auto right = Open(SocketType::kPair, Narrow(high_water));
      const std::string address = absl::StrCat("inproc://stress", high_water);
      EXPECT_TRUE(left->Bind(address).ok());
      EXPECT_TRUE(right->Connect(address).ok());
      ExchangeAll(*left, *right, 5000);
      EXPECT_GT(left->parks() + right->parks(), 0u);
    }
  });
}

TEST_F(SocketStressTest, BothWaysOverTcp) {
  Run([this] {
    for (const int high_water : {1, 1000}) {
      auto [left, right] = Connected(SocketType::kDealer, SocketType::kDealer, Narrow(high_water));
      ExchangeAll(*left, *right, 5000);
    }
  });
}

TEST_F(SocketStressTest, ManyDealersAndOneRouterThatAnswersFromOneFiber) {
  constexpr int kDealers = 8;
  constexpr int kRequests = 500;
  Run([this] {
    auto router = Open(SocketType::kRouter, Narrow(2));
    const std::string address = *router->Bind("tcp://127.0.0.1:*");
    FiberGroup group(FiberGroup::OnFailure::kCancelRest);
    (void)group.Spawn("router", [&router = *router] {
      for (int i = 0; i < kDealers * kRequests; ++i) {
        absl::StatusOr<Message> request = router.Receive();
        ASSERT_TRUE(request.ok()) << request.status();
        ASSERT_TRUE(router.Send(*std::move(request)).ok());
      }
    });
    std::vector<std::unique_ptr<Socket>> dealers;
    for (int i = 0; i < kDealers; ++i) {
      dealers.push_back(Open(SocketType::kDealer, Narrow(2)));
      EXPECT_TRUE(dealers.back()->Connect(address).ok());
      (void)group.Spawn("dealer sends", [&s = *dealers.back()] { SendAll(s, kRequests); });
      (void)group.Spawn("dealer receives", [&s = *dealers.back()] { ReceiveAll(s, kRequests); });
    }
    EXPECT_TRUE(group.Join().ok());
  });
}

TEST_F(SocketStressTest, SeveralPushersAndPullersLoseNothing) {
  constexpr int kEach = 3000;
  int received = 0;
  Run([&] {
    std::array<std::unique_ptr<Socket>, 3> pushes;
    std::array<std::unique_ptr<Socket>, 2> pulls;
    for (auto& pull : pulls) pull = Open(SocketType::kPull, Narrow(3));
    FiberGroup pushing(FiberGroup::OnFailure::kCancelRest);
    FiberGroup pulling(FiberGroup::OnFailure::kCancelRest);
    const std::string addresses[2] = {*pulls[0]->Bind("tcp://127.0.0.1:*"),
                                      *pulls[1]->Bind("tcp://127.0.0.1:*")};
    for (auto& pull : pulls) {
      (void)pulling.Spawn("puller", [&received, &pull = *pull] {
        Message message;
        while (pull.Receive(message).ok()) ++received;
      });
    }
    for (auto& push : pushes) {
      push = Open(SocketType::kPush, Narrow(3));
      for (const std::string& address : addresses) EXPECT_TRUE(push->Connect(address).ok());
      (void)pushing.Spawn("pusher", [&push = *push] { SendAll(push, kEach); });
    }
    EXPECT_TRUE(pushing.Join().ok());
    while (received < 3 * kEach) Yield();
    for (auto& pull : pulls) pull->Close();
    EXPECT_TRUE(pulling.Join().ok());
  });
  EXPECT_EQ(received, 3 * kEach);
}

// Two hubs, two threads, one context: what one does the other's libzmq is told of at any moment.
TEST_F(SocketStressTest, BothWaysBetweenTheHubsOfTwoThreads) {
  constexpr int kCount = 20'000;
  Run([this] {
    auto here = Open(SocketType::kPair, Narrow(4));
    EXPECT_TRUE(here->Bind("inproc://threads").ok());
    std::thread there([this] {
      auto hub = *Hub::Create();
      RunOn(*hub, [this] {
        auto socket = Open(SocketType::kPair, Narrow(4));
        EXPECT_TRUE(socket->Connect("inproc://threads").ok());
        FiberGroup group(FiberGroup::OnFailure::kCancelRest);
        (void)group.Spawn("sender", [&] { SendAll(*socket, kCount); });
        (void)group.Spawn("receiver", [&] { ReceiveAll(*socket, kCount); });
        EXPECT_TRUE(group.Join().ok());
      });
    });
    FiberGroup group(FiberGroup::OnFailure::kCancelRest);
    (void)group.Spawn("sender", [&] { SendAll(*here, kCount); });
    (void)group.Spawn("receiver", [&] { ReceiveAll(*here, kCount); });
    EXPECT_TRUE(group.Join().ok());
    there.join();
  });
}

}  // namespace
}  // namespace grove::zeromq

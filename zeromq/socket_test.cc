#include "zeromq/socket.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/timeout.h"
#include "zeromq/monitor.h"
#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

using ::testing::HasSubstr;

// --- Waiting ------------------------------------------------------------------------------------

TEST_F(SocketTest, AReceiverParksUntilAMessageComesAndTheHubGoesOn) {
  Run([this] {
    auto [push, pull] = Connected(SocketType::kPush, SocketType::kPull);
    auto receiver = *Spawn("receiver", [&pull = *pull] { EXPECT_EQ(Text(pull.Receive()), "m"); });
    (void)Sleep(absl::Seconds(1));
    EXPECT_FALSE(receiver.ended());
    EXPECT_TRUE(push->Send("m").ok());
    EXPECT_TRUE(receiver.Join().ok());
    EXPECT_GE(pull->parks(), 1u);
  });
}

TEST_F(SocketTest, ASenderWithoutAPeerParksUntilOneIsConnected) {
  Run([this] {
    auto pull = Open(SocketType::kPull);
    auto push = Open(SocketType::kPush);
    auto sender = *Spawn("sender", [&] { EXPECT_TRUE(push->Send("m").ok()); });
    Yield();
    EXPECT_EQ(push->parks(), 1u);
    // The peer is attached in the call: no edge of ZMQ_FD tells the sender.
    EXPECT_TRUE(pull->Bind("inproc://late").ok());
    EXPECT_TRUE(push->Connect("inproc://late").ok());
    EXPECT_TRUE(sender.Join().ok());
    EXPECT_EQ(Text(pull->Receive()), "m");
  });
}

TEST_F(SocketTest, AtTheHighWaterMarkASenderParksUntilSomeAreTaken) {
  Run([this] {
    auto pull = Open(SocketType::kPull, {.receive_high_water = 1});
    auto push = Open(SocketType::kPush, {.send_high_water = 1});
    EXPECT_TRUE(pull->Bind("inproc://narrow").ok());
    EXPECT_TRUE(push->Connect("inproc://narrow").ok());
    int sent = 0;
    auto sender = *Spawn("sender", [&] {
      for (; sent < 10; ++sent) EXPECT_TRUE(push->Send(std::to_string(sent)).ok());
    });
    Yield();
    EXPECT_EQ(sent, 2);  // of both ends together
    for (int i = 0; i < 10; ++i) EXPECT_EQ(Text(pull->Receive()), std::to_string(i));
    EXPECT_TRUE(sender.Join().ok());
  });
}

TEST_F(SocketTest, ARoutersSenderIsHeldUpByTheFullPeerAndSpinsOnNoOther) {
  Run([this] {
    auto router = Open(SocketType::kRouter, {.send_high_water = 1});
    EXPECT_TRUE(router->Bind("inproc://router").ok());
    auto full = Open(SocketType::kDealer, {.receive_high_water = 1, .routing_id = "full"});
    auto idle = Open(SocketType::kDealer, {.routing_id = "idle"});
    for (Socket* dealer : {full.get(), idle.get()}) {
      EXPECT_TRUE(dealer->Connect("inproc://router").ok());
      EXPECT_TRUE(dealer->Send("hello").ok());
      EXPECT_EQ(router->Receive()->size(), 2u);
    }
    int sent = 0;
    auto sender = *Spawn("sender", [&] {
      for (; sent < 5; ++sent) EXPECT_TRUE(router->Send(MessageOf("full", "m")).ok());
    });
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(sent, 2);
    EXPECT_EQ(router->parks(), 1u);  // though ZMQ_EVENTS says that there is room: for the idle one
    for (int i = 0; i < 5; ++i) EXPECT_EQ(Text(full->Receive()), "m");
    EXPECT_TRUE(sender.Join().ok());
  });
}

TEST_F(SocketTest, WhatTheSenderTakesInWakesTheReceiver) {
  Run([this] {
    auto left = Open(SocketType::kPair);
    auto right = Open(SocketType::kPair);
    EXPECT_TRUE(left->Bind("inproc://pair").ok());
    EXPECT_TRUE(right->Connect("inproc://pair").ok());
    for (int i = 0; i < 100; ++i) {
      auto receiver = *Spawn("receiver", [&] { EXPECT_EQ(Text(left->Receive()), "m"); });
      Yield();
      EXPECT_TRUE(right->Send("m").ok());
      // A receive in the other direction uses up what ZMQ_FD has to tell.
      EXPECT_TRUE(left->Send("n").ok());
      EXPECT_EQ(Text(right->Receive()), "n");
      EXPECT_TRUE(receiver.Join().ok());
    }
  });
}

TEST_F(SocketTest, ASocketThatIsAlwaysReadyLetsTheOthersRun) {
  Run([this] {
    auto pub = Open(SocketType::kPub);  // nobody listens: it never waits
    bool ran = false;
    auto other = *Spawn("other", [&] { ran = true; });
    for (int i = 0; i < 1000 && !ran; ++i) EXPECT_TRUE(pub->Send("m").ok());
    EXPECT_TRUE(ran);
    EXPECT_TRUE(other.Join().ok());
  });
}

TEST_F(SocketTest, ASecondFiberInOneDirectionIsToldOfBoth) {
  Run([this] {
    auto [push, pull] = Connected(SocketType::kPush, SocketType::kPull);
    auto first = *Spawn("first", [&pull = *pull] { EXPECT_EQ(Text(pull.Receive()), "m"); });
    Yield();
    const absl::Status second = pull->Receive().status();
    EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
    EXPECT_THAT(second.message(), HasSubstr("\"first\""));
    EXPECT_THAT(second.message(), HasSubstr("\"main\""));
    EXPECT_THAT(second.message(), HasSubstr("PULL"));
    EXPECT_TRUE(push->Send("m").ok());
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(push->Send("m").ok());
    EXPECT_EQ(Text(pull->Receive()), "m");
  });
}

TEST_F(SocketTest, ATimeoutOrACancelEndsAWaitAndLosesNothing) {
  Run([this] {
    auto [push, pull] = Connected(SocketType::kPush, SocketType::kPull);
    auto receiver = *Spawn("receiver", [&pull = *pull] {
      {
        Timeout timeout(absl::Seconds(1));
        EXPECT_TRUE(absl::IsDeadlineExceeded(pull.Receive().status()));
      }
      EXPECT_TRUE(absl::IsCancelled(pull.Receive().status()));
    });
    (void)Sleep(absl::Seconds(2));
    receiver.Cancel();
    EXPECT_TRUE(receiver.Join().ok());
    EXPECT_TRUE(push->Send("m").ok());
    EXPECT_EQ(Text(pull->Receive()), "m");
  });
}

TEST_F(SocketTest, ASendThatTimesOutKeepsItsMessage) {
  Run([this] {
    auto push = Open(SocketType::kPush);
    Message message = MessageOf("a", std::string(5000, 'b'));
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(push->Send(std::move(message))));
    }
    ASSERT_EQ(message.size(), 2u);
    EXPECT_EQ(message[1].size(), 5000u);
    auto pull = Open(SocketType::kPull);
    EXPECT_TRUE(push->Connect(*pull->Bind("tcp://127.0.0.1:*")).ok());
    EXPECT_TRUE(push->Send(std::move(message)).ok());
    EXPECT_EQ(pull->Receive()->size(), 2u);
  });
}

TEST_F(SocketTest, ClosingWakesBothWaiters) {
  Run([this] {
    auto dealer = Open(SocketType::kDealer);
    auto receiver =
        *Spawn("receiver", [&] { EXPECT_TRUE(absl::IsAborted(dealer->Receive().status())); });
    auto sender = *Spawn("sender", [&] { EXPECT_TRUE(absl::IsAborted(dealer->Send("m"))); });
    Yield();
    dealer->Close();
    dealer->Close();
    EXPECT_TRUE(receiver.Join().ok());
    EXPECT_TRUE(sender.Join().ok());
    EXPECT_TRUE(absl::IsAborted(dealer->Send("m")));
    EXPECT_TRUE(absl::IsAborted(dealer->Bind("inproc://closed").status()));
    EXPECT_EQ(context_->open_sockets(), 0u);
  });
}

// --- Messages -----------------------------------------------------------------------------------

TEST_F(SocketTest, LargeFramesAreNotCopiedOnTheirWayThroughTheProcess) {
  Run([this] {
    auto push = Open(SocketType::kPush);
    auto pull = Open(SocketType::kPull);
    EXPECT_TRUE(push->Bind("inproc://large").ok());
    EXPECT_TRUE(pull->Connect("inproc://large").ok());
    std::string large(Frame::kCopyMax + 1, 'x');
    const char* const bytes = large.data();
    EXPECT_TRUE(push->Send(Frame(std::move(large))).ok());
    EXPECT_EQ(pull->Receive()->at(0).view().data(), bytes);
  });
}

TEST_F(SocketTest, ReceivesIntoAMessageThatIsUsedAgain) {
  Run([this] {
    auto [push, pull] = Connected(SocketType::kPush, SocketType::kPull);
    Message message;
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(push->Send(MessageOf("a", std::to_string(i))).ok());
      EXPECT_TRUE(pull->Receive(message).ok());
      EXPECT_EQ(message.size(), 2u);
      EXPECT_EQ(message[1], std::to_string(i));
    }
    pull->Close();
    EXPECT_FALSE(pull->Receive(message).ok());
    EXPECT_TRUE(message.empty());
  });
}

TEST_F(SocketTest, AMessageWithoutFramesIsRefused) {
  Run([this] {
    auto push = Open(SocketType::kPush);
    EXPECT_TRUE(absl::IsInvalidArgument(push->Send(Message())));
  });
}

// --- Addresses ----------------------------------------------------------------------------------

TEST_F(SocketTest, AddressesAreBoundAndGivenBack) {
  Run([this] {
    auto pull = Open(SocketType::kPull);
    const std::string tcp = *pull->Bind("tcp://127.0.0.1:*");
    EXPECT_THAT(tcp, HasSubstr("tcp://127.0.0.1:"));
    auto other = Open(SocketType::kPull);
    const absl::Status taken = other->Bind(tcp).status();
    EXPECT_FALSE(taken.ok());
    EXPECT_THAT(taken.message(), HasSubstr(tcp));
    EXPECT_TRUE(pull->Unbind(tcp).ok());
    EXPECT_TRUE(absl::IsNotFound(pull->Unbind(tcp)));
    EXPECT_TRUE(absl::IsInvalidArgument(pull->Bind("nonsense").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(pull->Connect("gopher://host")));
    auto push = Open(SocketType::kPush);
    EXPECT_TRUE(push->Connect("tcp://127.0.0.1:9").ok());  // nobody is there; it goes on trying
    EXPECT_TRUE(push->Disconnect("tcp://127.0.0.1:9").ok());
    EXPECT_TRUE(absl::IsNotFound(push->Disconnect("tcp://127.0.0.1:9")));
  });
}

TEST_F(SocketTest, TalksOverUnixSockets) {
  Run([this] {
    // A name in the abstract namespace: the folders of tests are too long for a path.
    const std::string address = absl::StrCat("ipc://@grove_zeromq_", getpid());
    auto pull = Open(SocketType::kPull);
    EXPECT_EQ(*pull->Bind(address), address);
    auto push = Open(SocketType::kPush);
    EXPECT_TRUE(push->Connect(address).ok());
    EXPECT_TRUE(push->Send("m").ok());
    EXPECT_EQ(Text(pull->Receive()), "m");
  });
}

// --- Peers that die -----------------------------------------------------------------------------

TEST_F(SocketTest, WhatWasSentBeforeAPeerDiedIsReceivedAndItsSuccessorGoesOn) {
  Run([this] {
    auto pull = Open(SocketType::kPull);
    const std::string address = *pull->Bind("tcp://127.0.0.1:*");
    for (const char* text : {"from the first", "from the second"}) {
      auto push = Open(SocketType::kPush, {.linger = absl::Seconds(30)});
      EXPECT_TRUE(push->Connect(address).ok());
      EXPECT_TRUE(push->Send(text).ok());
      push->Close();
      EXPECT_EQ(Text(pull->Receive()), text);
    }
  });
}

TEST_F(SocketTest, WhatIsSentWhileAReceiverIsDeadWaitsForItsSuccessor) {
  Run([this] {
    auto push = Open(SocketType::kPush, {.reconnect_first = absl::Milliseconds(1),
                                         .reconnect_max = absl::Milliseconds(10)});
    auto monitor = *Monitor::Open(*push);
    auto pull = Open(SocketType::kPull);
    const std::string address = *pull->Bind("tcp://127.0.0.1:*");
    EXPECT_TRUE(push->Connect(address).ok());
    EXPECT_TRUE(push->Send("to the first").ok());
    EXPECT_EQ(Text(pull->Receive()), "to the first");
    pull->Close();
    while (monitor->Next()->kind != MonitorEvent::Kind::kDisconnected) {
    }
    EXPECT_TRUE(push->Send("to the second").ok());
    pull = Open(SocketType::kPull);
    while (!pull->Bind(address).ok()) Yield();  // libzmq gives the port back behind the scenes
    EXPECT_EQ(Text(pull->Receive()), "to the second");
  });
}

TEST_F(SocketTest, AnOverlongMessageEndsItsConnection) {
  Run([this] {
    auto pull = Open(SocketType::kPull, {.receive_bytes_max = 100});
    auto monitor = *Monitor::Open(*pull);
    auto push = Open(SocketType::kPush);
    EXPECT_TRUE(push->Connect(*pull->Bind("tcp://127.0.0.1:*")).ok());
    EXPECT_TRUE(push->Send(std::string(101, 'x')).ok());
    while (monitor->Next()->kind != MonitorEvent::Kind::kDisconnected) {
    }
    EXPECT_TRUE(push->Send("short").ok());
    EXPECT_EQ(Text(pull->Receive()), "short");  // on the next connection
  });
}

TEST_F(SocketTest, OneThatDiesUnderAFiberFailsACheck) {
  EXPECT_DEATH(Run([this] {
                 auto pull = Open(SocketType::kPull);
                 (void)Spawn("receiver", [&] { (void)pull->Receive(); });
                 Yield();
                 pull = nullptr;
               }),
               "died while fibers use it");
}

}  // namespace
}  // namespace grove::zeromq

// Each type of socket with its counterpart: what goes where, and in which order.
#include <zmq.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/io/socket.h"
#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

class SocketTypesTest : public SocketTest {};

TEST_F(SocketTypesTest, PairsTalkBothWaysInSeveralFrames) {
  Run([this] {
    auto [left, right] = Connected(SocketType::kPair, SocketType::kPair);
    EXPECT_TRUE(left->Send(MessageOf("one", "", "three")).ok());
    EXPECT_EQ(Texts(right->Receive()), (Strings{"one", "", "three"}));
    EXPECT_TRUE(right->Send("back").ok());
    EXPECT_EQ(Texts(left->Receive()), Strings{"back"});
  });
}

TEST_F(SocketTypesTest, PushDealsOutToPullsAndEachMessageGoesToOne) {
  Run([this] {
    auto push = Open(SocketType::kPush);
    const std::string address = *push->Bind("tcp://127.0.0.1:*");
    std::unique_ptr<Socket> pulls[2] = {Open(SocketType::kPull), Open(SocketType::kPull)};
    std::map<std::string, int> seen;
    std::vector<FiberHandle> fibers;
    for (auto& pull : pulls) {
      EXPECT_TRUE(pull->Connect(address).ok());
      fibers.push_back(*Spawn("puller", [&seen, &pull = *pull] {
        for (auto got = pull.Receive(); got.ok(); got = pull.Receive()) ++seen[Text(got)];
      }));
    }
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(push->Send(std::to_string(i)).ok());
    while (seen.size() < 100) Yield();
    for (const auto& [message, times] : seen) EXPECT_EQ(times, 1) << message;
    for (auto& pull : pulls) pull->Close();
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
  });
}

TEST_F(SocketTypesTest, ASubscriberGetsWhatBeginsWithItsPrefixes) {
  Run([this] {
    auto [pub, sub] = Connected(SocketType::kPub, SocketType::kSub);
    EXPECT_TRUE(sub->Subscribe("a").ok());
    EXPECT_TRUE(sub->Subscribe("end").ok());
    bool ended = false;
    // Who publishes does not know when a subscription has come: until it has, nobody hears it.
    auto publisher = *Spawn("publisher", [&, &pub = *pub] {
      while (!ended) {
        for (const char* text : {"a1", "b1", "end"}) EXPECT_TRUE(pub.Send(text).ok());
        Yield();
      }
    });
    Strings heard;
    do {
      heard.push_back(Text(sub->Receive()));
    } while (heard.back() != "end" || heard.size() < 2);
    ended = true;
    EXPECT_TRUE(publisher.Join().ok());
    for (const std::string& text : heard) EXPECT_TRUE(text == "a1" || text == "end") << text;
    EXPECT_EQ(pub->Receive().status().code(), absl::StatusCode::kFailedPrecondition);
  });
}

TEST_F(SocketTypesTest, AnXPubHearsOfSubscriptionsAndAnXSubMakesThem) {
  Run([this] {
    auto [xpub, xsub] = Connected(SocketType::kXPub, SocketType::kXSub);
    EXPECT_TRUE(xsub->Send("\x01news").ok());
    EXPECT_EQ(Text(xpub->Receive()), "\x01news");  // from here on nothing is missed
    EXPECT_TRUE(xpub->Send(MessageOf("other", "x")).ok());
    EXPECT_TRUE(xpub->Send(MessageOf("news", "y")).ok());
    EXPECT_EQ(Texts(xsub->Receive()), (Strings{"news", "y"}));
    EXPECT_TRUE(xsub->Send(std::string_view("\0news", 5)).ok());
    EXPECT_EQ(Text(xpub->Receive()), std::string_view("\0news", 5));
  });
}

TEST_F(SocketTypesTest, AnXPubHearsOfSubscribersOfSub) {
  Run([this] {
    auto [xpub, sub] = Connected(SocketType::kXPub, SocketType::kSub);
    EXPECT_TRUE(sub->Subscribe("").ok());
    EXPECT_EQ(Text(xpub->Receive()), "\x01");
    EXPECT_TRUE(xpub->Send("to all").ok());
    EXPECT_EQ(Text(sub->Receive()), "to all");
    EXPECT_TRUE(sub->Unsubscribe("").ok());
    EXPECT_EQ(Text(xpub->Receive()), std::string_view("\0", 1));
  });
}

TEST_F(SocketTypesTest, RequestAndReplyTakeTurns) {
  Run([this] {
    auto [req, rep] = Connected(SocketType::kReq, SocketType::kRep);
    EXPECT_TRUE(absl::IsFailedPrecondition(req->Receive().status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(rep->Send("unasked")));
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(req->Send("question").ok());
      EXPECT_TRUE(absl::IsFailedPrecondition(req->Send("again")));
      EXPECT_EQ(Text(rep->Receive()), "question");
      EXPECT_TRUE(rep->Send(MessageOf("long", "answer")).ok());
      EXPECT_EQ(Texts(req->Receive()), (Strings{"long", "answer"}));
    }
  });
}

TEST_F(SocketTypesTest, ARelaxedRequestTakesNoLateReplyForItsOwn) {
  Run([this] {
    auto rep = Open(SocketType::kRep);
    auto req = Open(SocketType::kReq, {.relaxed = true});
    EXPECT_TRUE(req->Connect(*rep->Bind("tcp://127.0.0.1:*")).ok());
    EXPECT_TRUE(req->Send("first").ok());
    EXPECT_EQ(Text(rep->Receive()), "first");
    EXPECT_TRUE(req->Send("second").ok());
    EXPECT_TRUE(rep->Send("to the first").ok());
    EXPECT_EQ(Text(rep->Receive()), "second");
    EXPECT_TRUE(rep->Send("to the second").ok());
    EXPECT_EQ(Text(req->Receive()), "to the second");
  });
}

TEST_F(SocketTypesTest, ARouterKnowsItsDealersByTheirIds) {
  Run([this] {
    auto router = Open(SocketType::kRouter);
    const std::string address = *router->Bind("tcp://127.0.0.1:*");
    auto anna = Open(SocketType::kDealer, {.routing_id = "anna"});
    auto ben = Open(SocketType::kDealer, {.routing_id = "ben"});
    for (Socket* dealer : {anna.get(), ben.get()}) {
      EXPECT_TRUE(dealer->Connect(address).ok());
      EXPECT_TRUE(dealer->Send(MessageOf("hello", "there")).ok());
    }
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<Message> hello = router->Receive();
      EXPECT_EQ(hello->size(), 3u);
      EXPECT_EQ((*hello)[1].Property("Peer-Address"), "127.0.0.1");
      EXPECT_TRUE(router->Send(MessageOf(hello->at(0).text(), "dear", hello->at(0).text())).ok());
    }
    EXPECT_EQ(Texts(anna->Receive()), (Strings{"dear", "anna"}));
    EXPECT_EQ(Texts(ben->Receive()), (Strings{"dear", "ben"}));
    EXPECT_TRUE(absl::IsNotFound(router->Send(MessageOf("carl", "who?"))));
  });
}

TEST_F(SocketTypesTest, ARouterThatIsNotMandatoryDropsWhatGoesToNobody) {
  Run([this] {
    auto router = Open(SocketType::kRouter, {.mandatory = false});
    EXPECT_TRUE(router->Send(MessageOf("carl", "who?")).ok());
  });
}

TEST_F(SocketTypesTest, ARouterServesRequestsThroughTheirEnvelope) {
  Run([this] {
    auto [router, req] = Connected(SocketType::kRouter, SocketType::kReq);
    EXPECT_TRUE(req->Send("q").ok());
    Message envelope = *router->Receive();  // id, "", "q"
    ASSERT_EQ(envelope.size(), 3u);
    envelope[2] = Frame("a");
    EXPECT_TRUE(router->Send(std::move(envelope)).ok());
    EXPECT_EQ(Text(req->Receive()), "a");
  });
}

TEST_F(SocketTypesTest, AStreamSpeaksPlainTcp) {
  Run([this] {
    auto stream = Open(SocketType::kStream);
    const std::string address = *stream->Bind("tcp://127.0.0.1:*");
    auto peer = *grove::Socket::Connect(*SocketAddress::Parse(address.substr(6)));
    absl::StatusOr<Message> came = stream->Receive();  // its id, and nothing: it is connected
    ASSERT_EQ(came->size(), 2u);
    EXPECT_TRUE((*came)[1].empty());
    const std::string id = (*came)[0].text();
    EXPECT_TRUE(peer.Write("plain").ok());
    EXPECT_EQ(Texts(stream->Receive()), (Strings{id, "plain"}));
    EXPECT_TRUE(stream->Send(MessageOf(id, "bytes")).ok());
    char buffer[5];
    EXPECT_TRUE(peer.ReadFull(buffer).ok());
    EXPECT_EQ(std::string_view(buffer, 5), "bytes");
    peer.Close();
    EXPECT_EQ(Texts(stream->Receive()), (Strings{id, ""}));  // it has left
  });
}

// The others are of libzmq's draft API. Should the distribution build that one day, they belong
// into SocketType.
TEST_F(SocketTypesTest, ThereAreNoOtherTypesInThisLibzmq) {
  EXPECT_EQ(zmq_has("draft"), 0);
  EXPECT_EQ(zmq_has("curve"), 1);
}

}  // namespace
}  // namespace grove::zeromq

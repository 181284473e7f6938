#include "zeromq/socket_options.h"

#include <gmock/gmock.h>

#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

using ::testing::HasSubstr;

class SocketOptionsTest : public SocketTest {
 protected:
  // What is said of opening one with them.
  std::string Refusal(SocketType type, const SocketOptions& options) {
    const absl::Status status = Socket::Open(*context_, type, options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }
};

TEST_F(SocketOptionsTest, WhatIsNotForTheTypeOrOutOfRangeIsRefusedByName) {
  Run([this] {
    EXPECT_THAT(Refusal(SocketType::kPush, {.handover = true}), HasSubstr("handover of a PUSH"));
    EXPECT_THAT(Refusal(SocketType::kDealer, {.relaxed = true}), HasSubstr("relaxed"));
    EXPECT_THAT(Refusal(SocketType::kReq, {.conflate = true}), HasSubstr("conflate"));
    EXPECT_THAT(Refusal(SocketType::kPub, {.send_high_water = -1}), HasSubstr("send_high_water"));
    EXPECT_THAT(Refusal(SocketType::kPub, {.linger = absl::Seconds(-1)}), HasSubstr("linger"));
    EXPECT_THAT(Refusal(SocketType::kPub, {.connect_timeout = absl::InfiniteDuration()}),
                HasSubstr("connect_timeout"));
    EXPECT_THAT(Refusal(SocketType::kDealer, {.routing_id = std::string(300, 'x')}),
                HasSubstr("routing_id"));
    EXPECT_THAT(Refusal(SocketType::kRep, {.curve_server = CurveServer{"short"}}),
                HasSubstr("curve_server.secret_key"));
    const CurveKeys keys = *CurveKeys::Generate();
    EXPECT_THAT(Refusal(SocketType::kRep, {.curve_server = CurveServer{keys.secret_key},
                                           .curve_client = CurveClient{keys.public_key, keys}}),
                HasSubstr("one or the other"));
    EXPECT_EQ(context_->open_sockets(), 0u);
  });
}

TEST_F(SocketOptionsTest, EveryTypeOpensWithTheDefaults) {
  Run([this] {
    for (int type = 0; type <= static_cast<int>(SocketType::kStream); ++type) {
      EXPECT_TRUE(Socket::Open(*context_, static_cast<SocketType>(type)).ok())
          << SocketTypeName(static_cast<SocketType>(type));
    }
  });
}

TEST_F(SocketOptionsTest, AConflatingSocketKeepsTheLastMessageOnly) {
  Run([this] {
    auto pull = Open(SocketType::kPull, {.conflate = true});
    auto push = Open(SocketType::kPush);
    // Within a process the end that connects decides for both.
    EXPECT_TRUE(push->Bind("inproc://conflate").ok());
    EXPECT_TRUE(pull->Connect("inproc://conflate").ok());
    for (const char* text : {"1", "2", "3"}) EXPECT_TRUE(push->Send(text).ok());
    EXPECT_EQ(Text(pull->Receive()), "3");
  });
}

TEST_F(SocketOptionsTest, APublisherThatDropsNothingWaitsForItsSlowestSubscriber) {
  Run([this] {
    auto pub = Open(SocketType::kXPub, {.send_high_water = 1, .no_drop = true});
    auto sub = Open(SocketType::kSub, {.receive_high_water = 1});
    EXPECT_TRUE(pub->Bind("inproc://nodrop").ok());
    EXPECT_TRUE(sub->Connect("inproc://nodrop").ok());
    EXPECT_TRUE(sub->Subscribe("").ok());
    EXPECT_EQ(Text(pub->Receive()), "\x01");
    auto publisher = *Spawn("publisher", [&] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(pub->Send(std::to_string(i)).ok());
    });
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Text(sub->Receive()), std::to_string(i));
    EXPECT_TRUE(publisher.Join().ok());
  });
}

TEST_F(SocketOptionsTest, APublisherDropsWhatASlowSubscriberHasNoRoomFor) {
  Run([this] {
    auto pub = Open(SocketType::kXPub, {.send_high_water = 1});
    auto sub = Open(SocketType::kSub, {.receive_high_water = 1});
    EXPECT_TRUE(pub->Bind("inproc://drop").ok());
    EXPECT_TRUE(sub->Connect("inproc://drop").ok());
    EXPECT_TRUE(sub->Subscribe("").ok());
    EXPECT_EQ(Text(pub->Receive()), "\x01");
    const uint64_t parks = pub->parks();
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(pub->Send(std::to_string(i)).ok());
    EXPECT_EQ(pub->parks(), parks);
    EXPECT_EQ(Text(sub->Receive()), "0");
    EXPECT_EQ(Text(sub->Receive()), "1");
  });
}

}  // namespace
}  // namespace grove::zeromq

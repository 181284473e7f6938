#include "server/http/serving/switched_transport.h"

#include "server/http/serving/wire_fixture.h"

namespace grove::http {
namespace {

using SwitchedTransportTest = WireFixture;

TEST_F(SwitchedTransportTest, BeginsWithWhatCameBehindTheRequest) {
  RunWithWire([&](Wire& wire) {
    Send("ab");
    EXPECT_EQ(*wire.Fill(), 2);
    SwitchedTransport transport(wire);
    EXPECT_EQ(std::string(transport.unread().begin(), transport.unread().end()), "ab");
    transport.Consume(2);
    Send("cd");
    EXPECT_EQ(*transport.Fill(1024), 2);
    EXPECT_EQ(std::string(transport.unread().begin(), transport.unread().end()), "cd");
  });
}

TEST_F(SwitchedTransportTest, SendsHeadAndBodyTogetherWhenTheFiberParks) {
  RunWithWire([&](Wire& wire) {
    SwitchedTransport transport(wire);
    EXPECT_TRUE(transport.Write("head ", "body").ok());
    EXPECT_EQ(Received(), "");
    Yield();
    EXPECT_EQ(Received(), "head body");
  });
}

TEST_F(SwitchedTransportTest, ReadingAfterAStopIsTheEndWhateverComes) {
  RunWithWire([&](Wire& wire) {
    SwitchedTransport transport(wire);
    absl::StatusOr<size_t> got = 1;
    FiberHandle reading = *Spawn("reading", [&] { got = transport.Fill(1024); });
    Yield();
    transport.StopReading();
    reading.AwaitEnd();
    EXPECT_EQ(*got, 0);
    EXPECT_EQ(*transport.Fill(1024), 0);
  });
}

TEST_F(SwitchedTransportTest, NothingFollowsAFrameThatMayBeHalfSent) {
  RunWithWire([&](Wire& wire) {
    SwitchedTransport transport(wire);
    EXPECT_TRUE(absl::IsDeadlineExceeded(transport.Write("head", std::string(4 << 20, 'x'))));
    EXPECT_TRUE(absl::IsUnavailable(transport.Write("next", "")));
    EXPECT_TRUE(wire.reading_stopped());
  });
}

TEST_F(SwitchedTransportTest, ADrainIsTold) {
  RunWithWire([&](Wire& wire) {
    SwitchedTransport transport(wire);
    transport.Drain();
    int told = 0;
    transport.set_on_drain([&] { ++told; });
    transport.Drain();
    EXPECT_EQ(told, 1);
  });
}

}  // namespace
}  // namespace grove::http

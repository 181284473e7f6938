#include "server/http/serving/wire.h"

#include <cstring>

#include "server/http/serving/wire_fixture.h"

namespace grove::http {
namespace {

void Put(InputBuffer& input, std::string_view bytes) {
  std::memcpy(input.Room(bytes.size()).data(), bytes.data(), bytes.size());
  input.Filled(bytes.size());
}

TEST(InputBuffer, KeepsUnreadBytesAsItGrows) {
  BlockPool pool;
  InputBuffer input(pool);
  Put(input, "abc");
  input.Consume(1);
  Put(input, std::string(3 * BlockPool::kBlockBytes, 'x'));
  EXPECT_EQ(input.unread().substr(0, 3), "bcx");
  EXPECT_EQ(input.unread().size(), 2 + 3 * BlockPool::kBlockBytes);
  input.Release();
}

TEST(InputBuffer, UsesTheRoomOfBytesThatWereUsed) {
  BlockPool pool;
  InputBuffer input(pool);
  Put(input, std::string(BlockPool::kBlockBytes - 1, 'x') + "y");
  input.Consume(BlockPool::kBlockBytes - 1);
  EXPECT_EQ(input.Room(BlockPool::kBlockBytes - 1).size(), BlockPool::kBlockBytes - 1);
  EXPECT_EQ(input.unread(), "y");
  input.Release();
  EXPECT_EQ(pool.kept(), 1) << "it has stayed a block";
}

using WireTest = WireFixture;

TEST_F(WireTest, FillsBehindWhatIsUnread) {
  RunWithWire([&](Wire& wire) {
    Send("ab");
    EXPECT_EQ(*wire.Fill(), 2);
    wire.input().Consume(1);
    Send("cd");
    EXPECT_EQ(*wire.Fill(), 2);
    EXPECT_EQ(wire.input().unread(), "bcd");
    EXPECT_EQ(wire.read_bytes(), 4);
    EXPECT_EQ(wire.used_bytes(), 1);
    EXPECT_EQ(stats_.bytes_in, 4);
    Leave();
    EXPECT_EQ(*wire.Fill(), 0);
  });
}

TEST_F(WireTest, ReadingSendsNothing) {
  RunWithWire([&](Wire& wire) {
    char direct[4];
    wire.output().pending().Append("answer");
    Send("a");
    EXPECT_EQ(*wire.Fill(), 1);
    wire.input().Consume(1);
    Send("b");
    EXPECT_EQ(*wire.FillIdle(), 1);
    wire.input().Consume(1);
    Send("c");
    EXPECT_EQ(*wire.ReadDirect(direct), 1);
    EXPECT_EQ(Received(), "");
    EXPECT_TRUE(wire.Flush().ok());
    EXPECT_EQ(Received(), "answer");
  });
}

TEST_F(WireTest, HoldsNoMemoryWhileItWaitsForARequest) {
  RunWithWire([&](Wire& wire) {
    Send("a");
    EXPECT_EQ(*wire.FillIdle(), 1);
    wire.input().Consume(1);
    FiberHandle waiting = *Spawn("waiting", [&] { EXPECT_EQ(*wire.FillIdle(), 1); });
    Yield();
    EXPECT_FALSE(wire.input().has_memory());
    EXPECT_EQ(blocks_.kept(), 1);
    Send("b");
    waiting.AwaitEnd();
    EXPECT_EQ(wire.input().unread(), "b");
  });
}

TEST_F(WireTest, PinnedBytesStayWhereTheyAre) {
  RunWithWire([&](Wire& wire) {
    Send("headrest");
    EXPECT_EQ(*wire.Fill(), 8);
    const std::string_view head = wire.input().unread().substr(0, 4);
    wire.input().Consume(4);
    wire.Pin();
    Send(" and more");
    EXPECT_EQ(*wire.Fill(), 9);
    EXPECT_EQ(wire.input().unread(), "rest and more");
    wire.input().Consume(13);
    Send("next");
    EXPECT_EQ(*wire.Fill(), 4);
    EXPECT_EQ(head, "head");
    wire.Unpin();
  });
}

TEST_F(WireTest, StoppedItYieldsWhatTheKernelHoldsAndThenTheEnd) {
  RunWithWire([&](Wire& wire) {
    Send("late");
    EXPECT_FALSE(wire.reading_stopped());
    wire.StopReading();
    EXPECT_TRUE(wire.reading_stopped());
    EXPECT_EQ(*wire.Fill(), 4);
    EXPECT_EQ(*wire.Fill(), 0);
  });
}

}  // namespace
}  // namespace grove::http

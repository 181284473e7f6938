#include "server/control/outbox.h"

#include "gtest/gtest.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::control {
namespace {

internal::v1::ControlFrame Cancel(uint64_t attempt, size_t reason_bytes = 0) {
  internal::v1::ControlFrame frame;
  frame.add_cancel()->set_attempt(attempt);
  frame.mutable_cancel(0)->set_reason(std::string(reason_bytes, 'x'));
  return frame;
}

internal::v1::ControlFrame Parse(const absl::StatusOr<std::string>& bytes) {
  internal::v1::ControlFrame frame;
  EXPECT_TRUE(bytes.ok() && frame.ParseFromString(*bytes));
  return frame;
}

class OutboxTest : public HubTest {
 protected:
  void OnFiber(absl::AnyInvocable<void()> body) {
    EXPECT_TRUE(hub_->Run([&] { body(); }).ok());
  }

  Outbox outbox_{1000, 300};
};

TEST_F(OutboxTest, MergesWhatWaitsInOrder) {
  OnFiber([&] {
    for (uint64_t attempt = 1; attempt <= 3; ++attempt) {
      EXPECT_TRUE(outbox_.Put(Cancel(attempt)).ok());
    }
    const auto frame = Parse(outbox_.Next());
    ASSERT_EQ(frame.cancel_size(), 3);
    EXPECT_EQ(frame.cancel(2).attempt(), 3u);
  });
}

TEST_F(OutboxTest, MergesNoFurtherThanItsBound) {
  OnFiber([&] {
    EXPECT_TRUE(outbox_.Put(Cancel(1, 200)).ok());
    EXPECT_TRUE(outbox_.Put(Cancel(2, 200)).ok());
    EXPECT_EQ(Parse(outbox_.Next()).cancel(0).attempt(), 1u);
    EXPECT_EQ(Parse(outbox_.Next()).cancel(0).attempt(), 2u);
  });
}

TEST_F(OutboxTest, IsFullWithWhatIsBeingWrittenToo) {
  OnFiber([&] {
    EXPECT_TRUE(outbox_.Put(Cancel(1, 600)).ok());
    EXPECT_TRUE(outbox_.Next().ok());
    EXPECT_TRUE(absl::IsResourceExhausted(outbox_.Put(Cancel(2, 600))));
    EXPECT_TRUE(outbox_.Put(Cancel(3, 200)).ok());
    EXPECT_EQ(Parse(outbox_.Next()).cancel(0).attempt(), 3u);
    EXPECT_TRUE(outbox_.Put(Cancel(4, 600)).ok());
  });
}

TEST_F(OutboxTest, IsWrittenWhenTheNextFrameIsAskedFor) {
  OnFiber([&] {
    EXPECT_TRUE(outbox_.Put(Cancel(1)).ok());
    bool written = false;
    auto waiter = Spawn("waiter", [&] { written = outbox_.AwaitWritten().ok(); });
    EXPECT_TRUE(outbox_.Next().ok());
    Yield();
    EXPECT_FALSE(written);
    auto writer = Spawn("writer", [&] { EXPECT_TRUE(absl::IsCancelled(outbox_.Next().status())); });
    EXPECT_TRUE(waiter->Join().ok());
    EXPECT_TRUE(written);
    writer->Cancel();
    EXPECT_TRUE(writer->Join().ok());
  });
}

TEST_F(OutboxTest, ClearDropsAndLetsWaitersGo) {
  OnFiber([&] {
    EXPECT_TRUE(outbox_.Put(Cancel(1, 900)).ok());
    outbox_.Clear();
    EXPECT_TRUE(outbox_.AwaitWritten().ok());
    EXPECT_TRUE(outbox_.Put(Cancel(2, 900)).ok());
    EXPECT_EQ(Parse(outbox_.Next()).cancel(0).attempt(), 2u);
  });
}

}  // namespace
}  // namespace grove::control

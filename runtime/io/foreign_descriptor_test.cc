#include "runtime/io/foreign_descriptor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "runtime/hub/hub_fixture.h"
#include "runtime/io/pipe.h"

namespace grove {
namespace {

// An eventfd(2) of a library's.
class ForeignDescriptorTest : public HubTest {
 protected:
  ~ForeignDescriptorTest() override { close(counter_); }
  void Signal() const { ASSERT_EQ(eventfd_write(counter_, 1), 0); }
  uint64_t Drain() const {
    uint64_t count = 0;
    EXPECT_EQ(eventfd_read(counter_, &count), 0);
    return count;
  }

  const int counter_ = eventfd(0, EFD_CLOEXEC);
};

TEST_F(ForeignDescriptorTest, WaitsUntilTheLibraryHasSomethingAndLeavesItsFlagsAlone) {
  Run([this] {
    ForeignDescriptor waited = *ForeignDescriptor::Register(counter_);
    EXPECT_EQ(fcntl(counter_, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_TRUE(waited.AwaitWritable().ok());
    auto waiter = *Spawn("waiter", [&] {
      EXPECT_TRUE(waited.AwaitReadable().ok());
      EXPECT_EQ(Drain(), 1u);
    });
    (void)Sleep(absl::Seconds(1));
    EXPECT_FALSE(waiter.ended());
    Signal();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(ForeignDescriptorTest, WhatTheLibraryLeavesIsReadyAgainWithoutAnotherEdge) {
  Run([this] {
    ForeignDescriptor waited = *ForeignDescriptor::Register(counter_);
    Signal();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(waited.AwaitReadable().ok());
    EXPECT_EQ(Drain(), 1u);
    auto waiter = *Spawn("waiter", [&] { EXPECT_TRUE(waited.AwaitReadable().ok()); });
    (void)Sleep(absl::Seconds(1));
    EXPECT_FALSE(waiter.ended());
    Signal();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(ForeignDescriptorTest, CarriesAForeignLoopsSetOfDescriptors) {
  Run([this] {
    const int loop = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.fd = counter_}};
    ASSERT_EQ(epoll_ctl(loop, EPOLL_CTL_ADD, counter_, &event), 0);
    {
      ForeignDescriptor waited = *ForeignDescriptor::Register(loop);
      auto turns = *Spawn("foreign loop", [&] {
        for (int i = 0; i < 2; ++i) {
          ASSERT_TRUE(waited.AwaitReadable().ok());
          ASSERT_EQ(epoll_wait(loop, &event, 1, 0), 1);  // the loop's own step, without a wait
          EXPECT_EQ(Drain(), 1u);
        }
      });
      for (int i = 0; i < 2; ++i) {
        (void)Sleep(absl::Seconds(1));
        Signal();
      }
      EXPECT_TRUE(turns.Join().ok());
    }
    close(loop);
  });
}

TEST_F(ForeignDescriptorTest, UnregisteringWakesItsWaiterAndLeavesTheDescriptorOpen) {
  Run([this] {
    ForeignDescriptor waited = *ForeignDescriptor::Register(counter_);
    auto waiter = *Spawn("waiter", [&] { EXPECT_TRUE(absl::IsAborted(waited.AwaitReadable())); });
    (void)Sleep(absl::Seconds(1));
    waited.Unregister();
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_TRUE(absl::IsAborted(waited.AwaitReadable()));
    Signal();
    EXPECT_EQ(Drain(), 1u);
    EXPECT_TRUE(ForeignDescriptor::Register(counter_).ok());  // and again
  });
}

TEST_F(ForeignDescriptorTest, OneThatItsOwnerHasClosedIsAbortedNotWaitedFor) {
  Run([this] {
    const int copy = dup(counter_);
    ForeignDescriptor waited = *ForeignDescriptor::Register(copy);
    close(copy);
    EXPECT_TRUE(absl::IsAborted(waited.AwaitReadable()));
  });
}

TEST_F(ForeignDescriptorTest, WhatTheHubHasAlreadyIsRefused) {
  Run([this] {
    ForeignDescriptor waited = *ForeignDescriptor::Register(counter_);
    EXPECT_TRUE(absl::IsAlreadyExists(ForeignDescriptor::Register(counter_).status()));
    Pipe pipe = *Pipe::Create();
    EXPECT_TRUE(absl::IsAlreadyExists(ForeignDescriptor::Register(pipe.reader.fd()).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(ForeignDescriptor::Register(-1).status()));
    const int closed = dup(counter_);
    close(closed);
    EXPECT_FALSE(ForeignDescriptor::Register(closed).ok());
    ForeignDescriptor moved = std::move(waited);
    EXPECT_EQ(waited.fd(), -1);
    EXPECT_EQ(moved.fd(), counter_);
  });
}

TEST_F(ForeignDescriptorTest, WhatCannotBeWaitedForIsAlwaysReady) {
  Run([] {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    {
      ForeignDescriptor waited = *ForeignDescriptor::Register(null);
      for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(waited.AwaitReadable().ok());
        EXPECT_TRUE(waited.AwaitWritable().ok());
      }
    }
    close(null);
  });
}

}  // namespace
}  // namespace grove

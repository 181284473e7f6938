// The table by itself, on descriptors of the test's own; what sockets make of it is in poller_test.
#include "runtime/hub/descriptor_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <functional>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"

namespace grove {
namespace {

// A pipe whose reading end is registered.
class DescriptorTableTest : public HubTest {
 protected:
  void WithPipe(const std::function<void()>& body) {
    Run([&] {
      ASSERT_EQ(pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0);
      ASSERT_TRUE(Table().Register(fd(), Poller::Mode::kEdge).ok());
      body();
      Table().Unregister(fd());
      for (const int end : ends_) close(end);
    });
  }
  DescriptorTable& Table() { return hub_->descriptors(); }
  int fd() const { return ends_[0]; }
  absl::Status AwaitRead() { return Table().Await(fd(), Direction::kRead, WaitFor::Kind::kRead); }
  void Send() { ASSERT_EQ(write(ends_[1], "x", 1), 1); }
  void HangUp() {
    close(ends_[1]);
    ends_[1] = -1;
    Turn();
  }
  // Lets the hub poll.
  static void Turn() { ASSERT_TRUE(Sleep(absl::Seconds(1)).ok()); }

  int ends_[2] = {-1, -1};
};

TEST_F(DescriptorTableTest, ANewOneIsTakenForReadyUntilACallSaysOtherwise) {
  WithPipe([this] {
    EXPECT_TRUE(AwaitRead().ok());
    Table().NotReady(fd(), Direction::kRead);
    auto reader = *Spawn("reader", [this] { EXPECT_TRUE(AwaitRead().ok()); });
    Turn();
    EXPECT_FALSE(reader.ended());
    Send();
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(DescriptorTableTest, ReadinessIsRememberedThoughNobodyWaits) {
  WithPipe([this] {
    Table().NotReady(fd(), Direction::kRead);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(AwaitRead()));  // which arms the poller
    }
    Send();
    Turn();
    const uint64_t switches = hub_->running()->switches();
    EXPECT_TRUE(AwaitRead().ok());
    EXPECT_EQ(hub_->running()->switches(), switches);
  });
}

TEST_F(DescriptorTableTest, ATimeoutEndsAWaitForADescriptorAndItStaysUsable) {
  WithPipe([this] {
    Table().NotReady(fd(), Direction::kRead);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(AwaitReadable(fd())));
    }
    Send();
    EXPECT_TRUE(AwaitReadable(fd()).ok());
  });
}

TEST_F(DescriptorTableTest, OneThatIsNotRegisteredIsClosed) {
  WithPipe([this] {
    Table().Unregister(fd());
    Table().Unregister(fd());
    Table().Unregister(1 << 20);
    EXPECT_TRUE(absl::IsAborted(AwaitRead()));
    EXPECT_TRUE(absl::IsAborted(AwaitReadable(-1)));
    EXPECT_TRUE(absl::IsAborted(AwaitReadable(1 << 20)));
    EXPECT_EQ(Table().size(), 0u);
  });
}

TEST_F(DescriptorTableTest, AnEventOfAnEarlierRegistrationReachesNobody) {
  WithPipe([this] {
    Table().Unregister(fd());
    ASSERT_TRUE(Table().Register(fd(), Poller::Mode::kEdge).ok());
    Table().NotReady(fd(), Direction::kRead);
    auto reader = *Spawn("reader", [this] { EXPECT_TRUE(AwaitRead().ok()); });
    Yield();
    const auto token = [this](uint64_t generation) {
      return generation << 32 | static_cast<uint64_t>(fd());
    };
    Poller::Event event{.token = token(1), .readable = true, .writable = true, .hangup = true};
    Table().Deliver(event);
    Yield();
    EXPECT_FALSE(reader.ended());
    event.token = token(2);
    Table().Deliver(event);
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(DescriptorTableTest, AfterAHangUpReadsAreReadyWhateverACallSays) {
  WithPipe([this] {
    HangUp();
    Table().NotReady(fd(), Direction::kRead);
    EXPECT_TRUE(AwaitRead().ok());
  });
}

struct Watch final : DescriptorTable::HangupWatch {
  void OnHangup() override { ++told; }
  int told = 0;
};

TEST_F(DescriptorTableTest, AWatchIsToldOfAHangUpOnceAndALaterOneAtOnce) {
  WithPipe([this] {
    Watch watch;
    Table().WatchHangup(fd(), &watch);
    Turn();
    EXPECT_EQ(watch.told, 0);
    HangUp();
    Turn();
    EXPECT_EQ(watch.told, 1);
    Watch late;
    Table().WatchHangup(fd(), &late);
    EXPECT_EQ(late.told, 1);
  });
}

TEST_F(DescriptorTableTest, AWatchThatWasWithdrawnIsToldNothing) {
  WithPipe([this] {
    Watch watch;
    Table().WatchHangup(fd(), &watch);
    Table().WatchHangup(fd(), nullptr);
    HangUp();
    EXPECT_EQ(watch.told, 0);
  });
}

TEST_F(DescriptorTableTest, CountsTheWaitsThatEndWell) {
  WithPipe([this] {
    const uint64_t before = Table().calls();
    EXPECT_TRUE(AwaitRead().ok());
    Table().NotReady(fd(), Direction::kRead);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(AwaitRead()));
    }
    Table().CountCall();
    EXPECT_EQ(Table().calls() - before, 2u);
  });
}

// As an accepted connection, whose end `fd()` is.
class AcceptedTest : public DescriptorTableTest {
 protected:
  void WithAccepted(const std::function<void()>& body) {
    WithPipe([&] {
      Table().Unregister(fd());
      Table().RegisterAccepted(fd());
      body();
    });
  }
};

TEST_F(AcceptedTest, IsTakenForReadyAndTellsWhatCameBeforeItsFirstWait) {
  WithAccepted([this] {
    EXPECT_TRUE(AwaitRead().ok());
    Table().NotReady(fd(), Direction::kRead);
    Send();
    EXPECT_TRUE(AwaitRead().ok());
  });
}

TEST_F(AcceptedTest, TellsOfAHangupThatCameBeforeTheWatch) {
  WithAccepted([this] {
    HangUp();
    Watch watch;
    Table().WatchHangup(fd(), &watch);
    Turn();
    EXPECT_EQ(watch.told, 1);
  });
}

TEST_F(AcceptedTest, AWaitForWhatThePollerRefusesFails) {
  Run([this] {
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);  // no epoll takes it
    Table().RegisterAccepted(file);
    Table().NotReady(file, Direction::kRead);
    EXPECT_EQ(Table().Await(file, Direction::kRead, WaitFor::Kind::kRead).code(),
              absl::StatusCode::kPermissionDenied);
    Table().UnregisterClosing(file);
    close(file);
  });
}

TEST_F(AcceptedTest, ItsSuccessorOfTheSameNumberIsToldNothingOfIt) {
  WithAccepted([this] {
    Table().NotReady(fd(), Direction::kRead);
    const int kept = dup(fd());  // as in a child before its exec: the kernel forgets nothing yet
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(AwaitRead()));
    }
    Table().UnregisterClosing(fd());
    close(fd());
    const int sender = ends_[1];
    ASSERT_EQ(pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0);
    Table().RegisterAccepted(fd());
    Table().NotReady(fd(), Direction::kRead);
    ASSERT_EQ(write(sender, "x", 1), 1);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(AwaitRead()));
    }
    for (const int end : {kept, sender}) close(end);
  });
}

TEST_F(DescriptorTableTest, RegisteringTwiceIsAProgrammingError) {
  EXPECT_DEATH(WithPipe([this] { (void)Table().Register(fd(), Poller::Mode::kEdge); }),
               "is registered already");
}

}  // namespace
}  // namespace grove

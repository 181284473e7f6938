#include "zeromq/monitor.h"

#include <memory>
#include <utility>

#include "runtime/hub/timeout.h"
#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

using Kind = MonitorEvent::Kind;

class MonitorTest : public SocketTest {
 protected:
  // The next event of `kind`; those before it are passed over.
  static MonitorEvent Await(Monitor& monitor, Kind kind) {
    for (;;) {
      absl::StatusOr<MonitorEvent> event = monitor.Next();
      if (!event.ok()) {
        ADD_FAILURE() << event.status();
        return {};
      }
      if (event->kind == kind) return *event;
    }
  }
};

TEST_F(MonitorTest, TellsOfConnectionsAndOfTheEnd) {
  Run([this] {
    auto pull = Open(SocketType::kPull);
    auto monitor = *Monitor::Open(*pull);
    const std::string address = *pull->Bind("tcp://127.0.0.1:*");
    absl::StatusOr<MonitorEvent> first = monitor->Next();
    EXPECT_EQ(first->kind, Kind::kListening);
    EXPECT_EQ(first->address, address);
    auto push = Open(SocketType::kPush);
    EXPECT_TRUE(push->Connect(address).ok());
    Await(*monitor, Kind::kAccepted);
    Await(*monitor, Kind::kHandshakeSucceeded);
    push->Close();
    Await(*monitor, Kind::kDisconnected);
    pull->Close();
    absl::Status end;
    while (end.ok()) end = monitor->Next().status();
    EXPECT_TRUE(absl::IsOutOfRange(end)) << end;
    EXPECT_TRUE(absl::IsOutOfRange(monitor->Next().status()));
  });
}

TEST_F(MonitorTest, MayDieBeforeItsSocketAndAnotherTakeItsPlace) {
  Run([this] {
    auto pull = Open(SocketType::kPull);
    auto monitor = *Monitor::Open(*pull);
    EXPECT_TRUE(absl::IsAlreadyExists(Monitor::Open(*pull).status()));
    monitor = nullptr;
    monitor = *Monitor::Open(*pull);
    EXPECT_TRUE(pull->Bind("tcp://127.0.0.1:*").ok());
    EXPECT_EQ(monitor->Next()->kind, Kind::kListening);
    auto push = Open(SocketType::kPush);
    monitor = nullptr;  // and libzmq's thread goes on without a reader
    EXPECT_TRUE(pull->Bind("tcp://127.0.0.1:*").ok());
    pull->Close();
    EXPECT_TRUE(absl::IsAborted(Monitor::Open(*pull).status()));
  });
}

TEST_F(MonitorTest, AWaitForEventsIsBoundedByATimeout) {
  Run([this] {
    auto pull = Open(SocketType::kPull);
    auto monitor = *Monitor::Open(*pull);
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(monitor->Next().status()));
  });
}

}  // namespace
}  // namespace grove::zeromq

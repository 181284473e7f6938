#include "server/control/worker_links.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "runtime/io/listener.h"
#include "server/control/driver_fixture.h"
#include "server/link/frame.h"

namespace grove::control {
namespace {

using ::testing::ElementsAre;

// Two slots of a daemon; the test is the workers.
class WorkerLinksTest : public DriverTest {
 protected:
  WorkerLinksTest() {
    char pattern[] = "/tmp/grove-links-XXXXXX";
    directory_ = mkdtemp(pattern);
    links_ = std::make_unique<WorkerLinks>(directory_, scoreboard_, driver_, inside_);
  }
  ~WorkerLinksTest() override { std::filesystem::remove_all(directory_); }

  void Set(int worker, metrics::SlotState state) { scoreboard_.slot(worker).state = state; }
  // Takes the link of `worker` and says Hello.
  Socket Accept(int worker) {
    const std::string path = absl::StrCat(directory_, "/worker-", worker, ".link");
    unlink(path.c_str());
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + path)));
    Socket socket = *listener.Accept();
    internal::v1::WorkerFrame frame;
    *frame.mutable_hello() = Hello(worker);
    EXPECT_TRUE(link::WriteFrame(socket, frame.SerializeAsString()).ok());
    EXPECT_TRUE(links_->Find(worker)->AwaitLinked().ok());
    return socket;
  }

  std::string directory_;
  metrics::Scoreboard scoreboard_ = *metrics::Scoreboard::Create(2);
  InsideCalls inside_{driver_};
  std::unique_ptr<WorkerLinks> links_;
};

TEST_F(WorkerLinksTest, ASlotIsLinkedOnceItHasAWorker) {
  Drive([&] {
    Set(0, metrics::SlotState::kStarting);
    ASSERT_TRUE(links_->Follow().ok());
    EXPECT_NE(links_->Find(0), nullptr);
    EXPECT_EQ(links_->Find(1), nullptr);
    Socket worker = Accept(0);
    EXPECT_THAT(links_->Linked(), ElementsAre(true, false));
    EXPECT_TRUE(links_->AnyLinked());
  });
}

TEST_F(WorkerLinksTest, EachLinkBeginsWithTheGreeting) {
  Drive([&] {
    links_->set_greeting([] {
      internal::v1::ControlFrame frame;
      frame.add_bounds()->set_tenant("acme");
      return frame;
    });
    Set(0, metrics::SlotState::kReady);
    ASSERT_TRUE(links_->Follow().ok());
    const auto read = [](Socket& worker) {
      internal::v1::ControlFrame frame;
      EXPECT_TRUE(frame.ParseFromString(link::ReadFrame(worker).value_or("?")));
      return frame.bounds_size() == 0 ? "" : frame.bounds(0).tenant();
    };
    for (int time = 0; time < 2; ++time) {
      Socket worker = Accept(0);
      EXPECT_EQ(read(worker), "acme");
      internal::v1::ControlFrame change;
      change.add_bounds()->set_tenant("umbrella");
      links_->SendToAll(change);
      EXPECT_EQ(read(worker), "umbrella");
      worker.Close();
      while (links_->linked(0)) ASSERT_TRUE(driver_.AwaitRound().ok());
    }
  });
}

// So that a worker knows that there is nothing else.
TEST_F(WorkerLinksTest, AnEmptyGreetingIsAFrameToo) {
  Drive([&] {
    links_->set_greeting([] { return internal::v1::ControlFrame(); });
    Set(0, metrics::SlotState::kReady);
    ASSERT_TRUE(links_->Follow().ok());
    Socket worker = Accept(0);
    EXPECT_EQ(link::ReadFrame(worker).value_or("?"), "");
  });
}

TEST_F(WorkerLinksTest, ADeadWorkersLinkWaitsForItsSuccessor) {
  Drive([&] {
    Set(0, metrics::SlotState::kReady);
    ASSERT_TRUE(links_->Follow().ok());
    WorkerLink* link = links_->Find(0);
    Set(0, metrics::SlotState::kDown);
    ASSERT_TRUE(links_->Follow().ok());
    EXPECT_EQ(links_->Find(0), link);
  });
}

TEST_F(WorkerLinksTest, ASlotBeyondTheFirstOnesIsLinkedToo) {
  Drive([&] {
    ASSERT_TRUE(links_->Follow().ok());
    scoreboard_.Grow(3);
    EXPECT_EQ(links_->Find(2), nullptr);
    EXPECT_THAT(links_->Linked(), ElementsAre(false, false, false));
    Set(2, metrics::SlotState::kReady);
    ASSERT_TRUE(links_->Follow().ok());
    Socket worker = Accept(2);
    EXPECT_TRUE(links_->linked(2));
  });
}

TEST_F(WorkerLinksTest, ASlotThatWasScaledAwayIsLetGoAndMayComeBack) {
  Drive([&] {
    Set(0, metrics::SlotState::kReady);
    ASSERT_TRUE(links_->Follow().ok());
    Socket worker = Accept(0);
    Set(0, metrics::SlotState::kEmpty);
    ASSERT_TRUE(links_->Follow().ok());
    EXPECT_EQ(links_->Find(0), nullptr);
    EXPECT_FALSE(links_->AnyLinked());
    EXPECT_TRUE(absl::IsOutOfRange(link::ReadFrame(worker).status()));
    links_->Send(0, internal::v1::ControlFrame());

    Set(0, metrics::SlotState::kStarting);
    ASSERT_TRUE(links_->Follow().ok());
    Socket successor = Accept(0);
    EXPECT_TRUE(links_->linked(0));
  });
}

}  // namespace
}  // namespace grove::control

#include "server/control/worker_link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/io/listener.h"
#include "server/control/driver_fixture.h"
#include "server/link/frame.h"

namespace grove::control {
namespace {

using internal::v1::ControlFrame;
using internal::v1::WorkerFrame;

// A link to a worker that the test plays, on one hub.
class WorkerLinkTest : public DriverTest {
 protected:
  WorkerLinkTest() {
    char pattern[] = "/tmp/grove-link-XXXXXX";
    directory_path_ = mkdtemp(pattern);
    driver_.set_sender([this](int32_t, ControlFrame frame) { link_->Send(std::move(frame)); });
  }
  ~WorkerLinkTest() override {
    unlink(Path().c_str());
    rmdir(directory_path_.c_str());
  }

  std::string Path() const { return directory_path_ + "/worker-0.link"; }

  // With the slot's socket there, and the link's fiber running.
  void WithLink(absl::AnyInvocable<void()> body) {
    Drive([&] {
      Listen();
      link_.emplace(0, Path(), driver_, inside_);
      FiberHandle fiber = *Spawn("link", [this] { return link_->Run(); });
      body();
      fiber.Cancel();
      fiber.Join().IgnoreError();
      worker_.Close();
      listener_.reset();
      link_.reset();
    });
  }

  void Listen() {
    listener_.emplace(*Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + Path()))));
  }
  void Accept() { worker_ = *listener_->Accept(); }
  // Accepts, and greets as the slot's worker.
  void Greet(int worker = 0) {
    Accept();
    WorkerFrame frame;
    *frame.mutable_hello() = Hello(worker);
    Say(frame);
  }
  void Say(const WorkerFrame& frame) {
    ASSERT_TRUE(link::WriteFrame(worker_, frame.SerializeAsString()).ok());
  }
  ControlFrame Hear() {
    ControlFrame frame;
    EXPECT_TRUE(frame.ParseFromString(link::ReadFrame(worker_).value_or("")));
    return frame;
  }
  void AwaitUnlinked() {
    while (link_->linked()) ASSERT_TRUE(driver_.AwaitRound().ok());
  }
  v1::TaskState StateOf(const tasks::Spawned& spawned) {
    return engine_.Get(spawned.id, v1::TASK_VIEW_FULL, driver_.Now())->state();
  }

  std::string directory_path_;
  std::optional<Listener> listener_;
  InsideCalls inside_{driver_};
  std::optional<WorkerLink> link_;
  Socket worker_;
};

TEST_F(WorkerLinkTest, IsALinkOnceTheWorkerGreets) {
  WithLink([&] {
    Accept();
    EXPECT_FALSE(link_->linked());
    WorkerFrame frame;
    *frame.mutable_hello() = Hello(0);
    Say(frame);
    ASSERT_TRUE(link_->AwaitLinked().ok());
    EXPECT_EQ(engine_.Counters(0).workers_linked, 1);
  });
}

TEST_F(WorkerLinkTest, CarriesStartsOutAndEndsIn) {
  WithLink([&] {
    Greet();
    ASSERT_TRUE(link_->AwaitLinked().ok());
    const auto spawned = driver_.Spawn("", Spec());
    const ControlFrame frame = Hear();
    ASSERT_EQ(frame.start_size(), 1);
    WorkerFrame end;
    end.add_ended()->set_attempt(frame.start(0).attempt());
    end.mutable_ended(0)->set_outcome(internal::v1::AttemptEnded::OUTCOME_SUCCEEDED);
    Say(end);
    EXPECT_EQ(Hear().acknowledged(0), frame.start(0).attempt());
    EXPECT_EQ(StateOf(*spawned), v1::TASK_STATE_SUCCEEDED);
  });
}

TEST_F(WorkerLinkTest, ADeadWorkersAttemptsAreInterruptedAtOnce) {
  WithLink([&] {
    Greet();
    ASSERT_TRUE(link_->AwaitLinked().ok());
    const auto spawned = driver_.Spawn("", Spec());
    EXPECT_EQ(Hear().start_size(), 1);
    worker_.Close();
    AwaitUnlinked();
    EXPECT_EQ(StateOf(*spawned), v1::TASK_STATE_QUEUED);
    EXPECT_EQ(engine_.attempts_running(), 0);
  });
}

TEST_F(WorkerLinkTest, AWorkerThatSpeaksNonsenseMayLive) {
  WithLink([&] {
    Greet();
    ASSERT_TRUE(link_->AwaitLinked().ok());
    ASSERT_TRUE(driver_.Spawn("", Spec()).ok());
    EXPECT_EQ(Hear().start_size(), 1);
    ASSERT_TRUE(link::WriteFrame(worker_, "\xff\xff\xff").ok());
    AwaitUnlinked();
    // Its attempt waits for the next greeting.
    EXPECT_EQ(engine_.attempts_running(), 1);
  });
}

TEST_F(WorkerLinkTest, ReconnectsAfterEveryEnd) {
  WithLink([&] {
    for (int i = 0; i < 3; ++i) {
      Greet();
      ASSERT_TRUE(link_->AwaitLinked().ok());
      worker_.Close();
      AwaitUnlinked();
    }
  });
}

TEST_F(WorkerLinkTest, RefusesAnotherWorkersGreetingAndTriesAgain) {
  WithLink([&] {
    Greet(/*worker=*/1);
    EXPECT_TRUE(absl::IsOutOfRange(link::ReadFrame(worker_).status()));
    EXPECT_FALSE(link_->linked());
    Greet();
    EXPECT_TRUE(link_->AwaitLinked().ok());
  });
}

TEST_F(WorkerLinkTest, RefusesAFirstFrameThatIsNoGreeting) {
  WithLink([&] {
    Accept();
    Say(WorkerFrame());
    EXPECT_TRUE(absl::IsOutOfRange(link::ReadFrame(worker_).status()));
    EXPECT_FALSE(link_->linked());
  });
}

TEST_F(WorkerLinkTest, APeerThatDiesBeforeItGreetsWasNoWorker) {
  WithLink([&] {
    Accept();
    worker_.Close();
    Greet();
    EXPECT_TRUE(link_->AwaitLinked().ok());
  });
}

TEST_F(WorkerLinkTest, GivesUpAWorkerThatReadsNothing) {
  WithLink([&] {
    Greet();
    ASSERT_TRUE(link_->AwaitLinked().ok());
    ControlFrame large;
    large.add_cancel()->set_reason(std::string(32 << 20, 'x'));
    for (size_t sent = 0; sent <= kLinkBacklogBytesMax; sent += 32 << 20) link_->Send(large);
    AwaitUnlinked();
    EXPECT_TRUE(link_->AwaitWritten().ok());
  });
}

TEST_F(WorkerLinkTest, AQueryEndsWithItsReplyOrWithTheLink) {
  WithLink([&] {
    Greet();
    ASSERT_TRUE(link_->AwaitLinked().ok());
    const auto answered = link_->QueryFibers(0, 10, WorkerLink::Stacks::kNo);
    const auto lost = link_->QueryFibers(7, 10, WorkerLink::Stacks::kYes);
    const ControlFrame asked = Hear();
    ASSERT_EQ(asked.list_fibers_size(), 2);
    EXPECT_EQ(asked.list_fibers(1).after(), 7u);
    EXPECT_TRUE(asked.list_fibers(1).stacks());
    WorkerFrame reply;
    reply.add_fibers()->set_request(asked.list_fibers(0).request());
    Say(reply);
    ASSERT_TRUE(answered->done.Wait().ok());
    EXPECT_NE(answered->reply, nullptr);
    worker_.Close();
    ASSERT_TRUE(lost->done.Wait().ok());
    EXPECT_EQ(lost->reply, nullptr);
  });
}

TEST_F(WorkerLinkTest, AQueryForGreenedCallsEndsWithItsReplyOrWithTheLink) {
  WithLink([&] {
    EXPECT_EQ(link_->QueryGreenCalls(1), nullptr);
    Greet();
    ASSERT_TRUE(link_->AwaitLinked().ok());
    const auto answered = link_->QueryGreenCalls(10);
    const auto forgotten = link_->QueryGreenCalls(10);
    const auto lost = link_->QueryGreenCalls(10);
    const ControlFrame asked = Hear();
    ASSERT_EQ(asked.list_green_calls_size(), 3);
    EXPECT_EQ(asked.list_green_calls(0).limit(), 10);
    link_->ForgetQuery(*forgotten);
    WorkerFrame reply;
    for (int i = 0; i < 2; ++i) {
      reply.add_green_calls()->set_request(asked.list_green_calls(i).request());
    }
    Say(reply);
    ASSERT_TRUE(answered->done.Wait().ok());
    EXPECT_NE(answered->reply, nullptr);
    EXPECT_EQ(forgotten->reply, nullptr);
    worker_.Close();
    ASSERT_TRUE(lost->done.Wait().ok());
    EXPECT_EQ(lost->reply, nullptr);
  });
}

TEST_F(WorkerLinkTest, TakesNoQueryWithoutALinkOrBeyondTheBound) {
  WithLink([&] {
    EXPECT_EQ(link_->QueryFibers(0, 1, WorkerLink::Stacks::kNo), nullptr);
    Greet();
    ASSERT_TRUE(link_->AwaitLinked().ok());
    for (size_t i = 0; i < kFiberQueriesMax; ++i) {
      EXPECT_NE(link_->QueryFibers(0, 1, WorkerLink::Stacks::kNo), nullptr);
    }
    EXPECT_EQ(link_->QueryFibers(0, 1, WorkerLink::Stacks::kNo), nullptr);
  });
}

}  // namespace
}  // namespace grove::control

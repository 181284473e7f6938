#include "runtime/watch/outside_fibers.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/sync/event.h"

namespace grove {

// Of a name that the test can find on the stack.
__attribute__((noinline)) void StandOutside(Event& never) {
  never.Wait().IgnoreError();
  asm volatile("");  // no tail call
}

namespace {

// A child process with fibers.
class OutsideFibersTest : public testing::Test {
 protected:
  // `body` runs on its hub's main fiber, and stops or loops at the end.
  void Start(const std::function<void()>& body) {
    child_ = fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      auto hub = Hub::Create();
      if (hub.ok()) (*hub)->Run(body).IgnoreError();
      _exit(1);
    }
    // It stops itself once it is where the test wants it.
    int status = 0;
    ASSERT_EQ(waitpid(child_, &status, WUNTRACED), child_);
    ASSERT_TRUE(WIFSTOPPED(status));
  }
  ~OutsideFibersTest() override {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  // By name.
  static const OutsideFiber* Find(const OutsideFibers& list, std::string_view name) {
    const auto found = std::find_if(list.fibers.begin(), list.fibers.end(),
                                    [&](const OutsideFiber& fiber) { return fiber.name == name; });
    return found == list.fibers.end() ? nullptr : &*found;
  }

  pid_t child_ = -1;
  OutsideReader reader_;
};

void StandStill() {
  Event never;
  auto label = std::make_shared<FiberLabel>(FiberLabel{.tenant = "acme", .task = "tasks/1"});
  auto parked = Spawn(SpawnOptions{.name = "parked", .label = label, .group = "pool"},
                      [&never] { StandOutside(never); });
  auto joins = Spawn("joins", [&] { parked->Join().IgnoreError(); });
  Yield();
  auto fresh = Spawn("fresh", [&never] { StandOutside(never); });
  raise(SIGSTOP);
  for (;;) {
  }
}

TEST_F(OutsideFibersTest, AreReadWhileTheProcessIsStopped) {
  Start(StandStill);
  const auto list = reader_.Read(child_, 0, 100, OutsideReader::Stacks::kYes);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->fibers.size(), 4u);
  EXPECT_FALSE(list->more);
  const OutsideFiber* parked = Find(*list, "parked");
  ASSERT_NE(parked, nullptr);
  EXPECT_EQ(parked->state, FiberState::kParked);
  EXPECT_EQ(parked->group, "pool");
  EXPECT_EQ(parked->tenant, "acme");
  EXPECT_EQ(parked->task, "tasks/1");
  EXPECT_EQ(parked->switches, 1u);
  EXPECT_TRUE(absl::StartsWith(parked->spawn_site, "runtime/watch/outside_fibers_test.cc:"))
      << parked->spawn_site;
  EXPECT_TRUE(absl::StartsWith(parked->waiting_for, "event 0x")) << parked->waiting_for;
  EXPECT_GT(parked->spawned_at, 0);
  EXPECT_GT(parked->stack_bytes, 0u);
  EXPECT_EQ(Find(*list, "joins")->waiting_for, "join of fiber " + std::to_string(parked->id));
  EXPECT_EQ(Find(*list, "fresh")->state, FiberState::kRunnable);
}

TEST_F(OutsideFibersTest, HaveStacksWithNamesUpToTheirEntry) {
  Start(StandStill);
  const auto list = reader_.Read(child_, 0, 100, OutsideReader::Stacks::kYes);
  ASSERT_TRUE(list.ok()) << list.status();
  const std::string stack = absl::StrJoin(Find(*list, "parked")->stack, "\n");
  EXPECT_TRUE(absl::StrContains(stack, "StandOutside(grove::Event&)+0x")) << stack;
  EXPECT_TRUE(absl::StrContains(stack, "grove::Fiber::Main(void*)+0x")) << stack;
  EXPECT_FALSE(absl::StrContains(stack, "(unknown)")) << stack;
  EXPECT_FALSE(absl::StrContains(stack, "the walk ends here")) << stack;
  EXPECT_FALSE(Find(*list, "fresh")->stack.empty());
  const auto running =
      std::find_if(list->fibers.begin(), list->fibers.end(),
                   [](const OutsideFiber& fiber) { return fiber.state == FiberState::kRunning; });
  ASSERT_NE(running, list->fibers.end());
  EXPECT_TRUE(running->stack.empty());
}

TEST_F(OutsideFibersTest, ComeInPagesById) {
  Start(StandStill);
  const auto first = reader_.Read(child_, 0, 3, OutsideReader::Stacks::kNo);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->fibers.size(), 3u);
  EXPECT_TRUE(first->more);
  EXPECT_TRUE(first->fibers[0].stack.empty());
  const auto rest = reader_.Read(child_, first->fibers[2].id, 3, OutsideReader::Stacks::kNo);
  ASSERT_TRUE(rest.ok()) << rest.status();
  ASSERT_EQ(rest->fibers.size(), 1u);
  EXPECT_FALSE(rest->more);
}

TEST_F(OutsideFibersTest, AreReadWhileTheProcessLoops) {
  Start(StandStill);
  kill(child_, SIGCONT);
  const auto list = reader_.Read(child_, 0, 100, OutsideReader::Stacks::kYes);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->fibers.size(), 4u);
}

TEST_F(OutsideFibersTest, OfAProcessThatIsGoneAreNotFound) {
  Start(StandStill);
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  const pid_t gone = std::exchange(child_, -1);
  EXPECT_TRUE(absl::IsNotFound(reader_.Read(gone, 0, 1, OutsideReader::Stacks::kNo).status()));
}

}  // namespace
}  // namespace grove

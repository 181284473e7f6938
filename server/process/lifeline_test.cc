#include "server/process/lifeline.h"

#include <fcntl.h>
#include <unistd.h>

#include "runtime/hub/hub_fixture.h"
#include "server/process/exit_code.h"

namespace grove::process {
namespace {

class LifelineTest : public HubTest {
 protected:
  LifelineTest() { EXPECT_EQ(pipe2(pipe_, O_CLOEXEC), 0); }
  ~LifelineTest() override { close(pipe_[1]); }

  int pipe_[2];
};

using LifelineDeathTest = LifelineTest;

TEST_F(LifelineDeathTest, ItsEndEndsTheProcess) {
  EXPECT_EXIT(Run([&] {
                auto watch = Spawn("lifeline", [&] { return WatchLifeline(pipe_[0]); });
                Yield();  // it waits
                close(pipe_[1]);
                watch->Join().IgnoreError();
              }),
              ::testing::ExitedWithCode(kExitCrash), "the supervisor is gone: ending at once");
  close(pipe_[0]);
}

TEST_F(LifelineTest, IsWatchedUntilCancelled) {
  Run([&] {
    auto watch = Spawn("lifeline", [&] { return WatchLifeline(pipe_[0]); });
    ASSERT_EQ(write(pipe_[1], "x", 1), 1);  // says nothing
    for (int turn = 0; turn < 10; ++turn) Yield();
    EXPECT_FALSE(watch->ended());
    watch->Cancel();
    EXPECT_EQ(watch->Join().code(), absl::StatusCode::kCancelled);
  });
}

TEST_F(LifelineTest, ThatIsNoDescriptorIsAnError) {
  Run([&] { EXPECT_FALSE(WatchLifeline(-1).ok()); });
  close(pipe_[0]);
}

}  // namespace
}  // namespace grove::process

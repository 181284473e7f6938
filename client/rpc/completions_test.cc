#include "client/rpc/completions.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/hub/hub_fixture.h"

namespace grove::client::rpc {
namespace {

class CompletionsTest : public HubTest {};

// What `body` returns in a forked child, which does nothing else.
template <typename Body>
int InForkedChild(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(CompletionsTest, NoneIsMadeInAChildOfAProcessThatUsedGrpc) {
  const auto child = [] {
    absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create({});
    if (!hub.ok()) return 1;
    absl::Status made;
    (void)(*hub)->Run([&] { made = Completions::Create().status(); });
    return absl::IsFailedPrecondition(made) ? 42 : 2;
  };
  Run([&] {
    absl::StatusOr<std::unique_ptr<Completions>> completions = Completions::Create();
    ASSERT_TRUE(completions.ok()) << completions.status();
    EXPECT_EQ(InForkedChild(child), 42);
    // The parent goes on.
    EXPECT_TRUE(Completions::Create().ok());
  });
}

TEST_F(CompletionsTest, AParentsQueueIsNotUsedInTheChild) {
  Run([&] {
    absl::StatusOr<std::unique_ptr<Completions>> completions = Completions::Create();
    ASSERT_TRUE(completions.ok());
    const pid_t child = fork();
    if (child == 0) {
      (void)(*completions)->queue();
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
  });
}

}  // namespace
}  // namespace grove::client::rpc

#include "server/supervisor/supervisor_state.h"

#include <signal.h>

#include "gtest/gtest.h"
#include "server/supervisor/decisions_fixture.h"

namespace grove::supervisor {
namespace {

using enum metrics::ExitReason;

TEST(ReasonOf, TellsWhoseFaultAnEndWas) {
  const ChildState booting;
  const ChildState serving{.ready = true};
  const ChildState told{.ready = true, .told_to_end = true, .told_for = kScale};
  const struct {
    ChildState child;
    int wait_status;
    bool out_of_memory;
    metrics::ExitReason expected;
  } table[] = {
      {booting, Exited(1), false, kBootFailure},
      {booting, Killed(SIGSEGV), false, kCrash},
      {serving, Exited(1), false, kCrash},
      {serving, Killed(SIGABRT), false, kCrash},
      {serving, Killed(SIGTERM), false, kSignal},
      {serving, Killed(SIGKILL), false, kSignal},
      {serving, Killed(SIGKILL), true, kOutOfMemory},
      {serving, Killed(SIGSEGV), true, kCrash},
      {told, Exited(0), false, kScale},
      {told, Exited(1), false, kCrash},
      {{.ready = true, .aborted = true}, Killed(SIGABRT), false, kStuck},
      {{.aborted = true}, Killed(SIGKILL), true, kBootTimeout},
      {{.ready = true, .told_to_end = true, .overdue = true}, Killed(SIGKILL), false, kOverdue},
  };
  for (const auto& row : table) {
    EXPECT_EQ(ReasonOf(row.child, row.wait_status, row.out_of_memory), row.expected)
        << metrics::NameOf(row.expected);
  }
}

}  // namespace
}  // namespace grove::supervisor

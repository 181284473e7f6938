#include "runtime/io/run_main.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/signals.h"
#include "runtime/sync/event.h"

ABSL_FLAG(int, run_main_test_number, 0, "a flag of the program under test");

namespace grove {
namespace {

// RunMain() of a program that was started as "/opt/tool" with `arguments`.
template <typename F>
int RunWith(std::vector<std::string> arguments, F&& body) {
  arguments.insert(arguments.begin(), "/opt/tool");
  std::vector<char*> argv;
  for (std::string& each : arguments) argv.push_back(each.data());
  argv.push_back(nullptr);
  return RunMain(static_cast<int>(arguments.size()), argv.data(), std::forward<F>(body));
}

// What RunMain() returned, and what it has written to stderr.
struct Ended {
  int code;
  std::string said;
};
template <typename F>
Ended RunCaptured(F&& body) {
  ::testing::internal::CaptureStderr();
  const int code = RunWith({}, std::forward<F>(body));
  return {code, ::testing::internal::GetCapturedStderr()};
}

TEST(RunMain, RunsTheBodyOnAFiberWithTheArgumentsThatAreNoFlags) {
  Arguments got;
  const int code = RunWith({"one", "--run_main_test_number=7", "two"}, [&](const Arguments& a) {
    got = a;
    return Sleep(absl::ZeroDuration());  // a park: dies outside of a fiber
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(got, (Arguments{"one", "two"}));
  EXPECT_EQ(absl::GetFlag(FLAGS_run_main_test_number), 7);
}

TEST(RunMain, ABodyMayTakeNothingAndReturnNothing) {
  bool ran = false;
  EXPECT_EQ(RunWith({}, [&] { ran = true; }), 0);
  EXPECT_TRUE(ran);
}

TEST(RunMain, AnErrorIsExitCode1AndOneLine) {
  const Ended ended = RunCaptured([] { return absl::NotFoundError("no such page:\nx"); });
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.said, "tool: no such page: x (NOT_FOUND)\n");
}

TEST(RunMain, AnExceptionIsToldInTheSameWay) {
  const Ended ended = RunCaptured([]() -> absl::Status { throw std::runtime_error("no luck"); });
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.said, "tool: exception: no luck (UNKNOWN)\n");
}

TEST(RunMain, ASignalCancelsTheBodyAndIsTheExitCode) {
  for (const int number : {SIGINT, SIGTERM}) {
    const Ended ended = RunCaptured([number] {
      kill(getpid(), number);
      return Sleep(absl::InfiniteDuration());
    });
    EXPECT_EQ(ended.code, 128 + number);
    EXPECT_EQ(ended.said, "");
  }
}

TEST(RunMain, ABodyThatEndsInOrderAfterASignalHasSucceeded) {
  EXPECT_EQ(RunWith({},
                    [] {
                      kill(getpid(), SIGTERM);
                      EXPECT_TRUE(absl::IsCancelled(Sleep(absl::InfiniteDuration())));
                    }),
            0);
}

TEST(RunMain, ACancellationWithoutASignalIsAnError) {
  const Ended ended = RunCaptured([] { return absl::CancelledError("gave up"); });
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.said, "tool: gave up (CANCELLED)\n");
}

TEST(RunMain, OtherFibersAreCancelledWhenTheBodyHasEnded) {
  absl::Status left;
  EXPECT_EQ(RunWith({},
                    [&] {
                      (void)Spawn("left", [&] { left = Sleep(absl::InfiniteDuration()); });
                      Yield();
                    }),
            0);
  EXPECT_TRUE(absl::IsCancelled(left));
}

TEST(RunMain, ASecondSignalEndsTheProcess) {
  EXPECT_EXIT(RunWith({},
                      [] {
                        kill(getpid(), SIGTERM);
                        (void)Sleep(absl::InfiniteDuration());
                        // By now the first one has been taken, and the mask is as it was.
                        kill(getpid(), SIGTERM);
                        _exit(3);
                      }),
              ::testing::KilledBySignal(SIGTERM), "");
}

TEST(RunMain, AWrongFlagEndsTheProcessNamingIt) {
  EXPECT_EXIT(RunWith({"--run_main_test_nomber=1"}, [] {}), ::testing::ExitedWithCode(1),
              "run_main_test_nomber");
}

TEST(RunMain, LeavesTheSignalsAsTheyWere) {
  EXPECT_EQ(RunWith({}, [] {}), 0);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

}  // namespace
}  // namespace grove

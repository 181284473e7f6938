#include "runtime/io/subprocess.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

class SubprocessTest : public HubTest {
 protected:
  static size_t OpenDescriptors() {
    DIR* directory = opendir("/proc/self/fd");
    size_t count = 0;
    while (readdir(directory) != nullptr) ++count;
    closedir(directory);
    return count;
  }
  void TearDown() override {
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child, no zombie
    EXPECT_EQ(errno, ECHILD);
    EXPECT_EQ(OpenDescriptors(), descriptors_before_);
    HubTest::TearDown();
  }
  static Subprocess Shell(const std::string& script, const SubprocessOptions& options = {}) {
    return *Subprocess::Start({"sh", "-c", script}, options);
  }

  const size_t descriptors_before_ = OpenDescriptors();
};

constexpr auto kPipe = SubprocessOptions::Stream::kPipe;

TEST_F(SubprocessTest, NamedDescriptorsAreTheChildsFromThreeOn) {
  Run([] {
    int first[2];
    int second[2];
    ASSERT_EQ(pipe2(first, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(second, O_CLOEXEC), 0);
    // In an order that would have one replace the other, were they not moved out of the way.
    Subprocess child =
        Shell("echo 3 >&3; echo 4 >&4; ls /proc/self/fd", {.descriptors = {second[1], first[1]}});
    const auto output = child.Communicate();
    char text[3] = "";
    EXPECT_EQ(read(second[0], text, 2), 2);
    EXPECT_STREQ(text, "3\n");
    EXPECT_EQ(read(first[0], text, 2), 2);
    EXPECT_STREQ(text, "4\n");
    EXPECT_EQ(output->out, "0\n1\n2\n3\n4\n5\n");  // 5: of ls itself
    for (const int* ends : {first, second}) {
      close(ends[0]);
      close(ends[1]);
    }
    EXPECT_FALSE(Subprocess::Start({"true"}, {.descriptors = {-1}}).ok());
  });
}

TEST_F(SubprocessTest, PassesInputAndCollectsBothOutputsAndTheCode) {
  Run([] {
    const std::string input(1 << 20, 'i');
    Subprocess child = Shell("cat; echo oops >&2; exit 3", {.in = kPipe});
    const auto output = child.Communicate(input);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_TRUE(output->out == input);
    EXPECT_EQ(output->err, "oops\n");
    EXPECT_EQ(output->status.code, 3);
    EXPECT_EQ(child.Wait()->code, 3);
    EXPECT_TRUE(absl::IsNotFound(child.Signal(SIGTERM)));
  });
}

TEST_F(SubprocessTest, InputThatIsNotReadIsNoError) {
  Run([] {
    Subprocess child = Shell("exit 0", {.in = kPipe});
    EXPECT_TRUE(child.Communicate(std::string(1 << 20, 'i'))->status.ok());
  });
}

TEST_F(SubprocessTest, OutputBeyondItsBoundEndsTheChild) {
  Run([] {
    Subprocess child = Shell("trap '' PIPE; while :; do echo xxxxxxxx; done 2>/dev/null");
    EXPECT_TRUE(
        absl::IsResourceExhausted(child.Communicate({}, {.output_bytes_max = 10'000}).status()));
    EXPECT_EQ(child.Wait()->signal, SIGKILL);
  });
}

TEST_F(SubprocessTest, ATimeoutTerminatesWithItsWholeGroup) {
  Run([] {
    Subprocess child = Shell("sleep 1000; true");
    const auto output =
        child.Communicate({}, {.timeout = absl::Seconds(1), .grace = absl::InfiniteDuration()});
    EXPECT_TRUE(absl::IsDeadlineExceeded(output.status()));
    EXPECT_EQ(child.Wait()->signal, SIGTERM);
  });
}

TEST_F(SubprocessTest, WhatIgnoresSigtermIsKilledAfterTheGrace) {
  Run([] {
    Subprocess child = Shell("trap '' TERM; echo ready; while :; do sleep 1000; done");
    char ready[6];
    ASSERT_TRUE(child.out().ReadFull(ready).ok());
    EXPECT_EQ(child.Terminate(absl::Seconds(5))->signal, SIGKILL);
  });
}

TEST_F(SubprocessTest, DroppingItOrCancellingItsFiberLeavesNothing) {
  Run([] {
    { Subprocess dropped = Shell("sleep 1000"); }
    auto fiber = *Spawn("fiber", [] {
      Subprocess child = Shell("sleep 1000");
      EXPECT_TRUE(absl::IsCancelled(child.Communicate().status()));
    });
    Yield();
    fiber.Cancel();
    EXPECT_TRUE(fiber.Join().ok());
  });
}

TEST_F(SubprocessTest, TheChildHasNoOtherDescriptorsAndDefaultSignals) {
  Run([] {
    Subprocess other = Shell("cat", {.in = kPipe});
    // Not piped into anything: the shell's own end of that pipe might be open still.
    // SIGPIPE, which this process ignores; glibc leaves its own two signals ignored.
    Subprocess child = Shell(
        "ls /proc/$$/fd; read -r x m <<E\n$(grep SigIgn /proc/$$/status)\nE\n"
        "echo $((0x$m & 0x1000))");
    EXPECT_EQ(child.Communicate()->out, "0\n1\n2\n0\n");
    EXPECT_TRUE(other.Communicate("x")->status.ok());
  });
}

TEST_F(SubprocessTest, TakesEnvironmentAndDirectoryAndNamesAMissingProgram) {
  Run([] {
    Subprocess child =
        Shell("echo $NAME $PWD", {.environment = {{"NAME=value"}}, .directory = "/"});
    EXPECT_EQ(child.Communicate()->out, "value /\n");
    const absl::Status missing = Subprocess::Start({"/no/such/program"}).status();
    EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
    EXPECT_TRUE(absl::IsInvalidArgument(Subprocess::Start({}).status()));
  });
}

}  // namespace
}  // namespace grove

#include "server/supervisor/handover.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "gmock/gmock.h"

namespace grove::supervisor {
namespace {

using internal::v1::SupervisorHandover;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

SupervisorHandover Record() {
  SupervisorHandover record;
  record.set_version(kHandoverVersion);
  record.set_build("0.1");
  record.set_ticket_keys(std::string("\0key", 4));
  for (auto* fd : {"program", "control"}) record.add_arguments(fd);
  record.set_program_fd(-1);
  record.set_control_program_fd(-1);
  record.set_scoreboard_fd(-1);
  record.set_lifeline_read_fd(-1);
  record.set_lifeline_write_fd(-1);
  record.set_volatile_tasks_fd(-1);
  return record;
}

std::string Error(const absl::Status& status) {
  return std::string(status.message());
}

TEST(Handover, IsReadAsItWasWritten) {
  const absl::StatusOr<int> fd = WriteHandover(Record());
  ASSERT_TRUE(fd.ok()) << fd.status();
  for (int times = 0; times < 2; ++times) {
    const absl::StatusOr<SupervisorHandover> read = ReadHandover(*fd);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->SerializeAsString(), Record().SerializeAsString());
  }
  close(*fd);
}

TEST(Handover, OfAnotherVersionIsRefused) {
  SupervisorHandover record = Record();
  record.set_version(kHandoverVersion + 1);
  const absl::StatusOr<int> fd = WriteHandover(record);
  ASSERT_TRUE(fd.ok());
  const absl::Status refused = ReadHandover(*fd).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Error(refused), HasSubstr("hands over in version 2, this program takes version 1"));
  close(*fd);
}

TEST(Handover, IsNotReadFromSomethingElse) {
  EXPECT_FALSE(ReadHandover(-1).ok());
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  EXPECT_FALSE(ReadHandover(file).ok());
  close(file);
}

class HandoverSourceTest : public testing::Test {
 protected:
  ~HandoverSourceTest() override { unsetenv(kHandoverVariable); }
  std::optional<HandoverSource> Take(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    argc_ = static_cast<int>(arguments.size());
    return TakeHandoverSource(argc_, argv.data());
  }
  int argc_ = 0;
};

TEST_F(HandoverSourceTest, AStartIsNone) {
  EXPECT_FALSE(Take({"groved"}).has_value());
  EXPECT_FALSE(Take({"groved", "--handover_fd=x"}).has_value());
  EXPECT_EQ(argc_, 2);
}

TEST_F(HandoverSourceTest, ATrialGetsAFlagThatIsTakenAway) {
  const auto source = Take({"groved", "--check", "--handover_fd=7"});
  ASSERT_TRUE(source.has_value());
  EXPECT_EQ(source->fd, 7);
  EXPECT_TRUE(source->trial);
  EXPECT_EQ(argc_, 2);
}

TEST_F(HandoverSourceTest, ASuccessorGetsAVariableThatIsTakenAway) {
  setenv(kHandoverVariable, "8", 1);
  const auto source = Take({"groved"});
  ASSERT_TRUE(source.has_value());
  EXPECT_EQ(source->fd, 8);
  EXPECT_FALSE(source->trial);
  EXPECT_EQ(getenv(kHandoverVariable), nullptr);
}

SupervisorHandover RecordOf(int fd) {
  SupervisorHandover record = Record();
  record.set_scoreboard_fd(fd);
  return record;
}

TEST(HandoverDescriptors, AreAllThatAreNamed) {
  SupervisorHandover record = RecordOf(10);
  record.set_program_fd(11);
  auto* child = record.add_children();
  child->set_ready_fd(-1);
  child->set_channel_fd(12);
  auto* dead = record.add_children();
  dead->set_ready_fd(-1);
  dead->set_channel_fd(-1);
  auto* http = record.add_http();
  http->add_fds(13);
  http->add_fds(-1);
  auto* slot = record.add_slots();
  slot->set_link_fd(14);
  slot->set_backdoor_fd(15);
  record.add_locks()->set_fd(16);
  record.set_shared_table_fd(17);
  EXPECT_THAT(DescriptorsOf(record), UnorderedElementsAre(10, 11, 12, 13, 14, 15, 16, 17));
}

TEST(HandoverDescriptors, AreCloseOnExecAgainAndMissingOnesAreNamed) {
  const int fd = open("/dev/null", O_RDONLY);
  EXPECT_TRUE(TakeDescriptors(RecordOf(fd)).ok());
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  close(fd);
  EXPECT_THAT(Error(TakeDescriptors(RecordOf(fd))), HasSubstr(std::to_string(fd)));
}

// In a child: what it execs has `fd` and the record, and runs with the record's arguments.
int RunAs(int program_fd, const std::string& program, int fd) {
  const pid_t child = fork();
  if (child == 0) {
    SupervisorHandover record = RecordOf(fd);
    record.clear_arguments();
    for (const std::string& each :
         {std::string("sh"), std::string("-c"),
          "test -s /proc/self/fd/$" + std::string(kHandoverVariable) + " -a -e /proc/self/fd/" +
              std::to_string(fd) + " && exit 7"}) {
      record.add_arguments(each);
    }
    GoOnAs(program, program_fd, record).IgnoreError();
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(GoOnAs, TheNextProgramHasTheRecordAndTheDescriptors) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(RunAs(-1, "/bin/sh", fd), 7);
  close(fd);
}

TEST(GoOnAs, AnOpenProgramNeedsNoName) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int shell = open("/bin/sh", O_PATH | O_CLOEXEC);
  EXPECT_EQ(RunAs(shell, "/no/such/program", fd), 7);
  close(shell);
  close(fd);
}

TEST(GoOnAs, WhatCannotRunChangesNothing) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const absl::Status failed = GoOnAs("/no/such/program", -1, RecordOf(fd));
  EXPECT_THAT(Error(failed), HasSubstr("/no/such/program"));
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(getenv(kHandoverVariable), nullptr);
  close(fd);
}

TEST(GoOnAs, SignalsAreListed) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  EXPECT_EQ(SignalsIn(mask), std::vector<int>{SIGUSR1});
}

}  // namespace
}  // namespace grove::supervisor

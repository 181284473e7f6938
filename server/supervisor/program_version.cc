#include "server/supervisor/program_version.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/supervisor/process_facts.h"

namespace grove::supervisor {
namespace {

// A version is a line; who says more is cut off, and no version either.
constexpr size_t kAnswerMax = 4096;

// 0, or an errno.
int Spawn(const std::string& program, int answer, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, answer, STDOUT_FILENO);
  std::string name = program, flag = "--version";
  char* argv[] = {name.data(), flag.data(), nullptr};
  const int error = posix_spawn(pid, program.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

std::string ReadAnswer(int fd) {
  std::string answer(kAnswerMax, '\0');
  size_t used = 0;
  while (used < answer.size()) {
    const ssize_t got = read(fd, answer.data() + used, answer.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += static_cast<size_t>(got);
  }
  answer.resize(used);
  return answer;
}

}  // namespace

absl::StatusOr<std::string> AskVersion(const std::string& program) {
  int answer[2];
  if (pipe2(answer, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  pid_t pid = 0;
  const int error = Spawn(program, answer[1], &pid);
  close(answer[1]);
  const std::string said = error == 0 ? ReadAnswer(answer[0]) : "";
  close(answer[0]);
  if (error != 0) return ErrnoStatus(error, StrCat("run ", program));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const size_t end = said.find('\n');
  if (status == 0 && end != std::string::npos) return said.substr(0, end);
  return absl::FailedPreconditionError(StrCat(program, " --version: ", DescribeEnd(status),
                                              status == 0 ? " without a version" : ""));
}

}  // namespace grove::supervisor

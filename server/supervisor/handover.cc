#include "server/supervisor/handover.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::supervisor {
namespace {

using internal::v1::SupervisorHandover;

// A resolved config of the largest file, and half-read messages of 256 workers at most.
constexpr off_t kBytesMax = off_t{512} << 20;

absl::Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoStatus(errno, "write the handover's memory file");
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoStatus(errno, StrCat("handover from descriptor ", fd));
  if (info.st_size > kBytesMax) return absl::DataLossError("the handover is too large to be one");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  for (size_t used = 0; used < bytes.size();) {
    const ssize_t got =
        pread(fd, bytes.data() + used, bytes.size() - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, StrCat("read handover descriptor ", fd));
    if (got == 0) return absl::DataLossError("the handover ends early");
    used += static_cast<size_t>(got);
  }
  return bytes;
}

void Keep(std::vector<int>& fds, int fd) {
  if (fd >= 0) fds.push_back(fd);
}

bool IsNumber(std::string_view text, int* number) {
  return SimpleAtoi(text, number) && *number >= 0;
}

}  // namespace

absl::StatusOr<int> WriteHandover(const SupervisorHandover& handover) {
  const int fd = memfd_create("grove-handover", MFD_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "memfd_create for the handover");
  if (absl::Status written = WriteAll(fd, handover.SerializeAsString()); !written.ok()) {
    close(fd);
    return written;
  }
  return fd;
}

absl::StatusOr<SupervisorHandover> ReadHandover(int fd) {
  absl::StatusOr<std::string> bytes = ReadAll(fd);
  if (!bytes.ok()) return bytes.status();
  SupervisorHandover handover;
  if (!handover.ParseFromString(*bytes)) {
    return absl::DataLossError(StrCat("descriptor ", fd, " holds no handover"));
  }
  if (handover.version() == kHandoverVersion) return handover;
  return absl::FailedPreconditionError(StrCat("the running daemon (", handover.build(),
                                              ") hands over in version ", handover.version(),
                                              ", this program takes version ", kHandoverVersion,
                                              ": it needs a restart instead of an upgrade"));
}

std::optional<HandoverSource> TakeHandoverSource(int& argc, char** argv) {
  HandoverSource source;
  std::string_view last = argc > 1 ? argv[argc - 1] : "";
  if (ConsumePrefix(&last, kHandoverFlag) && IsNumber(last, &source.fd)) {
    argv[--argc] = nullptr;
    source.trial = true;
    return source;
  }
  const char* variable = getenv(kHandoverVariable);
  if (variable == nullptr) return std::nullopt;
  const bool is_one = IsNumber(variable, &source.fd);
  unsetenv(kHandoverVariable);
  if (!is_one) return std::nullopt;
  return source;
}

std::vector<int> DescriptorsOf(const SupervisorHandover& handover) {
  std::vector<int> fds;
  for (const int fd :
       {handover.program_fd(), handover.control_program_fd(), handover.scoreboard_fd(),
        handover.lifeline_read_fd(), handover.lifeline_write_fd(), handover.volatile_tasks_fd()}) {
    Keep(fds, fd);
  }
  if (handover.has_shared_table_fd()) Keep(fds, handover.shared_table_fd());
  for (const auto& child : handover.children()) {
    Keep(fds, child.ready_fd());
    Keep(fds, child.channel_fd());
  }
  for (const auto& sockets : handover.http()) {
    for (const int fd : sockets.fds()) Keep(fds, fd);
  }
  for (const auto& slot : handover.slots()) {
    Keep(fds, slot.link_fd());
    Keep(fds, slot.backdoor_fd());
  }
  for (const auto& lock : handover.locks()) Keep(fds, lock.fd());
  return fds;
}

absl::Status TakeDescriptors(const SupervisorHandover& handover) {
  for (const int fd : DescriptorsOf(handover)) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) continue;
    return absl::InternalError(StrCat("descriptor ", fd, " of the handover is not open"));
  }
  return absl::OkStatus();
}

absl::Status GoOnAs(const std::string& program, int program_fd,
                    const SupervisorHandover& handover) {
  absl::StatusOr<int> record = WriteHandover(handover);
  if (!record.ok()) return record.status();
  std::vector<int> fds = DescriptorsOf(handover);
  fds.push_back(*record);
  setenv(kHandoverVariable, StrCat(*record).c_str(), 1);
  for (const int fd : fds) fcntl(fd, F_SETFD, 0);
  std::vector<char*> argv;
  for (const std::string& each : handover.arguments()) {
    argv.push_back(const_cast<char*>(each.c_str()));
  }
  argv.push_back(nullptr);
  if (program_fd >= 0) {
    fexecve(program_fd, argv.data(), environ);
  } else {
    execve(program.c_str(), argv.data(), environ);
  }
  absl::Status failed = ErrnoStatus(errno, StrCat("execute ", program));
  for (const int fd : fds) fcntl(fd, F_SETFD, FD_CLOEXEC);
  unsetenv(kHandoverVariable);
  close(*record);
  return failed;
}

std::vector<int> SignalsIn(const sigset_t& mask) {
  std::vector<int> numbers;
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (sigismember(&mask, number) == 1) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace grove::supervisor

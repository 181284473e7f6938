#include "server/supervisor/run_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::supervisor {
namespace {

absl::Status FileError(std::string_view what, const std::string& path) {
  return ErrnoStatus(errno, StrCat(what, " ", path));
}

// With its parents; those that exist are left as they are.
absl::Status MakeDirectory(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      // A parent on a read-only file system may exist all the same.
      const int error = errno;
      struct stat status;
      if (stat(part.c_str(), &status) != 0) {
        errno = error;
        return FileError("mkdir", part);
      }
    }
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

absl::Status PrepareDirectory(std::string_view key, const std::string& path) {
  if (absl::Status status = MakeDirectory(path); !status.ok()) return status;
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return FileError("stat", path);
  if (!S_ISDIR(status.st_mode)) {
    return absl::FailedPreconditionError(StrCat(key, " ", path, " is not a directory"));
  }
  if (status.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s %s belongs to user %d, but must belong to the daemon's user %d", key,
                        path, status.st_uid, geteuid()));
  }
  // Sockets in it give control over the daemon. A group, as Kubernetes volumes have one, is kept
  // out of it too.
  if ((status.st_mode & 0777) != 0700 && chmod(path.c_str(), 0700) != 0) {
    return FileError("chmod 0700", path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunFiles> RunFiles::Open(const std::string& state_dir, const std::string& run_dir) {
  RunFiles files(run_dir);
  for (const auto& [key, path] : {std::pair("state_dir", state_dir), {"run_dir", run_dir}}) {
    if (absl::Status status = PrepareDirectory(key, path); !status.ok()) return status;
  }
  if (absl::Status status = files.Lock(run_dir); !status.ok()) return status;
  struct stat state, run;
  if (stat(state_dir.c_str(), &state) != 0) return FileError("stat", state_dir);
  if (stat(run_dir.c_str(), &run) != 0) return FileError("stat", run_dir);
  if (state.st_dev != run.st_dev || state.st_ino != run.st_ino) {
    if (absl::Status status = files.Lock(state_dir); !status.ok()) return status;
  }
  if (absl::Status status = files.Write("groved.pid", StrCat(getpid())); !status.ok()) {
    return status;
  }
  return files;
}

RunFiles::~RunFiles() {
  // Moved-from and forked copies hold no lock and own nothing.
  if (locks_.empty()) return;
  for (const std::string& path : written_) unlink(path.c_str());
  CloseLocks();
}

absl::Status RunFiles::Lock(const std::string& directory) {
  // The file stays: unlinking a lock file lets two daemons lock two files of one name.
  const std::string path = StrCat(directory, "/groved.lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return FileError("open", path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    absl::Status status = FileError("lock", path);
    close(fd);
    if (!taken) return status;
    return absl::AlreadyExistsError(
        StrCat("another daemon runs in ", directory, " (it holds ", path,
               "); stop it, or give this one its own --run_dir and --state_dir"));
  }
  locks_.push_back(fd);
  return absl::OkStatus();
}

absl::Status RunFiles::Write(std::string_view name, std::string_view text) {
  const std::string path = StrCat(run_dir_, "/", name);
  const std::string draft = StrCat(path, ".new");
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return FileError("open", draft);
  const std::string line = StrCat(text, "\n");
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  absl::Status status = written ? absl::OkStatus() : FileError("write", draft);
  close(fd);
  if (status.ok() && rename(draft.c_str(), path.c_str()) != 0) status = FileError("rename", draft);
  const bool known = std::find(written_.begin(), written_.end(), path) != written_.end();
  if (status.ok() && !known) RemoveAtEnd(path);
  return status;
}

void RunFiles::CloseLocks() {
  for (const int fd : locks_) close(fd);
  locks_.clear();
}

}  // namespace grove::supervisor

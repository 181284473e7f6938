#include "server/supervisor/run_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

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

// Whether `path` still names what `fd` is open on.
bool Names(const std::string& path, int fd) {
  struct stat named, open;
  return stat(path.c_str(), &named) == 0 && fstat(fd, &open) == 0 && named.st_dev == open.st_dev &&
         named.st_ino == open.st_ino;
}

// It stays when the daemon ends: unlinking a lock file lets two daemons lock two files of one name.
std::string LockPath(const std::string& directory) {
  return StrCat(directory, "/groved.lock");
}

}  // namespace

absl::StatusOr<RunFiles> RunFiles::Open(const std::string& state_dir, const std::string& run_dir) {
  RunFiles files(run_dir);
  for (const auto& [key, path] : {std::pair("state_dir", state_dir), {"run_dir", run_dir}}) {
    if (absl::Status status = PrepareDirectory(key, path); !status.ok()) return status;
  }
  for (const auto& [key, path] : {std::pair("run_dir", run_dir), {"state_dir", state_dir}}) {
    // They may be one.
    if (!files.locks_.empty() && Names(LockPath(path), files.locks_[0].fd)) continue;
    absl::StatusOr<int> fd = TakeLock(path);
    if (!fd.ok()) return fd.status();
    files.locks_.push_back({path, key, *fd});
  }
  if (absl::Status status = files.Write("groved.pid", StrCat(getpid())); !status.ok()) {
    return status;
  }
  return files;
}

absl::StatusOr<RunFiles> RunFiles::Adopt(const internal::v1::SupervisorHandover& handover) {
  RunFiles files(handover.config().run_dir());
  for (const internal::v1::HandedLock& lock : handover.locks()) {
    const int fd = fcntl(lock.fd(), F_DUPFD_CLOEXEC, 0);
    absl::Status failed =
        fd < 0 ? FileError("dup the lock of", lock.directory()) : absl::OkStatus();
    if (!failed.ok()) {
      // Its end removes no file: they are still the earlier program's.
      files.CloseLocks();
      return failed;
    }
    files.locks_.push_back({lock.directory(), lock.key(), fd});
  }
  for (const auto& [path, line] : handover.files()) files.written_[path] = line;
  files.remove_at_end_.insert(handover.remove_at_end().begin(), handover.remove_at_end().end());
  return files;
}

void RunFiles::Describe(internal::v1::SupervisorHandover& handover) const {
  for (const Lock& lock : locks_) {
    internal::v1::HandedLock* handed = handover.add_locks();
    handed->set_key(lock.key);
    handed->set_directory(lock.directory);
    handed->set_fd(lock.fd);
  }
  for (const auto& [path, line] : written_) (*handover.mutable_files())[path] = line;
  for (const std::string& path : remove_at_end_) handover.add_remove_at_end(path);
}

RunFiles::~RunFiles() {
  // Moved-from and forked copies hold no lock and own nothing.
  if (locks_.empty()) return;
  for (const std::string& path : remove_at_end_) unlink(path.c_str());
  for (const auto& [path, line] : written_) unlink(path.c_str());
  CloseLocks();
}

absl::StatusOr<int> RunFiles::TakeLock(const std::string& directory) {
  const std::string path = LockPath(directory);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return FileError("open", path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const bool taken = errno == EWOULDBLOCK;
  absl::Status status = FileError("lock", path);
  close(fd);
  if (!taken) return status;
  return absl::AlreadyExistsError(
      StrCat("another daemon runs in ", directory, " (it holds ", path,
             "); stop it, or give this one its own --run_dir and --state_dir"));
}

absl::Status RunFiles::Write(std::string_view name, std::string_view text) {
  const std::string path = StrCat(run_dir_, "/", name);
  const std::string line = StrCat(text, "\n");
  absl::Status status = Put(path, line);
  if (status.ok()) written_[path] = line;
  return status;
}

absl::Status RunFiles::Put(const std::string& path, const std::string& line) {
  const std::string draft = StrCat(path, ".new");
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return FileError("open", draft);
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  absl::Status status = written ? absl::OkStatus() : FileError("write", draft);
  close(fd);
  if (status.ok() && rename(draft.c_str(), path.c_str()) != 0) status = FileError("rename", draft);
  return status;
}

absl::StatusOr<bool> RunFiles::Retake(Lock& lock) {
  if (Names(LockPath(lock.directory), lock.fd)) return false;
  if (absl::Status made = PrepareDirectory(lock.key, lock.directory); !made.ok()) return made;
  absl::StatusOr<int> fd = TakeLock(lock.directory);
  if (!fd.ok()) return fd.status();
  close(std::exchange(lock.fd, *fd));
  return true;
}

absl::StatusOr<int> RunFiles::Restore() {
  int made = 0;
  for (Lock& lock : locks_) {
    absl::StatusOr<bool> taken = Retake(lock);
    if (absl::IsAlreadyExists(taken.status())) {
      // What stands there now is the other's.
      remove_at_end_.clear();
      written_.clear();
    }
    if (!taken.ok()) return taken.status();
    made += *taken ? 1 : 0;
  }
  for (const auto& [path, line] : written_) {
    if (access(path.c_str(), F_OK) == 0) continue;
    if (absl::Status status = Put(path, line); !status.ok()) return status;
    ++made;
  }
  return made;
}

void RunFiles::CloseLocks() {
  for (const Lock& lock : locks_) close(lock.fd);
  locks_.clear();
}

}  // namespace grove::supervisor

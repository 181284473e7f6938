#include "server/handlers/folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"
#include "runtime/switch/errno_status.h"

namespace grove::handlers {
namespace {

// Without O_NONBLOCK the open of a FIFO would wait for its writer.
constexpr int kFileFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
// openat2(2) asks for another try when names are moved while it looks; more than this is an attack.
constexpr int kTriesMax = 16;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Reset(-1); }
  int get() const { return fd_; }
  void Reset(int fd) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int OpenAt2(int folder, const char* path, uint64_t flags, uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve;
  return static_cast<int>(syscall(SYS_openat2, folder, path, &how, sizeof(how)));
}

// A descriptor, or -errno.
int OpenBeneath(const std::string& folder, const std::string& path, uint64_t resolve) {
  const Descriptor root(OpenAt2(AT_FDCWD, folder.c_str(), kFolderFlags, resolve));
  if (root.get() < 0) return -errno;
  const int fd = OpenAt2(root.get(), path.empty() ? "." : path.c_str(), kFileFlags,
                         resolve | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
  return fd >= 0 ? fd : -errno;
}

int OpenByWalk(const std::string& folder, const std::string& path) {
  Descriptor at(open(folder.c_str(), kFolderFlags));
  size_t begin = 0;
  while (at.get() >= 0) {
    const size_t end = path.find('/', begin);
    const std::string name = path.substr(begin, end - begin);
    const bool last = end == std::string::npos;
    at.Reset(openat(at.get(), name.empty() ? "." : name.c_str(),
                    (last ? kFileFlags : kFolderFlags) | O_NOFOLLOW));
    if (last) break;
    begin = end + 1;
  }
  return at.get() >= 0 ? at.Release() : -errno;
}

// Blocks.
int OpenBlocking(const std::string& folder, const std::string& path, Folder::Lookup lookup) {
  int fd = -EAGAIN;
  if (lookup == Folder::Lookup::kBeneath) {
    for (int tries = 0; fd == -EAGAIN && tries < kTriesMax; ++tries) {
      fd = OpenBeneath(folder, path, 0);
    }
    // Linux 5.6 brought it.
    if (!IsNotOffered(-fd)) return fd;
  }
  return OpenByWalk(folder, path);
}

absl::Status OpenFailure(int error, std::string_view path) {
  const std::string text = absl::StrFormat("open %s: %s", path, strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:  // a link, to itself or, while walking, to anything
    case EXDEV:  // a link that leads out
    case ENXIO:  // a socket, a device without a driver
    case ENODEV:
      return absl::NotFoundError(text);
    case EACCES:
      return absl::PermissionDeniedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace

OpenedFile::~OpenedFile() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<OpenedFile> Folder::Open(std::string_view path) const {
  const std::string name(path);
  int fd = lookup_ == Lookup::kBeneath ? OpenBeneath(path_, name, RESOLVE_CACHED) : -EAGAIN;
  // EINVAL: before Linux 5.12.
  if (fd == -EAGAIN || fd == -EINVAL || IsNotOffered(-fd)) {
    const absl::Status ran = offload_.Run([&] { fd = OpenBlocking(path_, name, lookup_); });
    if (absl::IsResourceExhausted(ran)) return absl::UnavailableError(ran.message());
    if (!ran.ok()) return ran;
  }
  if (fd < 0) return OpenFailure(-fd, path);
  struct stat about;
  if (fstat(fd, &about) != 0) {
    const int error = errno;
    close(fd);
    return OpenFailure(error, path);
  }
  return OpenedFile(fd, about);
}

}  // namespace grove::handlers

// Folder: opens files beneath one folder, and none elsewhere, whatever the path says.
//
// With openat2(2), RESOLVE_BENEATH: a symbolic link is followed as long as it leads to a place in
// the folder; one that leads out of it, by ".." or an absolute target, is not there. Where the
// kernel or a sandbox lacks openat2 the path is walked name by name with O_NOFOLLOW: then no link
// is followed at all. The folder itself is opened anew each time, so that it may be replaced.
//
// What the kernel has in its caches (nearly always) is opened at once (RESOLVE_CACHED): it costs
// less than the way to another thread. The rest may wait for a disk, and goes through offload.
#ifndef GROVE_SERVER_HANDLERS_FOLDER_H_
#define GROVE_SERVER_HANDLERS_FOLDER_H_

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/offload/offload.h"

namespace grove::handlers {

// Closed when it dies.
class OpenedFile {
 public:
  OpenedFile(int fd, const struct stat& about) : fd_(fd), about_(about) {}
  OpenedFile(OpenedFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), about_(other.about_) {}
  OpenedFile& operator=(OpenedFile&&) = delete;
  ~OpenedFile();

  int fd() const { return fd_; }
  bool regular() const { return S_ISREG(about_.st_mode); }
  bool directory() const { return S_ISDIR(about_.st_mode); }
  const struct stat& about() const { return about_; }

 private:
  int fd_;
  struct stat about_;
};

class Folder {
 public:
  enum class Lookup {
    kBeneath,  // openat2, or the walk where there is none
    kWalk,
  };
  // `offload` must outlive it.
  Folder(std::string path, OffloadPool& offload, Lookup lookup = Lookup::kBeneath)
      : path_(std::move(path)), offload_(offload), lookup_(lookup) {}

  // `path` is relative, without empty names, "." and ".."; empty is the folder itself. kNotFound;
  // kPermissionDenied; kUnavailable: out of descriptors or memory, or no thread was to be had.
  // **Parks.**
  absl::StatusOr<OpenedFile> Open(std::string_view path) const;

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  OffloadPool& offload_;
  const Lookup lookup_;
};

}  // namespace grove::handlers

#endif  // GROVE_SERVER_HANDLERS_FOLDER_H_

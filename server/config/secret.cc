#include "server/config/secret.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::config {
namespace {

// Opens a regular file and puts its mode in *mode. The caller closes the descriptor.
absl::StatusOr<int> OpenRegular(const std::string& path, mode_t* mode) {
  // O_NONBLOCK: a FIFO would hold the open.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ErrnoStatus(errno, path);
  struct stat info;
  if (fstat(fd, &info) != 0) {
    const int error = errno;
    close(fd);
    return ErrnoStatus(error, path);
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(absl::StrCat(path, ": no regular file"));
  }
  *mode = info.st_mode;
  return fd;
}

absl::Status CheckMode(const std::string& path, mode_t mode) {
  if ((mode & (S_IROTH | S_IWOTH)) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s: others may read or write it (mode %04o); chmod it to 0600 or 0640, or on "
      "Kubernetes set defaultMode: 0440",
      path, mode & 07777));
}

bool IsVisible(char c) {
  return c > ' ' && c < '\x7f';
}

absl::StatusOr<std::string> ReadPrivateLine(const std::string& path) {
  mode_t mode = 0;
  const absl::StatusOr<int> fd = OpenRegular(path, &mode);
  if (!fd.ok()) return fd.status();
  const auto closer = absl::MakeCleanup([&fd] { close(*fd); });
  if (absl::Status s = CheckMode(path, mode); !s.ok()) return s;

  std::string text(kSecretBytesMax + 2, '\0');  // With its line end.
  size_t used = 0;
  while (used < text.size()) {
    const ssize_t got = read(*fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, path);
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  text.resize(used);
  std::string line = text.substr(0, text.find('\n'));
  if (!line.empty() && line.back() == '\r') line.pop_back();

  if (line.size() < kSecretBytesMin || line.size() > kSecretBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": its first line has ",
                     line.size() > kSecretBytesMax ? "too many" : absl::StrCat(line.size()),
                     " bytes; a secret has ", kSecretBytesMin, " to ", kSecretBytesMax));
  }
  return line;
}

}  // namespace

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  absl::StatusOr<std::string> line = ReadPrivateLine(path);
  // It travels as a header's value, where nothing else survives (RFC 9110 5.5).
  if (!line.ok() || std::all_of(line->begin(), line->end(), &IsVisible)) return line;
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": a secret is printable ASCII without blanks, as `openssl rand -hex 32` prints"));
}

absl::StatusOr<std::string> ReadFieldFile(const std::string& path) {
  absl::StatusOr<std::string> line = ReadPrivateLine(path);
  if (!line.ok()) return line;
  // Blanks at its ends would not arrive (RFC 9110 5.5).
  const bool fits =
      std::all_of(line->begin(), line->end(), [](char c) { return c == ' ' || IsVisible(c); }) &&
      line->front() != ' ' && line->back() != ' ';
  if (fits) return line;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": a field's value is printable ASCII without blanks at its ends"));
}

absl::StatusOr<int64_t> ParseExpireTime(std::string_view text) {
  if (text.empty()) return 0;
  absl::Time time;
  std::string error;
  // Not "infinite-future", which Abseil takes too.
  if (absl::ascii_isdigit(text[0]) &&
      absl::ParseTime(absl::RFC3339_full, Abseil(text), &time, &error)) {
    return absl::ToUnixMicros(time);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::CHexEscape(Abseil(text)),
                   "' is no time of RFC 3339, such as 2027-01-31T00:00:00Z"));
}

absl::Status CheckPrivateFile(const std::string& path) {
  mode_t mode = 0;
  const absl::StatusOr<int> fd = OpenRegular(path, &mode);
  if (!fd.ok()) return fd.status();
  close(*fd);
  return CheckMode(path, mode);
}

absl::Status CheckReadableFile(const std::string& path) {
  mode_t mode = 0;
  const absl::StatusOr<int> fd = OpenRegular(path, &mode);
  if (!fd.ok()) return fd.status();
  close(*fd);
  return absl::OkStatus();
}

}  // namespace grove::config

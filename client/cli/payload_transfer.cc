#include "client/cli/payload_transfer.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "client/client.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr absl::Duration kShowEvery = absl::Milliseconds(200);

// "uploaded 12 MiB of 200 MiB".
class Meter {
 public:
  Meter(Shell& shell, std::string_view done, int64_t total)
      : progress_(shell), done_(done), total_(total) {}

  void Add(size_t bytes) {
    bytes_ += static_cast<int64_t>(bytes);
    const absl::Time now = absl::Now();
    if (!progress_.shown() || now - shown_ < kShowEvery) return;
    shown_ = now;
    progress_.Show(StrCat(done_, " ", BytesText(bytes_),
                          total_ > 0 ? StrCat(" of ", BytesText(total_)) : std::string()));
  }
  void set_total(int64_t total) { total_ = total; }

 private:
  Progress progress_;
  const std::string done_;
  int64_t total_;
  int64_t bytes_ = 0;
  absl::Time shown_ = absl::InfinitePast();
};

absl::Status Interrupted(const absl::Status& status, StopOnInterrupt& interrupt,
                         std::string_view advice) {
  return interrupt.stop().is_set() && !status.ok() ? InterruptedError(advice) : status;
}

// SHA-256.
class PayloadHash {
 public:
  PayloadHash()
      : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free),
        ok_(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1) {}

  void Add(std::string_view piece) {
    ok_ = ok_ && EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) == 1;
  }
  // In hexadecimal.
  absl::StatusOr<std::string> Finish() {
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    ok_ = ok_ && EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()),
                                    &size) == 1;
    if (!ok_) return absl::InternalError("OpenSSL gives no SHA-256");
    return absl::BytesToHexString(Abseil(std::string_view(digest).substr(0, size)));
  }

 private:
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool ok_;
};

// What a broken download has left.
class PartFile {
 public:
  static absl::StatusOr<PartFile> Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return ErrnoStatus(errno, path);
    struct stat found = {};
    if (fstat(fd, &found) != 0) {
      close(fd);
      return ErrnoStatus(errno, path);
    }
    return PartFile(path, fd, found.st_size);
  }
  ~PartFile() {
    if (fd_ >= 0) close(fd_);
  }
  PartFile(PartFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}
  PartFile& operator=(PartFile&&) = delete;

  int64_t size_bytes() const { return size_; }
  absl::Status Append(std::string_view data) {
    while (!data.empty()) {
      const ssize_t written = pwrite(fd_, data.data(), data.size(), size_);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoStatus(errno, path_);
      data.remove_prefix(static_cast<size_t>(written));
      size_ += written;
    }
    return absl::OkStatus();
  }
  absl::Status Empty() {
    if (ftruncate(fd_, 0) != 0) return ErrnoStatus(errno, path_);
    size_ = 0;
    return absl::OkStatus();
  }
  // Of the whole file.
  absl::StatusOr<std::string> Sha256() const;
  absl::Status Rename(const std::string& to) const {
    return rename(path_.c_str(), to.c_str()) == 0 ? absl::OkStatus() : ErrnoStatus(errno, to);
  }

 private:
  PartFile(std::string path, int fd, int64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}

  std::string path_;
  int fd_;
  int64_t size_;
};

absl::StatusOr<std::string> PartFile::Sha256() const {
  PayloadHash hash;
  std::string piece(kReadBytes, '\0');
  for (int64_t offset = 0; offset < size_;) {
    const ssize_t got = pread(fd_, piece.data(), piece.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, path_);
    if (got == 0) return absl::DataLossError(StrCat(path_, " has become shorter"));
    hash.Add(std::string_view(piece.data(), static_cast<size_t>(got)));
    offset += got;
  }
  return hash.Finish();
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const Command& command, const std::string& path) {
  if (path == "-") return InputFile(command.shell.in_fd, false, 0);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, StrCat("open ", path));
  struct stat found = {};
  const bool is_file = fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
  return InputFile(fd, true, is_file ? found.st_size : 0);
}

InputFile::InputFile(InputFile&& other) noexcept
    : fd_(other.fd_), owned_(std::exchange(other.owned_, false)), size_bytes_(other.size_bytes_) {}

InputFile::~InputFile() {
  if (owned_) close(fd_);
}

absl::StatusOr<std::string> InputFile::Read(size_t max) const {
  std::string data(max, '\0');
  size_t filled = 0;
  while (filled < max) {
    const ssize_t got = read(fd_, data.data() + filled, max - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read the input");
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  data.resize(filled);
  return data;
}

absl::StatusOr<v1::Payload> Upload(const Command& command, const InputFile& file, std::string begun,
                                   std::string_view content_type) {
  absl::StatusOr<std::string> parent = command.Parent();
  if (!parent.ok()) return parent.status();
  v1::Payload wanted;
  wanted.set_content_type(std::string(content_type));
  wanted.set_size_bytes(file.size_bytes());
  StopOnInterrupt interrupt;
  Meter meter(command.shell, "uploaded", file.size_bytes());
  absl::StatusOr<v1::Payload> payload = command.client->WritePayload(
      *parent, wanted,
      [&]() -> absl::StatusOr<std::string> {
        absl::StatusOr<std::string> data =
            begun.empty() ? file.Read(kReadBytes) : std::exchange(begun, std::string());
        if (data.ok()) meter.Add(data->size());
        return data;
      },
      &interrupt.stop());
  if (payload.ok()) return payload;
  return Interrupted(payload.status(), interrupt, "interrupted: nothing was uploaded");
}

absl::Status DownloadToOutput(const Command& command, std::string_view name) {
  StopOnInterrupt interrupt;
  Meter meter(command.shell, "downloaded", 0);
  absl::Status status = command.client->ReadPayload(
      name, 0,
      [&](const v1::Payload& payload, std::string_view data) -> absl::Status {
        meter.set_total(payload.size_bytes());
        meter.Add(data.size());
        command.shell.out << data;
        return command.shell.out.good() ? absl::OkStatus()
                                        : absl::UnavailableError("standard output takes no more");
      },
      &interrupt.stop());
  return Interrupted(status, interrupt, "interrupted");
}

absl::Status DownloadToFile(const Command& command, std::string_view name,
                            const std::string& path) {
  const absl::StatusOr<v1::Payload> payload = command.client->GetPayload(name);
  if (!payload.ok()) return payload.status();
  const std::string part = path + ".part";
  absl::StatusOr<PartFile> file = PartFile::Open(part);
  if (!file.ok()) return file.status();
  // Of something else.
  if (file->size_bytes() > payload->size_bytes()) {
    if (absl::Status emptied = file->Empty(); !emptied.ok()) return emptied;
  }
  StopOnInterrupt interrupt;
  Meter meter(command.shell, "downloaded", payload->size_bytes());
  meter.Add(static_cast<size_t>(file->size_bytes()));
  absl::Status status = command.client->ReadPayload(
      name, file->size_bytes(),
      [&](const v1::Payload&, std::string_view data) {
        meter.Add(data.size());
        return file->Append(data);
      },
      &interrupt.stop());
  if (!status.ok()) {
    return Interrupted(status, interrupt,
                       StrCat("interrupted: the same command goes on where ", part, " ends"));
  }
  const absl::StatusOr<std::string> sha256 = file->Sha256();
  if (!sha256.ok()) return sha256.status();
  if (*sha256 != payload->sha256()) {
    if (absl::Status emptied = file->Empty(); !emptied.ok()) return emptied;
    return absl::DataLossError(StrCat(part,
                                      " was not of this payload, or is damaged: it has been "
                                      "emptied; the same command begins anew"));
  }
  return file->Rename(path);
}

}  // namespace grove::client::cli

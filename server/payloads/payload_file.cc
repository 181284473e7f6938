#include "server/payloads/payload_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/refusal.h"

namespace grove::payloads {
namespace {

constexpr std::string_view kMagic = "GROVEPL1";
constexpr int64_t kFullRetryMs = 5000;

absl::Status Lost(std::string_view path, std::string_view why) {
  return Refusal(absl::StatusCode::kDataLoss, "PAYLOAD_LOST",
                 StrCat("the payload's file ", path, " cannot be read: ", why));
}

absl::Status WriteAll(int fd, std::string_view data, int64_t offset, const std::string& file) {
  while (!data.empty()) {
    const ssize_t written = pwrite(fd, data.data(), data.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      return WithRetryAfter(Refusal(absl::StatusCode::kResourceExhausted, "STORE_FULL",
                                    StrCat("the volume is full: ", file)),
                            kFullRetryMs);
    }
    if (written < 0) return ErrnoStatus(errno, StrCat("write ", file));
    data.remove_prefix(static_cast<size_t>(written));
    offset += written;
  }
  return absl::OkStatus();
}

// Magic, length and message, filled up with zeros.
absl::StatusOr<std::string> EncodeHead(const v1::Payload& head) {
  std::string text(kMagic);
  const std::string message = head.SerializeAsString();
  const auto length = static_cast<uint32_t>(message.size());
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(length >> shift));
  text += message;
  if (text.size() > kHeadBytes) {
    return absl::InvalidArgumentError(
        StrCat("what is said of the payload takes ", text.size(), " of ", kHeadBytes, " bytes"));
  }
  text.resize(kHeadBytes);
  return text;
}

bool DecodeHead(std::string_view text, v1::Payload& head) {
  if (text.size() < kHeadBytes || !text.starts_with(kMagic)) return false;
  uint32_t length = 0;
  for (size_t i = 0; i < 4; ++i) {
    length = length << 8 | static_cast<unsigned char>(text[kMagic.size() + i]);
  }
  const size_t begin = kMagic.size() + 4;
  if (length > kHeadBytes - begin) return false;
  return head.ParseFromArray(text.data() + begin, static_cast<int>(length));
}

// Until nobody has swept the file between its making and its lock.
absl::StatusOr<FileDescriptor> MakeLocked(const std::string& path) {
  for (;;) {
    FileDescriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd.get() < 0) return ErrnoStatus(errno, StrCat("create ", path));
    struct stat found = {};
    if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && fstat(fd.get(), &found) == 0 &&
        found.st_nlink > 0) {
      return fd;
    }
  }
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

absl::Status CheckVolume(const std::string& folder, int64_t reserve_bytes, int64_t more_bytes) {
  struct statvfs volume = {};
  if (statvfs(folder.c_str(), &volume) != 0 || volume.f_blocks == 0) return absl::OkStatus();
  const auto unit = static_cast<int64_t>(volume.f_frsize);
  const int64_t available = static_cast<int64_t>(volume.f_bavail) * unit;
  const int64_t kept = std::min(reserve_bytes, static_cast<int64_t>(volume.f_blocks) * unit / 10);
  if (available - kept >= more_bytes) return absl::OkStatus();
  return WithRetryAfter(
      Refusal(absl::StatusCode::kResourceExhausted, "STORE_FULL",
              StrCat("no room is left for payloads: ", available >> 10, " KiB in ", folder,
                     ", where ", kept >> 10, " KiB are kept free (tasks.disk_reserve_bytes)")),
      kFullRetryMs);
}

std::string HexOf(std::string_view bytes) {
  return absl::BytesToHexString(Abseil(bytes));
}

absl::StatusOr<std::unique_ptr<PayloadWriter>> PayloadWriter::Create(const std::string& folder,
                                                                     std::string_view id,
                                                                     const WriteBounds& bounds) {
  if (absl::Status room = CheckVolume(folder, bounds.disk_reserve_bytes, kHeadBytes); !room.ok()) {
    return room;
  }
  std::string file = StrCat(id, kPartSuffix);
  absl::StatusOr<FileDescriptor> fd = MakeLocked(StrCat(folder, "/", file));
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<PayloadWriter>(
      new PayloadWriter(folder, std::move(file), *std::move(fd), bounds));
}

PayloadWriter::PayloadWriter(std::string folder, std::string file, FileDescriptor fd,
                             const WriteBounds& bounds)
    : folder_(std::move(folder)),
      file_(std::move(file)),
      fd_(std::move(fd)),
      bounds_(bounds),
      digest_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  GROVE_CHECK(digest_ != nullptr && EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr) == 1,
              "SHA-256 is not to be had");
}

PayloadWriter::~PayloadWriter() {
  if (!kept_) unlink(StrCat(folder_, "/", file_).c_str());
}

absl::Status PayloadWriter::Write(std::string_view data) {
  const auto bytes = static_cast<int64_t>(data.size());
  if (size_bytes_ + bytes > bounds_.bytes_max) {
    return Refusal(absl::StatusCode::kResourceExhausted, "PAYLOAD_TOO_LARGE",
                   StrCat("the payload has more than the ", bounds_.bytes_max,
                          " bytes of tasks.payload_max_bytes"));
  }
  if (size_bytes_ + bytes > looked_at_bytes_) {
    const int64_t more = std::max(bytes, kLookBytes);
    absl::Status room = CheckVolume(folder_, bounds_.disk_reserve_bytes, bytes);
    if (!room.ok()) return room;
    looked_at_bytes_ = size_bytes_ + more;
  }
  const auto offset = static_cast<int64_t>(kHeadBytes) + size_bytes_;
  if (absl::Status status = WriteAll(fd_.get(), data, offset, file_); !status.ok()) return status;
  GROVE_CHECK(EVP_DigestUpdate(digest_.get(), data.data(), data.size()) == 1, "SHA-256 fails");
  size_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status PayloadWriter::Finish(v1::Payload& head) {
  sha256_.resize(EVP_MD_size(EVP_sha256()));
  GROVE_CHECK(EVP_DigestFinal_ex(digest_.get(), reinterpret_cast<unsigned char*>(sha256_.data()),
                                 nullptr) == 1,
              "SHA-256 fails");
  head.set_size_bytes(size_bytes_);
  head.set_sha256(HexOf(sha256_));
  absl::StatusOr<std::string> encoded = EncodeHead(head);
  if (!encoded.ok()) return encoded.status();
  if (absl::Status status = WriteAll(fd_.get(), *encoded, 0, file_); !status.ok()) return status;
  if (fsync(fd_.get()) != 0) return ErrnoStatus(errno, StrCat("fsync ", file_));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PayloadReader>> PayloadReader::Open(const std::string& path) {
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (fd.get() < 0 && errno != ENOENT) return ErrnoStatus(errno, StrCat("open ", path));
  if (fd.get() < 0) return Lost(path, "it is not there");
  std::string text(kHeadBytes, '\0');
  const ssize_t got = pread(fd.get(), text.data(), text.size(), 0);
  if (got < 0) return ErrnoStatus(errno, StrCat("read ", path));
  text.resize(static_cast<size_t>(got));
  v1::Payload head;
  if (!DecodeHead(text, head)) return Lost(path, "it has no head");
  struct stat found = {};
  if (fstat(fd.get(), &found) != 0) return ErrnoStatus(errno, StrCat("stat ", path));
  if (found.st_size != static_cast<int64_t>(kHeadBytes) + head.size_bytes()) {
    return Lost(path, StrCat("it has ", found.st_size, " bytes, and not the ", kHeadBytes, " + ",
                             head.size_bytes(), " of its head"));
  }
  return std::unique_ptr<PayloadReader>(new PayloadReader(std::move(fd), std::move(head)));
}

PayloadReader::PayloadReader(FileDescriptor fd, v1::Payload head)
    : fd_(std::move(fd)), head_(std::move(head)) {}

absl::StatusOr<std::string> PayloadReader::ReadAt(int64_t offset, size_t max) const {
  const int64_t left = std::max<int64_t>(head_.size_bytes() - offset, 0);
  std::string data(std::min(max, static_cast<size_t>(left)), '\0');
  size_t filled = 0;
  while (filled < data.size()) {
    const ssize_t got =
        pread(fd_.get(), data.data() + filled, data.size() - filled,
              static_cast<int64_t>(kHeadBytes) + offset + static_cast<int64_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, StrCat("read ", head_.name()));
    if (got == 0) return Lost(head_.name(), "it ends before its size");
    filled += static_cast<size_t>(got);
  }
  return data;
}

}  // namespace grove::payloads

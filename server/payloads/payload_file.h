// PayloadWriter and PayloadReader: one payload's file.
//
// A file is a head of kHeadBytes, which says what the payload is, and then its bytes. It is written
// under a name that ends in kPartSuffix, which its writer keeps locked (flock(2)): what nobody
// holds locked is litter of one that died, whoever it was. The head is written last, before the
// sync, so that no half-written file has one. All of it may block for the disk: not for a hub's
// thread. One thread at a time each.
#ifndef GROVE_SERVER_PAYLOADS_PAYLOAD_FILE_H_
#define GROVE_SERVER_PAYLOADS_PAYLOAD_FILE_H_

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/payload_service.pb.h"

namespace grove::payloads {

// A page, so that what follows is aligned; a name, a hash and a content type fit in.
inline constexpr size_t kHeadBytes = 4096;
inline constexpr std::string_view kPartSuffix = ".part";
inline constexpr std::string_view kPayloadSuffix = ".payload";
// How much is written between two looks at the room that is left on the volume.
inline constexpr int64_t kLookBytes = int64_t{8} << 20;

// An open file.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  int get() const { return fd_; }

 private:
  int fd_;
};

struct WriteBounds {
  int64_t bytes_max = INT64_MAX;
  // Kept free on the volume, but no more than a tenth of it (tasks.disk_reserve_bytes).
  int64_t disk_reserve_bytes = 0;
};

class PayloadWriter {
 public:
  // Makes `folder`/`id`.part. RESOURCE_EXHAUSTED (STORE_FULL): little room is left.
  static absl::StatusOr<std::unique_ptr<PayloadWriter>> Create(const std::string& folder,
                                                               std::string_view id,
                                                               const WriteBounds& bounds);
  // Removes the file, unless it was finished and kept.
  ~PayloadWriter();
  PayloadWriter(const PayloadWriter&) = delete;
  PayloadWriter& operator=(const PayloadWriter&) = delete;

  // RESOURCE_EXHAUSTED: PAYLOAD_TOO_LARGE, STORE_FULL. After an error the file is of no use.
  absl::Status Write(std::string_view data);
  // Writes the head, of which `size_bytes` and `sha256` are filled in, and syncs. Nothing may be
  // written afterwards.
  absl::Status Finish(v1::Payload& head);
  // The file is somebody else's to remove: it stays locked as long as this lives.
  void Keep() { kept_ = true; }

  int64_t size_bytes() const { return size_bytes_; }
  // Within the folder.
  const std::string& file() const { return file_; }
  // 32 bytes; after Finish().
  const std::string& sha256() const { return sha256_; }

 private:
  PayloadWriter(std::string folder, std::string file, FileDescriptor fd, const WriteBounds& bounds);

  const std::string folder_;
  const std::string file_;
  const FileDescriptor fd_;
  const WriteBounds bounds_;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest_;
  int64_t size_bytes_ = 0;
  int64_t looked_at_bytes_ = 0;
  std::string sha256_;
  bool kept_ = false;
};

class PayloadReader {
 public:
  // DATA_LOSS (PAYLOAD_LOST): it is not there, or is no payload's.
  static absl::StatusOr<std::unique_ptr<PayloadReader>> Open(const std::string& path);

  const v1::Payload& head() const { return head_; }
  // At most `max` bytes from `offset` on; empty at the end. DATA_LOSS: the file has become shorter.
  absl::StatusOr<std::string> ReadAt(int64_t offset, size_t max) const;

 private:
  PayloadReader(FileDescriptor fd, v1::Payload head);

  const FileDescriptor fd_;
  const v1::Payload head_;
};

// OK, or RESOURCE_EXHAUSTED (STORE_FULL, with RetryInfo): less than `reserve_bytes` and
// `more_bytes` is free on the folder's volume.
absl::Status CheckVolume(const std::string& folder, int64_t reserve_bytes, int64_t more_bytes);
// 64 hexadecimal digits of 32 bytes.
std::string HexOf(std::string_view bytes);

}  // namespace grove::payloads

#endif  // GROVE_SERVER_PAYLOADS_PAYLOAD_FILE_H_

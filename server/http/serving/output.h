// Output: bytes on their way to a connection's peer, gathered so that one system call carries many.
//
// The connection's fiber appends and flushes. What waits while that fiber is busy elsewhere is
// flushed by a fiber of its own, started by FlushSoon(), at the end of the hub's run queue; only
// one of the two writes at a time. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_OUTPUT_H_
#define GROVE_SERVER_HTTP_SERVING_OUTPUT_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/io/socket.h"
#include "runtime/io/stream.h"
#include "server/http/serving/block_pool.h"
#include "server/http/serving/taking_pace.h"

namespace grove::http {

// Beyond, Append's caller flushes; larger pieces are not copied at all.
inline constexpr size_t kOutputGatherBytes = 16 * 1024;
// Over TLS written at once: a record's worth (TlsStream::kRecordBytes).
inline constexpr size_t kSealedSliceBytes = 16 * 1024;
// Of a file, read at once where its bytes must pass through this process.
inline constexpr size_t kFileSliceBytes = 64 * 1024;

// A growing block of bytes that does not clear what it grows by.
class ByteBlock {
 public:
  explicit ByteBlock(BlockPool& pool) : pool_(&pool) {}
  ByteBlock(ByteBlock&&) = default;
  ByteBlock& operator=(ByteBlock&&) = default;

  // Room for `bytes` more at the end; Commit says how many were put there.
  char* Reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) Grow(bytes);
    return bytes_.get() + size_;
  }
  void Commit(const char* end) { size_ = end - bytes_.get(); }
  void Append(std::string_view text) {
    if (text.empty()) return;  // its data may be null, which memcpy must not see
    char* place = Reserve(text.size());
    std::memcpy(place, text.data(), text.size());
    Commit(place + text.size());
  }
  void Clear() { size_ = 0; }
  // Gives its memory back, and what stood in it.
  void Release() {
    if (capacity_ > 0) pool_->Give(std::move(bytes_), capacity_);
    size_ = capacity_ = 0;
  }
  std::string_view view() const { return {bytes_.get(), size_}; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

 private:
  void Grow(size_t bytes);

  BlockPool* pool_;
  BlockPool::Block bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

class Output {
 public:
  // On the hub. `socket`, `bytes_out` and `blocks` must outlive it.
  Output(Socket& socket, absl::Duration io_timeout, uint64_t& bytes_out, BlockPool& blocks)
      : socket_(socket),
        pace_(io_timeout, Hub::Current()->now()),
        bytes_out_(bytes_out),
        pending_(blocks),
        taken_(blocks) {}
  ~Output() {
    pending_.Release();
    taken_.Release();
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // From now on bytes go through `sealed`, which carries them over the socket and must outlive
  // this. Requires: nothing is pending.
  void SealWith(Stream& sealed) { sealed_ = &sealed; }

  // Where to append.
  ByteBlock& pending() { return pending_; }

  // Writes what is pending. kUnavailable: the client is gone; kDeadlineExceeded: it does not take
  // bytes as TakingPace asks for, and the connection was reset; then nothing more is ever sent.
  // **Parks.**
  absl::Status Flush();
  // As Flush(), when nothing follows but Settle() and the close: what the kernel takes at once
  // leaves in one segment with the end of the stream, unless TLS is to end it. **Parks.**
  absl::Status FlushAndEnd();
  // Sends `bytes` after what is pending, copying them only if they are few. **Parks** if many.
  absl::Status Write(std::string_view bytes);
  // As Write, with `length` bytes of `file` from `offset` on: copied behind what is pending if they
  // are few, else by sendfile(2) after it; over TLS copied in any case. kOutOfRange: the file ends
  // before, and what there was has been sent. **Parks** if many.
  absl::Status WriteFile(int file, uint64_t offset, uint64_t length);
  // Has what is pending sent as soon as this fiber parks.
  absl::Status FlushSoon();
  // Waits until no fiber of its own is left; call before it dies. **Parks.**
  void Settle();
  // Gives memory back while the connection is idle.
  void Trim();
  // Changes when pending() has been taken to be written: what was appended before is out of reach.
  uint64_t batch() const { return batch_; }
  // Why nothing more is sent; OK until then.
  const absl::Status& failure() const { return failure_; }
  // Bytes that were sent so far, or will be: those that still wait count until sending fails.
  uint64_t position() const {
    return failure_.ok() ? std::max(sent_bytes_, promised_bytes_) + pending_.size() : sent_bytes_;
  }
  // How many of the bytes sent the client has taken, as far as the kernel tells. A system call.
  int64_t TakenBytes() const;

 private:
  class Patience;

  Stream& stream() const { return sealed_ != nullptr ? *sealed_ : socket_; }
  absl::Status AwaitTurn();
  // `flags`: of send(2), for what the kernel takes at once.
  absl::Status WritePending(int flags = 0);
  // How much of `first` and `second` the kernel takes at once. Never parks.
  absl::StatusOr<size_t> TryWrite(std::string_view first, std::string_view second, int flags = 0);
  absl::Status WriteNow(std::string_view first, std::string_view second);
  absl::Status WriteSealed(std::string_view first, std::string_view second);
  absl::Status CopyFile(int file, uint64_t offset, uint64_t length);
  absl::Status AppendFile(int file, uint64_t offset, uint64_t length);
  absl::Status SendFileNow(int file, uint64_t offset, uint64_t length);
  absl::Status WriteSlowly(std::string_view bytes);
  absl::Status WritePlainSlowly(std::string_view bytes);
  void CountSent(uint64_t bytes) {
    bytes_out_ += bytes;
    sent_bytes_ += bytes;
  }
  // What ended a write that failed with `status`.
  absl::Status ReasonOf(absl::Status status) const;

  Socket& socket_;
  Stream* sealed_ = nullptr;  // TLS, over the socket
  TakingPace pace_;
  uint64_t& bytes_out_;
  ByteBlock pending_;
  ByteBlock taken_;  // while it is written
  uint64_t batch_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t promised_bytes_ = 0;  // sent_bytes_ once the write under way is done
  bool writing_ = false;
  bool given_up_ = false;  // the client, which took no bytes
  absl::Status failure_;
  FiberHandle flusher_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_OUTPUT_H_

// Two buffers: `pending_`, to which everybody appends, and `taken_`, which is being written. As
// long as the kernel takes all at once there is no more to it: one send(2), no timer, no second
// buffer. Only when it does not, the two change places and the rest is written in slices, each
// under a time-out of its own, so that a slow client is measured by its pace and not by the length
// of what it asked for. A client that does not take a slice in time is given up for good (invariant
// 12): `failure_` stays, since half of what was promised may be on its way and nothing may follow
// it.
//
// Two fibers may write, never both: the connection's own, and the flusher, which FlushSoon() spawns
// so that what a handler has written leaves as soon as it parks. `writing_` says that one of them
// is inside a write that parks. Whoever appends meanwhile appends to `pending_`; the writer goes on
// until that is empty, so order is kept without a lock, and nothing that was appended is forgotten.
//
// batch() is how others know whether what they appended can still be changed (a growing chunk).
#include "server/http/serving/output.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/pipe.h"
#include "runtime/io/send_file.h"
#include "runtime/switch/errno_status.h"

namespace grove::http {
namespace {

absl::Status FileEnded(uint64_t offset, uint64_t left) {
  return absl::OutOfRangeError(absl::StrCat("the file ends at byte ", offset, ", ", left,
                                            " bytes before the end of what was promised"));
}

}  // namespace

void ByteBlock::Grow(size_t bytes) {
  const size_t kept = size_;
  const bool block = kept + bytes <= BlockPool::kBlockBytes;
  const size_t wanted = block ? BlockPool::kBlockBytes : std::max(kept + bytes, capacity_ * 2);
  BlockPool::Block grown = block ? pool_->Take() : BlockPool::Block(new char[wanted]);
  if (kept > 0) std::memcpy(grown.get(), bytes_.get(), kept);
  Release();
  bytes_ = std::move(grown);
  capacity_ = wanted;
  size_ = kept;
}

// Only the flusher can be writing when the connection's fiber comes here.
absl::Status Output::AwaitTurn() {
  while (writing_) {
    if (absl::Status joined = flusher_.Join(); !joined.ok() && writing_) return joined;
  }
  return failure_;
}

absl::Status Output::Flush() {
  if (pending_.empty() && !writing_) return failure_;
  if (absl::Status turn = AwaitTurn(); !turn.ok()) return turn;
  return WritePending();
}

absl::Status Output::WritePending() {
  while (failure_.ok() && !pending_.empty()) {
    ++batch_;
    taken_bytes_ += pending_.size();
    absl::StatusOr<size_t> sent = 0;
    if (sealed_ == nullptr) sent = TryWrite(pending_.view(), {});
    if (sent.ok() && *sent == pending_.size()) [[likely]] {
      pending_.Clear();
      break;
    }
    // From here on it parks, and others append meanwhile: `writing_` stands before the buffers
    // change places, so that none of them begins to write.
    writing_ = true;
    std::swap(pending_, taken_);
    failure_ = sent.ok() ? WriteSlowly(taken_.view().substr(*sent)) : sent.status();
    taken_.Clear();
    writing_ = false;
  }
  return failure_;
}

absl::Status Output::Write(std::string_view bytes) {
  if (!failure_.ok()) return failure_;
  if (pending_.size() + bytes.size() <= kOutputGatherBytes) {
    pending_.Append(bytes);
    return absl::OkStatus();
  }
  if (absl::Status turn = AwaitTurn(); !turn.ok()) return turn;
  writing_ = true;
  ++batch_;
  taken_bytes_ += pending_.size() + bytes.size();
  std::swap(pending_, taken_);
  failure_ = WriteNow(taken_.view(), bytes);
  taken_.Clear();
  writing_ = false;
  return failure_;
}

absl::StatusOr<size_t> Output::TryWrite(std::string_view first, std::string_view second) {
  if (!socket_.open()) return size_t{0};
  Hub::Current()->descriptors().CountCall();
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  ssize_t sent = 0;
  if (second.empty()) {
    sent = send(socket_.fd(), first.data(), first.size(), kFlags);
  } else {
    iovec parts[] = {{const_cast<char*>(first.data()), first.size()},
                     {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = std::size(parts);
    sent = sendmsg(socket_.fd(), &message, kFlags);
  }
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return ErrnoStatus(errno, "send");
  const size_t taken = static_cast<size_t>(std::max<ssize_t>(sent, 0));
  bytes_out_ += taken;
  return taken;
}

// Mostly the kernel takes all at once: no time-out needs to be armed for that.
absl::Status Output::WriteNow(std::string_view first, std::string_view second) {
  if (sealed_ != nullptr) return WriteSealed(first, second);
  const absl::StatusOr<size_t> sent = TryWrite(first, second);
  if (!sent.ok()) return sent.status();
  const size_t taken = *sent;
  if (taken == first.size() + second.size()) return absl::OkStatus();
  if (taken < first.size()) {
    if (absl::Status status = WriteSlowly(first.substr(taken)); !status.ok()) return status;
    return WriteSlowly(second);
  }
  return WriteSlowly(second.substr(taken - first.size()));
}

// What fits into one slice leaves together: in one record, if it is one's worth. TLS keeps what the
// kernel does not take at once, so there is no try before the time-out is armed.
absl::Status Output::WriteSealed(std::string_view first, std::string_view second) {
  if (first.size() > kOutputSliceBytes) {
    if (absl::Status status = WriteSlowly(first); !status.ok()) return status;
    return WriteSlowly(second);
  }
  const std::string_view along = second.substr(0, kOutputSliceBytes - first.size());
  {
    iovec parts[] = {{const_cast<char*>(first.data()), first.size()},
                     {const_cast<char*>(along.data()), along.size()}};
    Timeout timeout(io_timeout_);
    // A single part needs no copy to become one record.
    absl::Status status = along.empty() ? sealed_->Write(first) : sealed_->Writev(parts);
    if (!status.ok()) return status;
    bytes_out_ += first.size() + along.size();
  }
  return WriteSlowly(second.substr(along.size()));
}

absl::Status Output::WriteSlowly(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view slice = bytes.substr(0, kOutputSliceBytes);
    Timeout timeout(io_timeout_);
    Stream& stream = sealed_ != nullptr ? *sealed_ : socket_;
    if (absl::Status status = stream.Write(slice); !status.ok()) return status;
    bytes_out_ += slice.size();
    bytes.remove_prefix(slice.size());
  }
  return absl::OkStatus();
}

absl::Status Output::WriteFile(int file, uint64_t offset, uint64_t length) {
  if (!failure_.ok()) return failure_;
  if (pending_.size() + length <= kOutputGatherBytes) return AppendFile(file, offset, length);
  if (absl::Status turn = AwaitTurn(); !turn.ok()) return turn;
  writing_ = true;
  ++batch_;
  taken_bytes_ += pending_.size() + length;
  std::swap(pending_, taken_);
  // In a segment of its own (no MSG_MORE): one that mixes copied bytes with pages of the page cache
  // costs the kernel more than a segment; docs/benchmarks.md has the figures.
  if (!taken_.empty()) failure_ = WriteNow(taken_.view(), {});
  taken_.Clear();
  absl::Status sent = failure_;
  if (sent.ok() && sealed_ != nullptr) {
    sent = CopyFile(file, offset, length);
  } else if (sent.ok()) {
    sent = SendFileNow(file, offset, length);
  }
  // A file that is too short is not the client's failure: it still hears that the body breaks off.
  if (!absl::IsOutOfRange(sent)) failure_ = sent;
  writing_ = false;
  return sent;
}

absl::Status Output::AppendFile(int file, uint64_t offset, uint64_t length) {
  while (length > 0) {
    char* const place = pending_.Reserve(length);
    const ssize_t got = pread(file, place, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    // The head is out: whoever promised these bytes must break off.
    if (got < 0) return ErrnoStatus(errno, "pread");
    if (got == 0) return FileEnded(offset, length);
    pending_.Commit(place + got);
    offset += static_cast<uint64_t>(got);
    length -= static_cast<uint64_t>(got);
  }
  return absl::OkStatus();
}

// The file's bytes must pass through this process to be sealed. Other fibers run between slices.
absl::Status Output::CopyFile(int file, uint64_t offset, uint64_t length) {
  const size_t slice_bytes = std::min<uint64_t>(length, kOutputSliceBytes);
  const std::unique_ptr<char[]> slice(new char[slice_bytes]);
  while (length > 0) {
    const ssize_t got = pread(file, slice.get(), std::min<uint64_t>(length, slice_bytes),
                              static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "pread");
    if (got == 0) return FileEnded(offset, length);
    const size_t bytes = static_cast<size_t>(got);
    if (absl::Status sent = WriteSlowly({slice.get(), bytes}); !sent.ok()) return sent;
    offset += bytes;
    length -= bytes;
    if (length > 0) Yield();
  }
  return absl::OkStatus();
}

// As WriteNow: no time-out is armed for what the kernel takes at once.
absl::Status Output::SendFileNow(int file, uint64_t offset, uint64_t length) {
  IgnoreBrokenPipes();
  while (length > 0) {
    if (!socket_.open()) return absl::AbortedError("the connection was closed");
    off_t at = static_cast<off_t>(offset);
    Hub::Current()->descriptors().CountCall();
    const ssize_t sent =
        sendfile(socket_.fd(), file, &at, std::min<uint64_t>(length, kSendFileChunkBytes));
    if (sent == 0) return FileEnded(offset, length);
    if (sent > 0) {
      bytes_out_ += static_cast<uint64_t>(sent);
      offset += static_cast<uint64_t>(sent);
      length -= static_cast<uint64_t>(sent);
      if (length > 0) Yield();
    } else if (errno == EAGAIN) {
      if (absl::Status status = AwaitFileRoom(file, offset, length); !status.ok()) return status;
    } else if (errno != EINTR) {
      return ErrnoStatus(errno, "sendfile");
    }
  }
  return absl::OkStatus();
}

// Sends the next slice as the client takes it.
absl::Status Output::AwaitFileRoom(int file, uint64_t& offset, uint64_t& length) {
  const uint64_t slice = std::min<uint64_t>(length, kOutputSliceBytes);
  Timeout timeout(io_timeout_);
  if (absl::Status sent = SendFile(socket_, file, static_cast<int64_t>(offset), slice);
      !sent.ok()) {
    return sent;
  }
  bytes_out_ += slice;
  offset += slice;
  length -= slice;
  return absl::OkStatus();
}

absl::Status Output::FlushSoon() {
  if (pending_.empty() || (flusher_ && !flusher_.ended())) return failure_;
  absl::StatusOr<FiberHandle> spawned = Spawn("http.flush", [this] {
    // If the connection's fiber is writing, it goes on until nothing is pending.
    if (!writing_) WritePending().IgnoreError();
  });
  if (!spawned.ok()) return Flush();
  flusher_ = *std::move(spawned);
  return absl::OkStatus();
}

void Output::Settle() {
  if (!flusher_) return;
  // Cancelled only amid a write, which may last io_timeout: else it has yet to begin, and ends by
  // itself once it runs.
  if (writing_) flusher_.Cancel();
  flusher_.AwaitEnd();
  flusher_ = FiberHandle();
}

void Output::Trim() {
  if (pending_.empty()) pending_.Release();
  if (!writing_) taken_.Release();
}

}  // namespace grove::http

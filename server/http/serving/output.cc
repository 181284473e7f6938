// Two buffers: `pending_`, to which everybody appends, and `taken_`, which is being written. As
// long as the kernel takes all at once there is no more to it: one send(2), no timer, no second
// buffer. Only when it does not, the two change places and the rest is written as there is room,
// under the eyes of Patience.
//
// A slow client is measured by what it takes, not by what the kernel takes from us: that lets some
// megabytes wait, and wakes a writer only when a third of them has left, which a steady client may
// need minutes for. So while a write waits a timer asks the kernel now and then how much the client
// has not acknowledged yet (SIOCOUTQ), and TakingPace judges. TCP_NOTSENT_LOWAT instead, which
// keeps that queue short, costs large answers a wake-up for each of its pieces, and knows nothing
// of UNIX sockets. A client that is given up is reset, whoever waits for it is woken, and the
// kernel drops what it held for it. That is for good (invariant 12): `failure_` stays, since half
// of what was promised may be on its way and nothing may follow it.
//
// Two fibers may write, never both: the connection's own, and the flusher, which FlushSoon() spawns
// so that what a handler has written leaves as soon as it parks. `writing_` says that one of them
// is inside a write that parks. Whoever appends meanwhile appends to `pending_`; the writer goes on
// until that is empty, so order is kept without a lock, and nothing that was appended is forgotten.
//
// batch() is how others know whether what they appended can still be changed (a growing chunk).
#include "server/http/serving/output.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/io/pipe.h"
#include "runtime/io/send_file.h"
#include "runtime/switch/errno_status.h"

namespace grove::http {
namespace {

absl::Status FileEnded(uint64_t offset, uint64_t left) {
  return absl::OutOfRangeError(absl::StrCat("the file ends at byte ", offset, ", ", left,
                                            " bytes before the end of what was promised"));
}

// Whether the client's kernel is there, though the client itself may take nothing: it acknowledges
// what it has room for, and probes of a window that is shut.
bool Answers(int fd) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return true;  // no TCP
  return info.tcpi_retransmits == 0 && info.tcpi_probes <= 1;
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

// Around a write that may wait for the client.
class Output::Patience : private Timer {
 public:
  explicit Patience(Output& output) : Timer(&Fire), output_(output) {
    output_.pace_.BeginWait(Hub::Current()->now());
    Arm();
  }
  ~Patience() { Hub::Current()->timers().Cancel(*this); }

 private:
  void Arm() {
    Hub& hub = *Hub::Current();
    const MonotonicNanos at = output_.pace_.NextLook(hub.now());
    if (at != kNever) hub.timers().Arm(*this, at);
  }
  static void Fire(Timer& timer) {
    Patience& self = static_cast<Patience&>(timer);
    Output& output = self.output_;
    const TakingPace::Seen seen{.taken = output.TakenBytes(),
                                .answers = Answers(output.stream().fd())};
    if (output.pace_.Look(Hub::Current()->now(), seen)) return self.Arm();
    output.given_up_ = true;
    output.stream().Abort();  // wakes the writer
  }

  Output& output_;
};

int64_t Output::TakenBytes() const {
  int waiting = 0;
  if (ioctl(stream().fd(), SIOCOUTQ, &waiting) != 0) waiting = 0;
  return static_cast<int64_t>(sent_bytes_) - waiting;
}

absl::Status Output::ReasonOf(absl::Status status) const {
  if (status.ok() || !given_up_) return status;
  return absl::DeadlineExceededError("the client does not take what it is sent");
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

// An answer and the end of its stream, sent one after the other, go through the network twice:
// that, and that the client is woken twice, is a fifth of what a short connection costs. While a
// flusher may still send, the end is further away. It is shutdown(2) that has them leave: a
// close(2) that finds bytes unread resets the connection, and drops what is held back.
absl::Status Output::FlushAndEnd() {
  const bool flushing = writing_ || (flusher_ && !flusher_.ended());
  if (sealed_ != nullptr || pending_.empty() || flushing) return Flush();
  absl::Status flushed = WritePending(MSG_MORE);
  if (flushed.ok()) socket_.ShutdownWrite().IgnoreError();
  return flushed;
}

absl::Status Output::WritePending(int flags) {
  while (failure_.ok() && !pending_.empty()) {
    ++batch_;
    absl::StatusOr<size_t> sent = 0;
    if (sealed_ == nullptr) sent = TryWrite(pending_.view(), {}, flags);
    if (sent.ok() && *sent == pending_.size()) [[likely]] {
      pending_.Clear();
      break;
    }
    // From here on it parks, and others append meanwhile: `writing_` stands before the buffers
    // change places, so that none of them begins to write.
    writing_ = true;
    std::swap(pending_, taken_);
    if (sent.ok()) {
      promised_bytes_ = sent_bytes_ + taken_.size() - *sent;
      failure_ = ReasonOf(WriteSlowly(taken_.view().substr(*sent)));
    } else {
      failure_ = sent.status();
    }
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
  promised_bytes_ = sent_bytes_ + pending_.size() + bytes.size();
  std::swap(pending_, taken_);
  failure_ = ReasonOf(WriteNow(taken_.view(), bytes));
  taken_.Clear();
  writing_ = false;
  return failure_;
}

absl::StatusOr<size_t> Output::TryWrite(std::string_view first, std::string_view second,
                                        int flags) {
  if (!socket_.open()) return size_t{0};
  Hub::Current()->descriptors().CountCall();
  flags |= MSG_NOSIGNAL | MSG_DONTWAIT;
  ssize_t sent = 0;
  if (second.empty()) {
    sent = send(socket_.fd(), first.data(), first.size(), flags);
  } else {
    iovec parts[] = {{const_cast<char*>(first.data()), first.size()},
                     {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = std::size(parts);
    sent = sendmsg(socket_.fd(), &message, flags);
  }
  // (Never EINTR: it does not wait.)
  if (sent < 0 && errno != EAGAIN) return ErrnoStatus(errno, "send");
  const size_t taken = static_cast<size_t>(std::max<ssize_t>(sent, 0));
  CountSent(taken);
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
// kernel does not take at once, so there is no try before the timer is armed.
absl::Status Output::WriteSealed(std::string_view first, std::string_view second) {
  if (first.size() > kSealedSliceBytes) {
    if (absl::Status status = WriteSlowly(first); !status.ok()) return status;
    return WriteSlowly(second);
  }
  const std::string_view along = second.substr(0, kSealedSliceBytes - first.size());
  {
    iovec parts[] = {{const_cast<char*>(first.data()), first.size()},
                     {const_cast<char*>(along.data()), along.size()}};
    const Patience patience(*this);
    // A single part needs no copy to become one record.
    absl::Status status = along.empty() ? sealed_->Write(first) : sealed_->Writev(parts);
    if (!status.ok()) return status;
    CountSent(first.size() + along.size());
  }
  return WriteSlowly(second.substr(along.size()));
}

// Over TLS record by record, so that what is counted as sent never lags far behind: TakenBytes()
// is taken from it.
absl::Status Output::WriteSlowly(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  const Patience patience(*this);
  if (sealed_ == nullptr) return WritePlainSlowly(bytes);
  while (!bytes.empty()) {
    const std::string_view slice = bytes.substr(0, kSealedSliceBytes);
    if (absl::Status status = sealed_->Write(slice); !status.ok()) return status;
    CountSent(slice.size());
    bytes.remove_prefix(slice.size());
  }
  return absl::OkStatus();
}

absl::Status Output::WritePlainSlowly(std::string_view bytes) {
  DescriptorTable& table = Hub::Current()->descriptors();
  while (!bytes.empty()) {
    absl::Status ready = table.Await(socket_.fd(), Direction::kWrite, WaitFor::Kind::kWrite);
    if (!ready.ok()) return ready;
    const absl::StatusOr<size_t> sent = TryWrite(bytes, {});
    if (!sent.ok()) return sent.status();
    if (*sent == 0) table.NotReady(socket_.fd(), Direction::kWrite);
    bytes.remove_prefix(*sent);
  }
  return absl::OkStatus();
}

absl::Status Output::WriteFile(int file, uint64_t offset, uint64_t length) {
  if (!failure_.ok()) return failure_;
  if (pending_.size() + length <= kOutputGatherBytes) return AppendFile(file, offset, length);
  if (absl::Status turn = AwaitTurn(); !turn.ok()) return turn;
  writing_ = true;
  ++batch_;
  promised_bytes_ = sent_bytes_ + pending_.size() + length;
  std::swap(pending_, taken_);
  // In a segment of its own (no MSG_MORE): one that mixes copied bytes with pages of the page cache
  // costs the kernel more than a segment; docs/benchmarks.md has the figures.
  if (!taken_.empty()) failure_ = ReasonOf(WriteNow(taken_.view(), {}));
  taken_.Clear();
  absl::Status sent = failure_;
  if (sent.ok() && sealed_ != nullptr) {
    sent = CopyFile(file, offset, length);
  } else if (sent.ok()) {
    sent = SendFileNow(file, offset, length);
  }
  // A file that is too short is not the client's failure: it still hears that the body breaks off.
  if (!absl::IsOutOfRange(sent)) sent = failure_ = ReasonOf(std::move(sent));
  promised_bytes_ = sent_bytes_;
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
  const size_t slice_bytes = std::min<uint64_t>(length, kFileSliceBytes);
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

// As WriteNow: no timer is armed for what the kernel takes at once.
absl::Status Output::SendFileNow(int file, uint64_t offset, uint64_t length) {
  IgnoreBrokenPipes();
  DescriptorTable& table = Hub::Current()->descriptors();
  while (length > 0) {
    if (!socket_.open()) return absl::AbortedError("the connection was closed");
    off_t at = static_cast<off_t>(offset);
    table.CountCall();
    const ssize_t sent =
        sendfile(socket_.fd(), file, &at, std::min<uint64_t>(length, kSendFileChunkBytes));
    if (sent == 0) return FileEnded(offset, length);
    if (sent > 0) {
      CountSent(static_cast<uint64_t>(sent));
      offset += static_cast<uint64_t>(sent);
      length -= static_cast<uint64_t>(sent);
      if (length > 0) Yield();
    } else if (errno == EAGAIN) {
      table.NotReady(socket_.fd(), Direction::kWrite);
      const Patience patience(*this);
      absl::Status ready = table.Await(socket_.fd(), Direction::kWrite, WaitFor::Kind::kWrite);
      if (!ready.ok()) return ready;
    } else if (errno != EINTR) {
      return ErrnoStatus(errno, "sendfile");
    }
  }
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

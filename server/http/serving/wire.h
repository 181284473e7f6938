// Wire: both directions of a connection: its stream, what was read and not yet used, and Output.
//
// The stream is the socket itself, or TLS over it. The directions do not act on each other: what is
// gathered leaves when somebody says Flush(), not because somebody reads. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_WIRE_H_
#define GROVE_SERVER_HTTP_SERVING_WIRE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/io/socket.h"
#include "runtime/tls/server_context.h"
#include "runtime/tls/stream.h"
#include "server/http/serving/block_pool.h"
#include "server/http/serving/options.h"
#include "server/http/serving/output.h"
#include "server/http/serving/stats.h"

namespace grove::http {

// What was read and not yet used.
class InputBuffer {
 public:
  explicit InputBuffer(BlockPool& pool) : pool_(&pool) {}
  InputBuffer(InputBuffer&&) = default;
  InputBuffer& operator=(InputBuffer&&) = default;

  std::string_view unread() const { return {bytes_.get() + begin_, end_ - begin_}; }
  std::span<char> mutable_unread() { return {bytes_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  void Consume(size_t bytes) { begin_ += bytes; }
  // At least `bytes` of room behind the unread bytes, which may move.
  std::span<char> Room(size_t bytes);
  void Filled(size_t bytes) { end_ += bytes; }
  // Gives its memory back, and what stood in it.
  void Release();
  bool has_memory() const { return capacity_ > 0; }

 private:
  // Room for `bytes` in all.
  void Grow(size_t bytes);

  BlockPool* pool_;
  BlockPool::Block bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// A read is worth a system call from this much room on.
inline constexpr size_t kFillRoomBytes = 1024;

class Wire {
 public:
  // All but `socket` must outlive it.
  Wire(Socket socket, const ServerOptions& options, ServerStats& stats, BlockPool& blocks)
      : socket_(std::move(socket)),
        stats_(stats),
        output_(socket_, options.io_timeout, stats.bytes_out, blocks),
        input_(blocks),
        pinned_(blocks) {}
  ~Wire();

  // The one below, before StartTls().
  Socket& socket() { return socket_; }
  Stream& stream() { return *stream_; }
  bool secure() const { return tls_.has_value(); }
  // Requires: secure().
  const TlsStream& tls() const { return *tls_; }
  // Handshakes as TlsStream::Accept; then all goes through TLS. On an error the connection is
  // closed. Requires: nothing was read or written through this. **Parks.**
  absl::Status StartTls(const TlsServerContext& context);
  // Reading yields what the kernel holds already, then the end. From any fiber, also during
  // StartTls(). Never parks.
  void StopReading();
  // So: a hang-up is our own.
  bool reading_stopped() const { return reading_stopped_; }
  Output& output() { return output_; }
  const Output& output() const { return output_; }
  InputBuffer& input() { return input_; }
  const InputBuffer& input() const { return input_; }
  // Of the stream, up to the first one that is not used yet.
  uint64_t used_bytes() const { return read_bytes_ - input_.unread().size(); }
  uint64_t read_bytes() const { return read_bytes_; }

  // Keeps the bytes used so far where they are, until Unpin(): a Fill() takes another buffer.
  void Pin() { pinned_used_ = true; }
  void Unpin() { pinned_used_ = false; }
  // Gives memory back that holds no bytes.
  void Trim();

  // Sends what is gathered. Due before each wait for the client, which may itself wait for what we
  // have to say; reading does not do it unasked. As Output::Flush(). **Parks.**
  absl::Status Flush() { return output_.Flush(); }

  // Each reads and leaves Output alone; 0 at the end of the stream. **Park.**
  // More behind the unread bytes, with room for `room` at least.
  absl::StatusOr<size_t> Fill(size_t room = kFillRoomBytes);
  // As Fill(), for a wait that may be long: without memory until there is something to read.
  // Requires: input().empty(), not pinned.
  absl::StatusOr<size_t> FillIdle(size_t room = kFillRoomBytes);
  // Past the buffer. Requires: input().empty().
  absl::StatusOr<size_t> ReadDirect(std::span<char> buffer);

 private:
  Socket socket_;  // moved into tls_ by StartTls()
  std::optional<TlsStream> tls_;
  Stream* stream_ = &socket_;
  int handshake_fd_ = -1;  // while the handshake has the socket
  ServerStats& stats_;
  Output output_;
  InputBuffer input_;
  InputBuffer pinned_;
  bool pinned_used_ = false;
  bool reading_stopped_ = false;
  uint64_t read_bytes_ = 0;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_WIRE_H_

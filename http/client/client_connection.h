// ClientConnection: a connection to a server, with what was read of it and not yet taken.
//
// Idle it holds no buffer, and notices when the server hangs up. Hub thread only.
#ifndef GROVE_HTTP_CLIENT_CLIENT_CONNECTION_H_
#define GROVE_HTTP_CLIENT_CLIENT_CONNECTION_H_

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/descriptor_table.h"
#include "runtime/io/stream.h"

namespace grove::http {

// Read ahead per system call: a TLS record, four pages.
inline constexpr size_t kClientReadBytes = 16 * 1024;

// Buffers of connections that are idle now, for those that are not. One for each hub's clients.
class BufferCache {
 public:
  static constexpr size_t kKeptMax = 64;

  std::unique_ptr<char[]> Take();
  void Put(std::unique_ptr<char[]> buffer);

 private:
  std::vector<std::unique_ptr<char[]>> kept_;
};

class ClientConnection final : private DescriptorTable::HangupWatch {
 public:
  // `buffers` must outlive it.
  ClientConnection(std::unique_ptr<Stream> stream, BufferCache& buffers);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  Stream& stream() { return *stream_; }
  MonotonicNanos made_at() const { return made_at_; }

  std::span<char> unread() { return {buffer_.get() + begin_, end_ - begin_}; }
  // Requires: so many are unread. The bytes stand until the next Fill().
  void Consume(size_t bytes) { begin_ += bytes; }
  // Reads more behind what is unread, which may move. 0: the stream has ended. **Parks.**
  absl::StatusOr<size_t> Fill();
  // At least a byte, what is unread first; 0 at the end. **Parks.**
  absl::StatusOr<size_t> Read(std::span<char> out);

  // Gives the buffer back if nothing is unread: the next Fill() takes one.
  void Trim();
  // Gives the buffer back and waits for the end: `on_gone` is called once the server has hung up,
  // maybe at once. It must not park. Requires: nothing is unread.
  void Rest(absl::AnyInvocable<void()> on_gone);
  // False: the server has hung up, or has said something that nobody asked for.
  bool Wake();
  // Takes the stream with what is unread out of it.
  std::pair<std::unique_ptr<Stream>, std::string> Release();

 private:
  void OnHangup() override;
  void Grow();

  std::unique_ptr<Stream> stream_;
  BufferCache& buffers_;
  const MonotonicNanos made_at_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool gone_ = false;
  absl::AnyInvocable<void()> on_gone_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_CLIENT_CONNECTION_H_

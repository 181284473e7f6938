// StandardInput: what the process is given to read, as a Stream: terminal, pipe, socket or file.
//
// Its descriptor is left alone: O_NONBLOCK would be set for every process that shares it, the shell
// included. A terminal or pipe is opened once more through /proc, which gives flags of its own;
// where that is refused, and of a file, whose position is shared, it is read when poll(2) says so.
// A regular file never parks: one on a slow disk holds the hub up (OffloadPool does not).
// A terminal gives lines, as it is set to; Ctrl-D reads as the end, after which it may go on. In
// the background reading stops the process (SIGTTIN). Hub thread only.
#ifndef GROVE_RUNTIME_IO_STANDARD_INPUT_H_
#define GROVE_RUNTIME_IO_STANDARD_INPUT_H_

#include <unistd.h>

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/foreign_descriptor.h"
#include "runtime/io/socket_address.h"
#include "runtime/io/stream.h"

namespace grove {

class StandardInput final : public Stream {
 public:
  // `fd`: what it is read from; stays open, and the caller's. kNotFound …: the errno's.
  static absl::StatusOr<StandardInput> Open(int fd = STDIN_FILENO);
  StandardInput(StandardInput&& other) noexcept;
  StandardInput& operator=(StandardInput&&) = delete;
  ~StandardInput() override { Close(); }

  // See Stream; kAborted: Close() came meanwhile. **Parks.**
  absl::StatusOr<size_t> Read(std::span<char> buffer) override;
  // It is only read: kFailedPrecondition.
  absl::Status Write(std::string_view bytes) override;
  absl::Status Writev(std::span<iovec> parts) override;
  absl::Status ShutdownWrite() override;
  void Close() override;
  void Abort() override { Close(); }

  bool open() const override { return fd_ >= 0; }
  // For SelectReadable; -1 when closed.
  int fd() const override { return fd_; }
  bool plain() const override { return true; }
  SocketAddress PeerAddress() const override { return {}; }

 private:
  StandardInput(int fd, ForeignDescriptor waited, bool socket)
      : fd_(fd), waited_(std::move(waited)), socket_(socket) {}

  int fd_;
  ForeignDescriptor waited_;
  bool socket_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_STANDARD_INPUT_H_

// Stream: a connection's bytes, both ways, used from fibers, whatever carries them.
//
// Socket is one, TlsStream another. Code that serves over both takes a Stream&; a Socket& costs
// nothing more than before, since Socket is final.
// Calls look blocking and park only their fiber. Bounds come from Timeout scopes. One fiber may
// read while another writes; a second reader or writer gets kFailedPrecondition naming both.
// Errors: kUnavailable for a connection that the peer or the network ended, kAborted when Close()
// came meanwhile, else the errno's canonical code with the call's name.
// Hub thread only.
#ifndef GROVE_RUNTIME_IO_STREAM_H_
#define GROVE_RUNTIME_IO_STREAM_H_

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove {

struct SocketAddress;  // runtime/io/socket.h

class Stream {
 public:
  virtual ~Stream() = default;

  // Bytes read, at least 1; 0 at the end of the stream. Requires: `buffer` not empty. **Parks.**
  virtual absl::StatusOr<size_t> Read(std::span<char> buffer) = 0;
  // Fills `buffer`; kOutOfRange if the stream ends before (kUnavailable if after the first byte).
  // **Parks.**
  absl::Status ReadFull(std::span<char> buffer);
  // All of it. **Parks** while the peer doesn't take it.
  virtual absl::Status Write(std::string_view bytes) = 0;
  // All of it; changes `parts`. **Parks.**
  virtual absl::Status Writev(std::span<iovec> parts) = 0;
  // Sends the end of the stream; reading goes on. May **park** if what was written before has not
  // been taken, because a time-out ended that write.
  virtual absl::Status ShutdownWrite() = 0;
  // Wakes whoever waits on it. Never waits: what the peer has not taken yet may be lost. No effect
  // if closed.
  virtual void Close() = 0;
  // As Close(), but the peer sees a broken connection, never the end of what was sent.
  virtual void Abort() = 0;

  virtual bool open() const = 0;
  // To wait for and to set options of; -1 when closed.
  virtual int fd() const = 0;
  // Whether bytes go to fd() as they are, so that send(2) and sendfile(2) may be used on it.
  virtual bool plain() const = 0;
  virtual SocketAddress PeerAddress() const = 0;

 protected:
  Stream() = default;
  Stream(const Stream&) = default;
  Stream& operator=(const Stream&) = default;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_STREAM_H_

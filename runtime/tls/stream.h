// TlsStream: TLS over a Socket; a Stream like it.
//
//   absl::StatusOr<TlsStream> stream = TlsStream::Accept(std::move(socket), server_context);
//   absl::StatusOr<TlsStream> stream = TlsStream::Connect(std::move(socket), client_context, host);
//
// Beyond Stream's contract: Read() returns 0 only if the peer said that it has sent all
// (close_notify); a connection that just ends is kUnavailable, for somebody may have cut it.
// Reading and writing fail independently. An OpenSSL handshake needs up to 20 KiB of the fiber's
// stack and, with an RSA-2048 key, about 1 ms of the hub.
//
// Inside, OpenSSL never waits to write: what the kernel does not take is kept here, at most
// kPendingBytesMax, and sent before anything else. So a write that waits can't disturb a read that
// has to answer (a key update, an alert), nor the other way round. Hub thread only.
#ifndef GROVE_RUNTIME_TLS_STREAM_H_
#define GROVE_RUNTIME_TLS_STREAM_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/socket.h"
#include "runtime/io/stream.h"
#include "runtime/tls/certificate.h"
#include "runtime/tls/client_context.h"
#include "runtime/tls/server_context.h"

namespace grove {

class TlsStream final : public Stream {
 public:
  // A TLS record's most plain bytes (RFC 8446 5.1); small parts of a Writev() share one.
  static constexpr size_t kRecordBytes = 16 * 1024;
  // Sealed and not taken by the kernel: a record, and answers to a peer that sends key updates and
  // reads nothing. Beyond, writing fails with kResourceExhausted.
  static constexpr size_t kPendingBytesMax = 64 * 1024;

  // Handshakes, bounded by the Timeouts in scope, and take the socket: it is closed on an error.
  // kUnauthenticated: a certificate was refused, by this side (with OpenSSL's reason and the
  // subject) or by the peer. With TLS 1.3 a client learns only from its first Read() that its own
  // was refused. kUnavailable: the connection ended, or the peer speaks no TLS or none that both
  // accept. kAborted, kDeadlineExceeded, kCancelled as Stream. **Parks.**
  static absl::StatusOr<TlsStream> Accept(Socket socket, const TlsServerContext& context);
  // `host`: a name (sent as SNI) or an address ("10.0.0.1", "::1", "[::1]"), which the server's
  // certificate must name. kInvalidArgument: empty, or no host name. **Parks.**
  static absl::StatusOr<TlsStream> Connect(Socket socket, const TlsClientContext& context,
                                           std::string_view host);

  TlsStream(TlsStream&& other) noexcept;
  TlsStream& operator=(TlsStream&& other) noexcept;
  ~TlsStream() override;

  // See Stream.
  absl::StatusOr<size_t> Read(std::span<char> buffer) override;
  absl::Status Write(std::string_view bytes) override;
  absl::Status Writev(std::span<iovec> parts) override;
  // Sends close_notify; TCP stays open both ways.
  absl::Status ShutdownWrite() override;
  // Ends reading: Read() yields what has arrived, then 0 as if the peer had ended. Writing goes on,
  // and Close() still says close_notify, which it can't after a Read() that failed. Never parks.
  void ShutdownRead();
  // Says close_notify, unless sealed bytes are left, or a write has failed: then the peer must
  // not take what it has for all.
  void Close() override;
  // Without close_notify, and with RST.
  void Abort() override;

  bool open() const override;
  int fd() const override;
  bool plain() const override { return false; }
  SocketAddress PeerAddress() const override;

  // What the handshake agreed on. The views live as long as the stream.
  std::string_view alpn() const;     // "h2"; empty: none
  std::string_view version() const;  // "TLSv1.3"
  std::string_view cipher() const;   // "TLS_AES_256_GCM_SHA384"
  // The host that the client asked for; empty: none.
  std::string_view server_name() const;
  bool resumed() const;
  // Nothing: it presented none. It was verified, unless the client's context does not verify.
  std::optional<TlsCertificate> peer_certificate() const;
  // Whether it presented one that stood the check. (A server's handshake fails with any other.)
  bool peer_verified() const;

 private:
  class Connection;
  explicit TlsStream(std::unique_ptr<Connection> connection);

  // Never null but after a move. Stays after Close(): a fiber may still be about to return from it.
  std::unique_ptr<Connection> connection_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_STREAM_H_

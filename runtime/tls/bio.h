// TlsBio: what carries an SSL object's records: a socket, and bytes that it did not take yet.
//
// To OpenSSL writing always succeeds; how it really went is asked of this object. Reading says
// "retry" when the socket is drained. It never parks; Flush() and AwaitReadable() do, outside of
// OpenSSL. Internal to TlsStream. Hub thread only.
#ifndef GROVE_RUNTIME_TLS_BIO_H_
#define GROVE_RUNTIME_TLS_BIO_H_

#include <openssl/bio.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "runtime/io/socket.h"

namespace grove {

class TlsBio {
 public:
  TlsBio(Socket socket, size_t pending_bytes_max)
      : socket_(std::move(socket)), pending_bytes_max_(pending_bytes_max) {}
  TlsBio(const TlsBio&) = delete;
  TlsBio& operator=(const TlsBio&) = delete;

  // A BIO over it, which must not outlive it; the caller's. Null: no memory.
  BIO* NewBio();

  Socket& socket() { return socket_; }
  const Socket& socket() const { return socket_; }

  // Sends what is pending. After an error of Await's nothing of this object is touched: it may be
  // gone. **Parks.**
  absl::Status Flush();
  // Waits for more to read. The same holds. **Parks.**
  absl::Status AwaitReadable();
  // Waits until the kernel takes bytes. The same holds. **Parks.**
  absl::Status AwaitWritable();

  bool pending() const { return sent_ < pending_.size(); }
  // Ends reading once what the kernel holds has been read: then ended_by_us() instead of an end
  // that OpenSSL would take for an attack, after which it says no goodbye. Never waits.
  void StopReading();
  bool ended_by_us() const { return stopped_ && ended_; }

  // An error of writing that makes every later write fail.
  absl::Status WriteError() const;
  // Why reading failed, if it was the socket.
  absl::Status ReadError(std::string_view call) const;

 private:
  int Receive(char* buffer, int length, BIO* bio);
  int Send(const char* bytes, int length);
  // What the kernel took; negative: nothing now, or never again.
  ssize_t SendSome(const char* bytes, size_t length);

  static int ReadCallback(BIO* bio, char* buffer, int length);
  static int WriteCallback(BIO* bio, const char* bytes, int length);
  static long ControlCallback(BIO* bio, int command, long number, void* pointer);

  Socket socket_;
  const size_t pending_bytes_max_;
  std::string pending_;
  size_t sent_ = 0;  // of pending_
  int write_errno_ = 0;
  int read_errno_ = 0;
  bool ended_ = false;
  bool stopped_ = false;
  bool drained_ = false;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_BIO_H_

// BufferedReader: reads a Stream by delimiter, line or count.
//
// What was read ahead stays in its buffer. So a call that fails (time-out, cancellation, bound
// reached) has consumed nothing, and the next one starts from the same byte. Once a BufferedReader
// has read from a stream, nobody else should. The stream must outlive it. Hub thread only.
#ifndef GROVE_RUNTIME_IO_BUFFERED_READER_H_
#define GROVE_RUNTIME_IO_BUFFERED_READER_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/stream.h"

namespace grove {

class BufferedReader {
 public:
  // Read ahead per system call: a TLS record, four pages.
  static constexpr size_t kReadAheadBytes = 16 * 1024;
  // The default bound of a line, as of an HTTP header line in common servers.
  static constexpr size_t kLineBytesMax = 8 * 1024;

  explicit BufferedReader(Stream& stream) : stream_(stream) {}
  BufferedReader(const BufferedReader&) = delete;
  BufferedReader& operator=(const BufferedReader&) = delete;

  // At least 1 byte, what is there first; 0 at the end of the stream. Requires: `buffer` not empty.
  // **Parks.**
  absl::StatusOr<size_t> Read(std::span<char> buffer);
  // The bytes up to the first `delimiter`, with it. kResourceExhausted: not within `bytes_max`
  // bytes (the delimiter included). kOutOfRange: the stream ended, and nothing was left;
  // kUnavailable: it ended in the middle, and what is left can be had by Read. Requires:
  // `delimiter` not empty.
  // **Parks.**
  absl::StatusOr<std::string> ReadUntil(std::string_view delimiter, size_t bytes_max);
  // One line without its "\n" or "\r\n". Errors as ReadUntil. **Parks.**
  absl::StatusOr<std::string> ReadLine(size_t bytes_max = kLineBytesMax);
  // `bytes` bytes. kOutOfRange, kUnavailable as ReadUntil. The caller bounds `bytes`. **Parks.**
  absl::StatusOr<std::string> ReadExactly(size_t bytes);

  // Read ahead and not yet taken.
  size_t buffered() const { return buffer_.size() - begin_; }

 private:
  std::string_view Unread() const { return std::string_view(buffer_).substr(begin_); }
  std::string Take(size_t bytes);
  absl::Status Fill();

  Stream& stream_;
  std::string buffer_;
  size_t begin_ = 0;  // of what is not yet taken
};

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_BUFFERED_READER_H_

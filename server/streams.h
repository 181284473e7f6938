// InputStream and OutputStream: an attempt's input and output, piece by piece.
//
// For what is too large to hold: a function that reads and writes in pieces needs no more memory
// for a gigabyte than for a line. Both work for small ones too, which travel in messages.
// Fibers only.
#ifndef GROVE_SERVER_STREAMS_H_
#define GROVE_SERVER_STREAMS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove {

inline constexpr size_t kStreamPieceBytes = 256 << 10;

// What OutputStream::Finish() gives beside an output that no message holds. Only to be passed on.
class StreamedOutput {
 public:
  virtual ~StreamedOutput() = default;
};

struct Output {
  std::string bytes;
  std::string content_type = "application/json";
  // nullptr: `bytes` is all of it.
  std::shared_ptr<StreamedOutput> streamed = nullptr;
};

class InputStream {
 public:
  virtual ~InputStream() = default;

  // Of all of it.
  virtual int64_t size_bytes() const = 0;
  // The next bytes, at most `max`; empty: that was all. kDataLoss: the payload is damaged.
  // **Parks.**
  virtual absl::StatusOr<std::string> Read(size_t max = kStreamPieceBytes) = 0;
};

class OutputStream {
 public:
  virtual ~OutputStream() = default;

  // kResourceExhausted: more than may be, or the volume is full. **Parks.**
  virtual absl::Status Write(std::string_view data) = 0;
  // What the function is to return. Once, after the last Write(). **Parks.**
  virtual absl::StatusOr<Output> Finish() = 0;
};

// Of what is in memory. `data` must outlive it.
std::unique_ptr<InputStream> MemoryInput(std::string_view data);
std::unique_ptr<OutputStream> MemoryOutput(std::string content_type);

}  // namespace grove

#endif  // GROVE_SERVER_STREAMS_H_

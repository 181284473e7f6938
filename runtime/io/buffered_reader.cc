#include "runtime/io/buffered_reader.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"

namespace grove {

std::string BufferedReader::Take(size_t bytes) {
  std::string taken(Unread().substr(0, bytes));
  begin_ += bytes;
  return taken;
}

// Appends what one read brings. At the end of the stream: kOutOfRange, or kUnavailable if bytes
// that the caller's rule doesn't accept are left.
absl::Status BufferedReader::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t had = buffer_.size();
  buffer_.resize(had + kReadAheadBytes);
  const absl::StatusOr<size_t> got = stream_.Read(std::span(buffer_).subspan(had));
  buffer_.resize(had + (got.ok() ? *got : 0));
  if (!got.ok()) return got.status();
  if (*got > 0) return absl::OkStatus();
  if (had == 0) return absl::OutOfRangeError("end of stream");
  return absl::UnavailableError(absl::StrCat("the stream ended after ", had, " bytes of a record"));
}

absl::StatusOr<size_t> BufferedReader::Read(std::span<char> buffer) {
  if (buffered() == 0) return stream_.Read(buffer);
  const size_t bytes = std::min(buffer.size(), buffered());
  memcpy(buffer.data(), Unread().data(), bytes);
  begin_ += bytes;
  return bytes;
}

absl::StatusOr<std::string> BufferedReader::ReadUntil(std::string_view delimiter,
                                                      size_t bytes_max) {
  GROVE_CHECK(!delimiter.empty(), "ReadUntil needs a delimiter");
  for (size_t searched = 0;;) {
    const size_t at = Unread().substr(0, bytes_max).find(delimiter, searched);
    if (at != std::string_view::npos) return Take(at + delimiter.size());
    if (buffered() >= bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("no delimiter within the %d bytes allowed", bytes_max));
    }
    // The delimiter may have come in part.
    searched = buffered() - std::min(buffered(), delimiter.size() - 1);
    if (absl::Status filled = Fill(); !filled.ok()) return filled;
  }
}

absl::StatusOr<std::string> BufferedReader::ReadLine(size_t bytes_max) {
  absl::StatusOr<std::string> line = ReadUntil("\n", bytes_max);
  if (!line.ok()) return line;
  line->pop_back();
  if (!line->empty() && line->back() == '\r') line->pop_back();
  return line;
}

absl::StatusOr<std::string> BufferedReader::ReadExactly(size_t bytes) {
  while (buffered() < bytes) {
    if (absl::Status filled = Fill(); !filled.ok()) return filled;
  }
  return Take(bytes);
}

}  // namespace grove

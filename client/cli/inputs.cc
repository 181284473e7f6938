#include "client/cli/inputs.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {
namespace {

constexpr size_t kReadBytes = 256 * 1024;

}  // namespace

LineReader::LineReader(int fd, Ownership ownership, int interrupt_fd, size_t line_bytes_max)
    : fd_(fd),
      ownership_(ownership),
      interrupt_fd_(interrupt_fd),
      line_bytes_max_(line_bytes_max) {}

LineReader::~LineReader() {
  if (ownership_ == Ownership::kOwned) close(fd_);
}

absl::StatusOr<std::optional<LineReader::Line>> LineReader::Next() {
  while (true) {
    if (std::optional<Line> line = Take()) return line;
    if (ended_) return std::nullopt;
    if (buffer_.size() - begin_ > line_bytes_max_) {
      return absl::ResourceExhaustedError(
          StrCat("line ", number_ + 1, " is longer than ", line_bytes_max_, " bytes"));
    }
    absl::Status status = Fill();
    if (!status.ok()) return status;
  }
}

// The next line that is not blank, as far as it is here.
std::optional<LineReader::Line> LineReader::Take() {
  while (true) {
    size_t end = buffer_.find('\n', searched_);
    const bool whole = end != std::string::npos;
    searched_ = buffer_.size();
    if (!whole && (!ended_ || begin_ == buffer_.size())) return std::nullopt;
    if (!whole) end = buffer_.size();
    Line line{++number_, buffer_.substr(begin_, end - begin_)};
    begin_ = searched_ = whole ? end + 1 : end;
    if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
    if (!absl::StripAsciiWhitespace(line.text).empty()) return line;
  }
}

absl::Status LineReader::Fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  pollfd fds[2] = {{fd_, POLLIN, 0}, {interrupt_fd_, POLLIN, 0}};
  if (poll(fds, 2, -1) < 0) {
    return errno == EINTR ? absl::OkStatus() : ErrnoStatus(errno, "poll");
  }
  if (fds[1].revents != 0) return absl::CancelledError("interrupted");
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kReadBytes);
  const ssize_t count = read(fd_, buffer_.data() + kept, kReadBytes);
  const int error = errno;
  buffer_.resize(kept + static_cast<size_t>(std::max<ssize_t>(0, count)));
  if (count < 0 && error != EINTR) return ErrnoStatus(error, "read");
  ended_ = count == 0;
  return absl::OkStatus();
}

}  // namespace grove::client::cli

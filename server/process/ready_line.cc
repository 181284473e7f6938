#include "server/process/ready_line.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "runtime/switch/abseil_text.h"

namespace grove::process {

std::string FormatWorkerReady() {
  return "ready";
}

std::string FormatControlReady(const ControlAddresses& addresses) {
  return StrCat("control=", addresses.grpc, " admin=", addresses.admin);
}

absl::StatusOr<ControlAddresses> ParseControlReady(std::string_view line) {
  const std::vector<std::string_view> words = StrSplit(line, ' ');
  std::string_view grpc = words[0];
  std::string_view admin = words.size() > 1 ? words[1] : "";
  if (!ConsumePrefix(&grpc, "control=") || !ConsumePrefix(&admin, "admin=") || grpc.empty() ||
      admin.empty()) {
    return absl::InvalidArgumentError(StrCat("'", line, "' is no ready line of control's"));
  }
  return ControlAddresses{.grpc = std::string(grpc), .admin = std::string(admin)};
}

absl::Status SendReadyLine(int ready_fd, std::string_view line) {
  const std::string bytes = StrCat(line, "\n");
  // Far below PIPE_BUF: all of it or nothing.
  const ssize_t written = write(ready_fd, bytes.data(), bytes.size());
  close(ready_fd);
  if (written == static_cast<ssize_t>(bytes.size())) return absl::OkStatus();
  return absl::UnavailableError("the supervisor does not take the ready line");
}

ReadyLineReader& ReadyLineReader::operator=(ReadyLineReader&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(line_, other.line_);
  return *this;
}

void ReadyLineReader::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

ReadyLineReader::Outcome ReadyLineReader::Read() {
  char buffer[256];
  const ssize_t got = read(fd_, buffer, sizeof(buffer));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Outcome::kMore;
  if (got > 0) line_.append(buffer, static_cast<size_t>(got));
  const bool complete = got > 0 && line_.back() == '\n';
  if (got > 0 && !complete && line_.size() <= kBytesMax) return Outcome::kMore;
  Close();
  if (!complete || line_.size() > kBytesMax) return Outcome::kNone;
  line_.pop_back();
  return Outcome::kComplete;
}

}  // namespace grove::process

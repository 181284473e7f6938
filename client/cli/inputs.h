// Inputs: what the tasks of a spawn of many are given, one after the other.
//
// Either the same for each, or the lines of a file or pipe (NDJSON), which is read as it comes.

#ifndef GROVE_CLIENT_CLI_INPUTS_H_
#define GROVE_CLIENT_CLI_INPUTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace grove::client::cli {

// Lines of a descriptor, without their ends (LF or CRLF); blank ones are left out.
class LineReader {
 public:
  struct Line {
    // From 1, blank lines counted.
    int64_t number = 0;
    std::string text;
  };

  // Takes `fd` over if `owned`. Waits of Next end when `interrupt_fd` is readable.
  enum class Ownership { kBorrowed, kOwned };
  LineReader(int fd, Ownership ownership, int interrupt_fd, size_t line_bytes_max);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // nullopt at the end. RESOURCE_EXHAUSTED: a line is too long. CANCELLED: interrupted. Blocks.
  absl::StatusOr<std::optional<Line>> Next();

 private:
  absl::Status Fill();
  std::optional<Line> Take();

  const int fd_;
  const Ownership ownership_;
  const int interrupt_fd_;
  const size_t line_bytes_max_;
  std::string buffer_;
  // Where in it the next line begins, and how far it was searched for a line's end.
  size_t begin_ = 0;
  size_t searched_ = 0;
  bool ended_ = false;
  int64_t number_ = 0;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_INPUTS_H_

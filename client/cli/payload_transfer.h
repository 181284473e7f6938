// Payload transfers: files that go to the daemon and come from it, with a line of progress.
#ifndef GROVE_CLIENT_CLI_PAYLOAD_TRANSFER_H_
#define GROVE_CLIENT_CLI_PAYLOAD_TRANSFER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/command.h"
#include "grove/v1/payload_service.pb.h"

namespace grove::client::cli {

// What an input may have without being uploaded: tasks.input_max_bytes, as long as nobody sets it.
inline constexpr size_t kInlineInputBytes = 1 << 20;
// Of a schedule's tasks, whose specs control keeps in memory.
inline constexpr size_t kScheduleInputBytes = 64 << 10;

// An open file, or standard input.
class InputFile {
 public:
  // "-": standard input.
  static absl::StatusOr<InputFile> Open(const Command& command, const std::string& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  // At most `max` bytes; fewer: that was all.
  absl::StatusOr<std::string> Read(size_t max) const;
  // 0: nobody knows.
  int64_t size_bytes() const { return size_bytes_; }

 private:
  InputFile(int fd, bool owned, int64_t size_bytes)
      : fd_(fd), owned_(owned), size_bytes_(size_bytes) {}

  const int fd_;
  bool owned_;
  const int64_t size_bytes_;
};

// Uploads `begun`, and then the rest of the file.
absl::StatusOr<v1::Payload> Upload(const Command& command, const InputFile& file, std::string begun,
                                   std::string_view content_type);
// To standard output.
absl::Status DownloadToOutput(const Command& command, std::string_view name);
// To a file: goes on where `path`.part ends, checks the hash, and gives the file its name then.
absl::Status DownloadToFile(const Command& command, std::string_view name, const std::string& path);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_PAYLOAD_TRANSFER_H_

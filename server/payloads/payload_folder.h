// PayloadFolder: the files of all payloads.
//
// state_dir/payloads, closed to others. A finished file gets its last name by rename(2), and the
// folder is synced, before anybody is told of it. Holds nothing in memory.
// All of it may block for the disk: not for a hub's thread. Any thread.
#ifndef GROVE_SERVER_PAYLOADS_PAYLOAD_FOLDER_H_
#define GROVE_SERVER_PAYLOADS_PAYLOAD_FOLDER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/payload_service.pb.h"

namespace grove::payloads {

// Of state_dir.
std::string PayloadFolderOf(std::string_view state_dir);

// A ULID: 48 bits of milliseconds and 80 random ones, as the ids of tasks have them.
std::string NewPayloadId(int64_t now_ms);

class PayloadFolder {
 public:
  explicit PayloadFolder(std::string path) : path_(std::move(path)) {}

  // Makes it, if it is not there.
  absl::Status Create() const;
  // Whole payloads, with the id that each file's name has. Files that are none are reported in
  // `damaged`, and stay.
  absl::Status ForEach(absl::FunctionRef<void(std::string_view id, v1::Payload)> each,
                       std::vector<std::string>& damaged) const;
  // Removes what died writers have left, but for the files in `spared`; how many.
  absl::StatusOr<int> Sweep(const std::vector<std::string>& spared = {}) const;
  // Gives the finished part its last name, and says what it is. Again: as the first time.
  // DATA_LOSS: there is no such payload.
  absl::StatusOr<v1::Payload> Adopt(std::string_view id) const;
  absl::Status Remove(std::string_view id) const;
  void RemovePart(std::string_view id) const;

  const std::string& path() const { return path_; }
  // Within the folder, and with it.
  static std::string FileOf(std::string_view id);
  std::string PathOf(std::string_view id) const;

 private:
  absl::Status Sync() const;

  const std::string path_;
};

}  // namespace grove::payloads

#endif  // GROVE_SERVER_PAYLOADS_PAYLOAD_FOLDER_H_

// Attempt streams: inputs and outputs that lie in files (server/payloads).
//
// The worker opens the files itself: control tells it names alone, so that no byte of a payload
// goes through control or a link. Files are read and written on the worker's threads for blocking
// calls. An output spills into a file once it is too large for a message. Hub thread only.
#ifndef GROVE_SERVER_WORKER_ATTEMPT_STREAMS_H_
#define GROVE_SERVER_WORKER_ATTEMPT_STREAMS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/offload/offload.h"
#include "server/payloads/payload_file.h"
#include "server/streams.h"

namespace grove::worker {

// Where payloads are, and what bounds them.
struct PayloadAccess {
  std::string folder;  // empty: there are none
  internal::v1::PayloadBounds bounds;
};

// One that was written. Its file is control's to take or to sweep; until this dies it is neither
// litter nor anybody else's.
class WrittenPayload final : public StreamedOutput {
 public:
  WrittenPayload(std::string id, std::unique_ptr<payloads::PayloadWriter> writer)
      : id_(std::move(id)), writer_(std::move(writer)) {}

  void Describe(internal::v1::PayloadFile& file) const;

 private:
  const std::string id_;
  const std::unique_ptr<payloads::PayloadWriter> writer_;
};

// kDataLoss (PAYLOAD_LOST). **Parks.**
absl::StatusOr<std::unique_ptr<InputStream>> OpenPayload(const PayloadAccess& access,
                                                         OffloadPool& offload, std::string_view id);
// All of it, for a function that takes no stream. kInvalidArgument (INPUT_TOO_LARGE). **Parks.**
absl::StatusOr<std::string> ReadPayload(const PayloadAccess& access, OffloadPool& offload,
                                        std::string_view id);
// Of a task of `tenant`'s; in memory up to `inline_max` bytes.
std::unique_ptr<OutputStream> OpenOutput(const PayloadAccess& access, OffloadPool& offload,
                                         size_t inline_max, std::string_view tenant,
                                         std::string content_type);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_ATTEMPT_STREAMS_H_

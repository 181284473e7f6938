// PayloadSource and PayloadSink: where a payload's bytes come from and go to.
#ifndef GROVE_CLIENT_PAYLOAD_IO_H_
#define GROVE_CLIENT_PAYLOAD_IO_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/payload_service.pb.h"

namespace grove::client {

// A message's: a source may give more, which is sent in pieces.
inline constexpr size_t kPayloadPieceBytes = 256 << 10;

// The next bytes; empty: that was all. An error ends the upload with it.
using PayloadSource = std::function<absl::StatusOr<std::string>()>;
// Takes the next bytes. An error ends the download with it.
using PayloadSink = std::function<absl::Status(const v1::Payload& payload, std::string_view data)>;

}  // namespace grove::client

#endif  // GROVE_CLIENT_PAYLOAD_IO_H_

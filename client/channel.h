// Channel: the connection a client's calls share, as its options describe it.
//
// Checks the options; connects on the first call. Private to //client.

#ifndef GROVE_CLIENT_CHANNEL_H_
#define GROVE_CLIENT_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/statusor.h"
#include "client/client.h"

namespace grove::client {

// Of an error's trailers: all that is wrong with a config has room. gRPC takes 8 KiB by default.
inline constexpr int kErrorBytesMax = 128 * 1024;

// INVALID_ARGUMENT: a malformed address, token, certificate or key, or files that do not fit each
// other. NOT_FOUND: a file cannot be opened.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options);

}  // namespace grove::client

#endif  // GROVE_CLIENT_CHANNEL_H_

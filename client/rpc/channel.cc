#include "client/rpc/channel.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/match.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::rpc {
namespace {

// gRPC over HTTP/2, "Requests": Header-Name, ASCII-Value.
bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}
bool IsValueCharacter(char c) {
  return c >= ' ' && c <= '~';
}

}  // namespace

absl::Status CheckMetadata(const Metadata& metadata) {
  for (const auto& [key, value] : metadata) {
    if (key.empty() || !std::all_of(key.begin(), key.end(), IsKeyCharacter)) {
      return absl::InvalidArgumentError(
          StrCat("metadata: \"", key, "\" is no key: want lower-case letters, digits, _ - ."));
    }
    if (absl::StartsWith(key, "grpc-")) {
      return absl::InvalidArgumentError(StrCat("metadata: ", key, " is gRPC's own"));
    }
    if (absl::EndsWith(key, "-bin")) continue;
    if (!std::all_of(value.begin(), value.end(), IsValueCharacter)) {
      return absl::InvalidArgumentError(
          StrCat("metadata: the value of ", key,
                 " holds what is not printable ASCII; a key that ends in -bin takes any bytes"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Channel>> Channel::Create(Completions& completions,
                                                         ChannelOptions options) {
  if (options.address.empty()) return absl::InvalidArgumentError("address: is empty");
  if (options.calls_max < 1) return absl::InvalidArgumentError("calls_max: want at least 1");
  if (absl::Status status = CheckMetadata(options.metadata); !status.ok()) return status;
  if (options.credentials == nullptr) options.credentials = grpc::InsecureChannelCredentials();
  return std::unique_ptr<Channel>(new Channel(completions, std::move(options)));
}

Channel::Channel(Completions& completions, ChannelOptions options)
    : completions_(completions),
      options_(std::move(options)),
      channel_(
          grpc::CreateCustomChannel(options_.address, options_.credentials, options_.arguments)),
      room_(options_.calls_max) {}

Channel::~Channel() {
  GROVE_CHECK(stats_.open == 0, "an rpc::Channel died while fibers call over it");
}

Channel::Stats Channel::stats() const {
  Stats stats = stats_;
  stats.waiting = room_.waiting();
  return stats;
}

}  // namespace grove::client::rpc

// Channel: the calls of a hub's fibers to one gRPC server, bounded and counted.
//
// Wraps gRPC's own channel, which balances, reconnects and resolves names on gRPC's threads. Who
// calls uses Client<Service> (client.h).
#ifndef GROVE_CLIENT_RPC_CHANNEL_H_
#define GROVE_CLIENT_RPC_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/rpc/completions.h"
#include "runtime/sync/semaphore.h"

namespace grove::client::rpc {

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct ChannelOptions {
  // What gRPC resolves: "HOST:PORT", "dns:///HOST:PORT", "unix:PATH", "ipv4:1.2.3.4:50051,…".
  std::string address;
  // Null: plain text.
  std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr;
  // Keep-alive, sizes, balancing, retries by service config: gRPC's own.
  grpc::ChannelArguments arguments = {};
  // Sent with every call: {"authorization", "Bearer …"}. Keys in lower case.
  Metadata metadata = {};
  // Calls and streams that are open at once; the others wait, first come, first served.
  int64_t calls_max = 1000;
  // That wait; beyond, a call fails with kResourceExhausted.
  size_t waiting_max = 10'000;
};

// Hub thread only.
class Channel {
 public:
  // Does not connect yet. `completions` must outlive it. kInvalidArgument: no address, metadata
  // that gRPC does not send.
  static absl::StatusOr<std::unique_ptr<Channel>> Create(Completions& completions,
                                                         ChannelOptions options);
  // Requires: no call is under way.
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  struct Stats {
    // Now.
    int64_t open = 0;
    size_t waiting = 0;
    // Since it was made.
    uint64_t started = 0;
    uint64_t succeeded = 0;
    uint64_t failed = 0;     // the server or the connection said no
    uint64_t abandoned = 0;  // by their fiber: a Timeout, Cancel(), a stream that was dropped
    uint64_t refused = 0;    // waiting_max
  };
  Stats stats() const;
  const std::string& address() const { return options_.address; }
  const std::shared_ptr<grpc::Channel>& grpc_channel() const { return channel_; }
  Completions& completions() { return completions_; }

 private:
  friend class CallScope;
  Channel(Completions& completions, ChannelOptions options);

  Completions& completions_;
  const ChannelOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  Semaphore room_;
  Stats stats_;
};

// kInvalidArgument: not what HTTP/2 carries as gRPC's metadata; gRPC would abort the call with a
// text that nobody understands.
absl::Status CheckMetadata(const Metadata& metadata);

}  // namespace grove::client::rpc

#endif  // GROVE_CLIENT_RPC_CHANNEL_H_

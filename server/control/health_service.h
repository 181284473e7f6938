// HealthService: grpc.health.v1.Health, for each of control's services and for the server.
//
// All of them serve until StopServing(); then none does. gRPC's own one has no List.
// Answers on gRPC's threads, whatever the hub does. Any thread.
#ifndef GROVE_SERVER_CONTROL_HEALTH_SERVICE_H_
#define GROVE_SERVER_CONTROL_HEALTH_SERVICE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.pb.h"
#include "server/control/raw_service.h"

namespace grove::control {

// They are open to everybody, and each is held as long as its client likes.
inline constexpr size_t kHealthWatchesMax = 1'000;

class HealthService {
 public:
  // Their full names; the server itself is the empty one, beside them.
  explicit HealthService(std::vector<std::string> services);
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  // It must outlive the server.
  void AddMethods(RawService& service);

  // NOT_SERVING from now on; watchers hear of it.
  void StopServing();
  // Ends the watches, and takes no more: they would hold up the server's end.
  void EndWatches();

 private:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;
  class Watch;

  // SERVICE_UNKNOWN, if there is none.
  Status StatusOf(std::string_view service) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Check(const grpc::ByteBuffer& request, grpc::ByteBuffer& response);
  absl::Status List(const grpc::ByteBuffer& request, grpc::ByteBuffer& response);
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StartWatch(const grpc::ByteBuffer& request);

  const std::vector<std::string> services_;
  absl::Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = true;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_HEALTH_SERVICE_H_

// ApplicationDesk: answers what control asks of the application in this worker: which program it
// is, what its values are, and what it answers to a request that comes past the network.
//
// Everything must outlive it. Hub thread only.
#ifndef GROVE_SERVER_WORKER_APPLICATION_DESK_H_
#define GROVE_SERVER_WORKER_APPLICATION_DESK_H_

#include <optional>

#include "grove/internal/v1/link.pb.h"
#include "server/application.h"
#include "server/http/serving/server.h"

namespace grove::worker {

// Requests of control's under way; those beyond are refused.
inline constexpr int kInjectedMax = 16;

class ApplicationDesk {
 public:
  // `http`: empty before the worker serves.
  ApplicationDesk(const Application& application, WorkerServices& services,
                  std::optional<http::Server>& http)
      : application_(application), services_(services), http_(http) {}

  internal::v1::Program Program() const;
  internal::v1::ReadValuesReply ReadValues(const internal::v1::ReadValues& request);
  // **Parks.**
  internal::v1::InjectReply Inject(const internal::v1::Inject& inject);

 private:
  const Application& application_;
  WorkerServices& services_;
  std::optional<http::Server>& http_;
  int injected_ = 0;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_APPLICATION_DESK_H_

// Stubs: the gRPC services of one channel, and how each of their calls is made.
//
// Private to //client. Any thread may call any method.

#ifndef GROVE_CLIENT_STUBS_H_
#define GROVE_CLIENT_STUBS_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/client.h"
#include "client/retries.h"
#include "client/stop.h"
#include "grove/v1/backdoor_service.grpc.pb.h"
#include "grove/v1/fairness_service.grpc.pb.h"
#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/operation_service.grpc.pb.h"
#include "grove/v1/payload_service.grpc.pb.h"
#include "grove/v1/pool_service.grpc.pb.h"
#include "grove/v1/queue_service.grpc.pb.h"
#include "grove/v1/schedule_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "grove/v1/tenant_service.grpc.pb.h"
#include "grove/v1/worker_service.grpc.pb.h"

namespace grove::client {

// Since some moment in the past; no clock that is set moves it.
absl::Duration Monotonic();
// Of [0, 1), at random.
double DrawPart();
// False: `stop`, which may be null, was set meanwhile.
bool PauseFor(const Stop* stop, absl::Duration duration);
// gRPC connects while somebody polls it, which a call that fails at once does not. Until it has, or
// for `bound`.
void AwaitConnection(grpc::Channel& channel, absl::Duration bound);

// Of some times that gRPC connects again, between which it pauses (client/channel.cc).
inline constexpr absl::Duration kConnectWait = absl::Milliseconds(300);
inline constexpr int kConnectTriesMax = 5;

// Code, message and google.rpc details.
absl::Status FromGrpc(const grpc::Status& status);

template <typename Stub, typename Request, typename Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

struct Client::Stubs {
  Stubs(const ClientOptions& options, const std::shared_ptr<grpc::Channel>& channel)
      : channel(channel),
        token(options.token),
        timeout(options.timeout),
        retry_for(options.retry_for),
        tasks(channel),
        queues(channel),
        pools(channel),
        fairness(channel),
        workers(channel),
        inspect(channel),
        operations(channel),
        tenants(channel),
        schedules(channel),
        payloads(channel),
        backdoor(channel) {}

  void Authorize(grpc::ClientContext& context) const {
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> CallOnce(Stub& stub, Method<Stub, Request, Response> method,
                                    const Request& request, absl::Duration bound,
                                    Stop* stop) const {
    grpc::ClientContext context;
    Authorize(context);
    if (bound < absl::InfiniteDuration()) {
      // A span, which gRPC counts on the monotonic clock.
      context.set_deadline(gpr_time_from_micros(absl::ToInt64Microseconds(bound), GPR_TIMESPAN));
    }
    const Stop::Call stoppable(stop, [&context] { context.TryCancel(); });
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    // What was said by the server itself carries details, or nothing at all went wrong.
    if (status.ok() || !status.error_details().empty()) heard.store(true);
    if (!status.ok()) return FromGrpc(status);
    return response;
  }

  // Again, whatever it is, where it cannot have been sent.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub, Method<Stub, Request, Response> method,
                                const Request& request, absl::Duration bound, Stop* stop) const {
    const absl::Duration end = Monotonic() + bound;
    for (int tries_left = kConnectTriesMax;;) {
      absl::StatusOr<Response> response = CallOnce(stub, method, request, end - Monotonic(), stop);
      if (response.ok() || !IsFalseConnectFailure(response.status())) return response;
      if (--tries_left == 0 || (stop != nullptr && stop->is_set())) return response;
      AwaitConnection(*channel, std::min(end - Monotonic(), kConnectWait));
    }
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub, Method<Stub, Request, Response> method,
                                const Request& request) const {
    return Call(stub, method, request, timeout, nullptr);
  }

  // As Call(), for what may be asked twice: again while the server asks for it, or the way to it
  // broke. The deadline is that of all tries together.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> CallAgain(Stub& stub, Method<Stub, Request, Response> method,
                                     const Request& request, Stop* stop = nullptr) const {
    const absl::Duration end = Monotonic() + timeout;
    Retries retries(std::min(end, Monotonic() + retry_for), DrawPart);
    for (;;) {
      absl::StatusOr<Response> response = Call(stub, method, request, end - Monotonic(), stop);
      if (response.ok()) return response;
      const auto pause = retries.After(response.status(), heard.load(), Monotonic());
      if (!pause || !PauseFor(stop, *pause)) return response;
    }
  }

  // `items` names the repeated field of a response.
  template <typename Stub, typename Request, typename Response, typename Items>
  absl::StatusOr<Response> Pages(Stub& stub, Method<Stub, Request, Response> method,
                                 Request request, int64_t limit, Items items) const {
    Response all;
    while (true) {
      const int64_t room = limit - items(all)->size();
      if (request.page_size() == 0 || request.page_size() > room) {
        request.set_page_size(static_cast<int32_t>(std::clamp<int64_t>(room, 1, kPageSizeMax)));
      }
      absl::StatusOr<Response> page = CallAgain(stub, method, request);
      if (!page.ok()) return page.status();
      const std::string next = page->next_page_token();
      all.MergeFrom(*page);
      all.set_next_page_token(next);
      if (next.empty() || items(all)->size() >= limit) return all;
      if (next == request.page_token()) {
        return absl::InternalError("the server sent the same page token twice");
      }
      request.set_page_token(next);
    }
  }

  // What every list of the API accepts.
  static constexpr int64_t kPageSizeMax = 1000;

  const std::shared_ptr<grpc::Channel> channel;
  const std::string token;
  const absl::Duration timeout;
  const absl::Duration retry_for;
  // Whether the server ever answered: what then falls silent was there, and may come back.
  mutable std::atomic<bool> heard = false;
  v1::TaskService::Stub tasks;
  v1::QueueService::Stub queues;
  v1::PoolService::Stub pools;
  v1::FairnessService::Stub fairness;
  v1::WorkerService::Stub workers;
  v1::InspectService::Stub inspect;
  v1::OperationService::Stub operations;
  v1::TenantService::Stub tenants;
  v1::ScheduleService::Stub schedules;
  v1::PayloadService::Stub payloads;
  v1::BackdoorService::Stub backdoor;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_STUBS_H_

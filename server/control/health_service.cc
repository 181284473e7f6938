#include "server/control/health_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/control/grpc_call.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListRequest;
using grpc::health::v1::HealthListResponse;

constexpr std::string_view kCheck = "/grpc.health.v1.Health/Check";
constexpr std::string_view kList = "/grpc.health.v1.Health/List";
constexpr std::string_view kWatch = "/grpc.health.v1.Health/Watch";

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

// One client's stream. Its members but those of gRPC's side are guarded by the service's mutex.
class HealthService::Watch final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  Watch(HealthService& health, std::string service)
      : health_(health), service_(std::move(service)) {}

  const std::string& service() const { return service_; }

  // With the mutex held: the status goes out, when the write before it is done.
  void Send(Status status) {
    wanted_ = status;
    if (writing_ || finished_ || wanted_ == sent_) return;
    sent_ = wanted_;
    HealthCheckResponse response;
    response.set_status(sent_);
    if (!SerializeMessage(response, bytes_).ok()) return End(grpc::Status(grpc::INTERNAL, ""));
    writing_ = true;
    StartWrite(&bytes_);
  }

  // With the mutex held.
  void End(const grpc::Status& status) {
    if (!std::exchange(finished_, true)) Finish(status);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&health_.mutex_);
    writing_ = false;
    if (!ok) return End(grpc::Status(grpc::CANCELLED, "the client went away"));
    Send(wanted_);
  }
  void OnCancel() override {
    absl::MutexLock lock(&health_.mutex_);
    End(grpc::Status(grpc::CANCELLED, "the client went away"));
  }
  void OnDone() override {
    {
      absl::MutexLock lock(&health_.mutex_);
      health_.watches_.erase(this);
    }
    delete this;
  }

 private:
  HealthService& health_;
  const std::string service_;
  Status wanted_ = HealthCheckResponse::UNKNOWN;
  Status sent_ = HealthCheckResponse::UNKNOWN;
  bool writing_ = false;
  bool finished_ = false;
  grpc::ByteBuffer bytes_;
};

HealthService::HealthService(std::vector<std::string> services) : services_(std::move(services)) {}

void HealthService::AddMethods(RawService& service) {
  using Bytes = RawService::Bytes;
  service.AddUnary(kCheck,
                   [this](RawService::Context* context, const Bytes* request, Bytes* response) {
                     return Answer(context, Check(*request, *response));
                   });
  service.AddUnary(kList,
                   [this](RawService::Context* context, const Bytes* request, Bytes* response) {
                     return Answer(context, List(*request, *response));
                   });
  service.AddServerStream(
      kWatch, [this](RawService::Context*, const Bytes* request) { return StartWatch(*request); });
}

void HealthService::StopServing() {
  absl::MutexLock lock(&mutex_);
  serving_ = false;
  for (Watch* watch : watches_) watch->Send(StatusOf(watch->service()));
}

void HealthService::EndWatches() {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  for (Watch* watch : watches_) watch->End(grpc::Status(grpc::UNAVAILABLE, "the server stops"));
}

HealthService::Status HealthService::StatusOf(std::string_view service) const {
  const bool known =
      service.empty() || std::find(services_.begin(), services_.end(), service) != services_.end();
  if (!known) return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

absl::Status HealthService::Check(const grpc::ByteBuffer& request, grpc::ByteBuffer& response) {
  HealthCheckRequest check;
  if (absl::Status parsed = ParseMessage(request, check); !parsed.ok()) return parsed;
  HealthCheckResponse answer;
  {
    absl::MutexLock lock(&mutex_);
    answer.set_status(StatusOf(check.service()));
  }
  if (answer.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
    return tasks::Refusal(absl::StatusCode::kNotFound, "SERVICE_NOT_FOUND",
                          absl::StrCat("no service '", tasks::Cut(check.service()), "'"));
  }
  return SerializeMessage(answer, response);
}

absl::Status HealthService::List(const grpc::ByteBuffer& request, grpc::ByteBuffer& response) {
  HealthListRequest list;
  if (absl::Status parsed = ParseMessage(request, list); !parsed.ok()) return parsed;
  HealthListResponse answer;
  {
    absl::MutexLock lock(&mutex_);
    auto& statuses = *answer.mutable_statuses();
    statuses[""].set_status(StatusOf(""));
    for (const std::string& service : services_) statuses[service].set_status(StatusOf(service));
  }
  return SerializeMessage(answer, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* HealthService::StartWatch(
    const grpc::ByteBuffer& request) {
  HealthCheckRequest check;
  const absl::Status parsed = ParseMessage(request, check);
  auto* watch = new Watch(*this, check.service());
  absl::MutexLock lock(&mutex_);
  if (!parsed.ok()) {
    watch->End(ToGrpcStatus(parsed));
  } else if (ended_ || watches_.size() >= kHealthWatchesMax) {
    watch->End(ToGrpcStatus(
        ended_ ? absl::UnavailableError("the server stops")
               : tasks::Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_WATCHES",
                                absl::StrCat(kHealthWatchesMax, " watches are open"))));
  } else {
    watches_.insert(watch);
    watch->Send(StatusOf(check.service()));
  }
  return watch;
}

}  // namespace grove::control

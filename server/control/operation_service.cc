#include "server/control/operation_service.h"

#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "server/tasks/refusal.h"

namespace grove::control {

// Hub thread only but for `grpc`.
struct OperationWatches::State {
  GrpcContext grpc;
  OperationCalls& calls;
  bool ended = false;
  absl::flat_hash_set<Watch*> open;
};

// One client's stream. A client that reads slowly gets the newest state, not all between.
class OperationWatches::Watch final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                                      private LiveCall {
 public:
  static Watch* Start(const std::shared_ptr<State>& state, grpc::CallbackServerContext* context,
                      const grpc::ByteBuffer* request) {
    auto* watch = new Watch(state);
    watch->self_.reset(watch);
    absl::StatusOr<Caller> caller = Admit(state->grpc, RowOf("OperationService/WatchOperation"),
                                          *context, *request, watch->request_);
    if (!caller.ok()) {
      watch->finished_ = true;
      Reject(state->grpc, *context, caller.status(),
             [watch](const grpc::Status& answer) { watch->Finish(answer); });
      return watch;
    }
    watch->principal_ = std::move(caller->principal);
    state->grpc.hub.Post([self = watch->self_] { self->Begin(); });
    return watch;
  }

  // On the hub. The first one counts.
  void End(const absl::Status& status) {
    if (std::exchange(finished_, true)) return;
    if (follow_ != 0) state_->calls.mirror().Leave(follow_);
    state_->open.erase(this);
    state_->grpc.live.Remove(*this);
    Finish(ToGrpcStatus(status));
  }

 private:
  explicit Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // gRPC's threads
  void OnWriteDone(bool ok) override {
    state_->grpc.hub.Post([self = self_, ok] { self->Written(ok); });
  }
  void OnCancel() override {
    state_->grpc.hub.Post(
        [self = self_] { self->End(absl::CancelledError("the client went away")); });
  }
  void OnDone() override { self_.reset(); }

  // Hub
  void Begin() {
    if (finished_) return;
    if (state_->ended) return End(Ending());
    if (state_->open.size() >= kOperationWatchesMax) {
      return End(tasks::WithRetryAfter(
          tasks::Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_WATCHES",
                         absl::StrCat(kOperationWatchesMax, " operations are being watched")),
          1000));
    }
    if (!state_->grpc.live.Add(*this, principal_)) return EndRevoked();
    state_->open.insert(this);
    const absl::StatusOr<FiberHandle> fiber =
        Spawn("operation-watch", [self = self_] { self->SayFirst(); });
    if (!fiber.ok()) End(fiber.status());
  }

  void EndRevoked() override { End(TokenRevoked()); }

  void SayFirst() {
    const absl::StatusOr<v1::Operation> now = state_->calls.Find(request_.name());
    if (finished_) return;
    if (!now.ok()) return End(now.status());
    follow_ = state_->calls.mirror().Follow(
        request_.name(), [this](const v1::Operation& operation) { Say(operation); });
    Say(*now);
  }

  void Say(const v1::Operation& operation) {
    newest_ = operation;
    unsaid_ = true;
    if (!writing_) Write();
  }

  void Write() {
    unsaid_ = false;
    said_end_ = HasEnded(newest_);
    if (absl::Status made = SerializeMessage(newest_, bytes_); !made.ok()) return FailLater(made);
    writing_ = true;
    StartWrite(&bytes_);
  }

  void Written(bool ok) {
    writing_ = false;
    if (finished_) return;
    if (!ok) return End(absl::CancelledError("the client went away"));
    if (said_end_) return End(absl::OkStatus());
    if (unsaid_) Write();
  }

  // A follower must not leave while it is told.
  void FailLater(const absl::Status& status) {
    state_->grpc.hub.Post([self = self_, status] { self->End(status); });
  }

 public:
  static absl::Status Ending() {
    return tasks::Refusal(absl::StatusCode::kUnavailable, "CONTROL_ENDS",
                          "control ends; watch the operation again");
  }

 private:
  const std::shared_ptr<State> state_;
  v1::WatchOperationRequest request_;
  tenancy::PrincipalPtr principal_;
  OperationMirror::FollowId follow_ = 0;
  bool finished_ = false;
  v1::Operation newest_;
  bool unsaid_ = false;
  bool writing_ = false;
  bool said_end_ = false;  // by the write under way
  grpc::ByteBuffer bytes_;
  std::shared_ptr<Watch> self_;
};

OperationWatches::OperationWatches(const GrpcContext& grpc, OperationCalls& calls)
    : state_(std::make_shared<State>(State{grpc, calls, false, {}})) {}

OperationWatches::~OperationWatches() = default;

void OperationWatches::AddMethods(RawService& service) {
  service.AddServerStream(
      RowOf("OperationService/WatchOperation").method,
      [state = state_](RawService::Context* context, const grpc::ByteBuffer* request) {
        return Watch::Start(state, context, request);
      });
}

void OperationWatches::EndAll() {
  state_->grpc.hub.Post([state = state_] {
    state->ended = true;
    while (!state->open.empty()) (*state->open.begin())->End(Watch::Ending());
  });
}

}  // namespace grove::control

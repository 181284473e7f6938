#include "server/control/spawn_service.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "server/control/audited_batch.h"
#include "server/control/spawn_window.h"
#include "server/control/streamed_spawns.h"
#include "server/control/task_calls.h"
#include "server/tasks/refusal.h"

namespace grove::control {

// Hub thread only but for `grpc`.
struct SpawnStreams::State {
  GrpcContext grpc;
  EngineDriver& driver;
  // Kept alive by this, too: what ends a stream may stand in the middle of it.
  absl::flat_hash_map<Stream*, std::shared_ptr<Stream>> open;
  // By tenant; empty: the operators.
  absl::flat_hash_map<std::string, int> count;
  bool ended = false;
};

// What goes over the wire is done under `mutex_`, by whichever thread comes to it: a message is
// read and an answer written without a detour over the hub. What is to become of it is the hub's.
class SpawnStreams::Stream final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      private LiveCall {
 public:
  static Stream* Start(const std::shared_ptr<State>& state, grpc::CallbackServerContext* context) {
    auto* stream = new Stream(state);
    stream->self_.reset(stream);
    absl::StatusOr<Caller> caller = Admit(state->grpc, stream->method_, *context);
    if (!caller.ok()) {
      stream->finished_ = true;
      Reject(state->grpc, *context, caller.status(),
             [self = stream->self_](const grpc::Status& answer) { self->FinishNow(answer); });
      return stream;
    }
    stream->caller_ = *std::move(caller);
    stream->InTurn([self = stream->self_] { self->Begin(); });
    return stream;
  }

  // --- On the hub

  void AfterRound() {
    if (spawns_ != nullptr) spawns_->AfterRound();
  }
  // Takes no more, and ends with `how` once what was taken is answered.
  void EndAfter(const absl::Status& how) {
    if (finished_) return;
    if (!last_) last_ = how;
    if (spawns_->idle()) Leave(*last_, /*at_once=*/false);
  }
  // The first one counts. A client may be gone while the stream waits in its lane to begin.
  void End(const absl::Status& how) {
    if (finished_) return;
    if (spawns_ != nullptr) return Leave(how, /*at_once=*/true);
    finished_ = true;
    FinishNow(ToGrpcStatus(how));
  }

 private:
  explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // --- gRPC's threads

  // On the hub, in the caller's lane and in this order. The window bounds how many wait.
  void InTurn(CallLanes::Work work) {
    state_->grpc.lanes.Push(*caller_.principal, std::move(work));
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      InTurn([self = self_] { self->EndAfter(absl::OkStatus()); });
      return;
    }
    auto request = std::make_unique<v1::SpawnTasksRequest>();
    const auto bytes = static_cast<int64_t>(received_.Length());
    absl::Status parsed = ParseMessage(received_, *request);
    const bool reads_on = parsed.ok();
    InTurn(
        [self = self_, request = std::move(request), bytes, parsed = std::move(parsed)]() mutable {
          if (!parsed.ok()) return self->EndAfter(parsed);
          self->Take(std::move(*request), bytes);
        });
    const absl::MutexLock lock(&mutex_);
    if (window_.Take(bytes) && reads_on && !closed_) StartRead(&received_);
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (closed_) return;
    // Nobody is there for the rest; what ends by itself still has to.
    if (!ok) answers_.clear();
    if (ok && window_.Release(written_bytes_)) StartRead(&received_);
    WriteNext();
  }

  void OnCancel() override {
    state_->grpc.hub.Post(
        [self = self_] { self->End(absl::CancelledError("the client went away")); });
  }

  void OnDone() override { self_.reset(); }

  // --- Any thread

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (answers_.empty()) {
      if (how_) Close(*how_);
      return;
    }
    sent_.Clear();
    sent_.Swap(&answers_.front().first);
    written_bytes_ = answers_.front().second;
    answers_.pop_front();
    writing_ = true;
    StartWrite(&sent_);
  }

  void Close(const grpc::Status& how) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    closed_ = true;
    Finish(how);
  }

  void FinishNow(const grpc::Status& how) {
    const absl::MutexLock lock(&mutex_);
    Close(how);
  }

  // --- On the hub

  void Begin() {
    if (finished_) return;
    if (state_->ended || state_->driver.draining()) return Refuse(EngineDriver::DrainingStatus());
    if (absl::Status room = CheckRoom(); !room.ok()) return Refuse(room);
    if (!state_->grpc.live.Add(*this, caller_.principal)) return Refuse(TokenRevoked());
    spawns_ = std::make_unique<StreamedSpawns>(
        state_->grpc.hub, state_->driver, caller_.principal,
        [this] { return state_->grpc.audit.HasRoom() ? absl::OkStatus() : AuditLogFull(); },
        [this](AnsweredSpawns answered) { Answer(answered); });
    absl::StatusOr<FiberHandle> fiber =
        Spawn("spawn-stream", [self = self_] { self->spawns_->Run(); });
    if (!fiber.ok()) {
      state_->grpc.live.Remove(*this);
      return Refuse(fiber.status());
    }
    fiber_ = *fiber;
    state_->open.emplace(this, self_);
    ++state_->count[caller_.principal->tenant];
    const absl::MutexLock lock(&mutex_);
    StartRead(&received_);
  }

  // Before it is one of the open ones.
  void Refuse(const absl::Status& why) {
    finished_ = true;
    Audit(state_->grpc, method_, caller_, {}, why);
    FinishNow(ToGrpcStatus(why));
  }

  absl::Status CheckRoom() const {
    const std::string& tenant = caller_.principal->tenant;
    const auto own = state_->count.find(tenant);
    const bool is_full = state_->open.size() >= kSpawnStreamsMax;
    const bool own_full =
        !tenant.empty() && own != state_->count.end() && own->second >= kTenantSpawnStreamsMax;
    if (!is_full && !own_full) return absl::OkStatus();
    // How many others have, a tenant is not told.
    const std::string text =
        own_full ? absl::StrCat(kTenantSpawnStreamsMax, " streams of spawns of the tenant are open")
                 : "as many streams of spawns are open as may be";
    return tasks::WithRetryAfter(
        tasks::Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS", text), 1000);
  }

  void Take(v1::SpawnTasksRequest request, int64_t bytes) {
    if (!finished_ && !last_) spawns_->Take(std::move(request), bytes);
  }

  void Answer(AnsweredSpawns& answered) {
    const v1::SpawnTasksResponse& response = answered.response;
    Audit(state_->grpc, method_, caller_,
          {.resource = answered.parent,
           .asked = absl::StrCat(answered.specs, " tasks"),
           .answer = AuditedBatch(response.results())},
          answered.refused);
    grpc::ByteBuffer bytes;
    if (absl::Status made = SerializeMessage(response, bytes); !made.ok()) return FailLater(made);
    {
      const absl::MutexLock lock(&mutex_);
      if (!closed_) answers_.emplace_back(std::move(bytes), answered.bytes);
      if (!writing_ && !closed_) WriteNext();
    }
    if (last_ && spawns_->idle()) Leave(*last_, /*at_once=*/false);
  }

  // Not under the answer of the one who would be ended.
  void FailLater(const absl::Status& status) {
    state_->grpc.hub.Post([self = self_, status] { self->End(status); });
  }

  void EndRevoked() override { End(TokenRevoked()); }

  void Leave(const absl::Status& how, bool at_once) {
    finished_ = true;
    spawns_->End();
    fiber_ = FiberHandle();
    state_->grpc.live.Remove(*this);
    auto held = state_->open.extract(this);
    // Until whoever is in the middle of it has returned.
    state_->grpc.hub.Post([held = std::move(held.mapped())] {});
    const auto own = state_->count.find(caller_.principal->tenant);
    if (--own->second == 0) state_->count.erase(own);
    const absl::MutexLock lock(&mutex_);
    if (at_once) answers_.clear();
    if (at_once || (answers_.empty() && !writing_)) {
      if (!closed_) Close(ToGrpcStatus(how));
    } else {
      how_ = ToGrpcStatus(how);
    }
  }

  const std::shared_ptr<State> state_;
  const MethodRow& method_ = RowOf("TaskService/SpawnTasks");
  Caller caller_;

  // Hub thread only.
  std::unique_ptr<StreamedSpawns> spawns_;
  FiberHandle fiber_;
  // What it ends with when all is answered: nothing more is taken.
  std::optional<absl::Status> last_;
  bool finished_ = false;

  absl::Mutex mutex_;
  SpawnWindow window_ ABSL_GUARDED_BY(mutex_);
  // With the bytes of what each answers.
  std::deque<std::pair<grpc::ByteBuffer, int64_t>> answers_ ABSL_GUARDED_BY(mutex_);
  int64_t written_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> how_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  // gRPC's, while a read or a write is under way.
  grpc::ByteBuffer received_;
  grpc::ByteBuffer sent_;
  std::shared_ptr<Stream> self_;
};

SpawnStreams::SpawnStreams(const GrpcContext& grpc, EngineDriver& driver)
    : state_(std::make_shared<State>(State{grpc, driver, {}, {}, false})) {
  driver.AddListener([state = state_] {
    // One that has answered all it was to answer leaves the set, and no other does.
    for (auto it = state->open.begin(); it != state->open.end();) (it++)->first->AfterRound();
  });
}

SpawnStreams::~SpawnStreams() = default;

void SpawnStreams::AddMethods(RawService& service) {
  service.AddBidi(
      RowOf("TaskService/SpawnTasks").method,
      [state = state_](RawService::Context* context) { return Stream::Start(state, context); });
}

void SpawnStreams::Drain() {
  for (auto it = state_->open.begin(); it != state_->open.end();) {
    (it++)->first->EndAfter(EngineDriver::DrainingStatus());
  }
}

void SpawnStreams::EndAll() {
  state_->grpc.hub.Post([state = state_] {
    state->ended = true;
    while (!state->open.empty()) state->open.begin()->first->End(SpawnNotOnDisk());
  });
}

}  // namespace grove::control

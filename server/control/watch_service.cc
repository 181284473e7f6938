#include "server/control/watch_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/sync/event.h"
#include "server/control/audience.h"
#include "server/control/queue_watch.h"
#include "server/control/recalled_tasks.h"
#include "server/control/watch_limits.h"
#include "server/tasks/paging.h"
#include "server/tasks/payloads.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_watch.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

// Of queues, between two looks at whose turn it is: some tenths of a millisecond.
constexpr int kQueuesPerLook = 100;
constexpr std::string_view kAllQueues = "/queues/-";

absl::Status Ending() {
  return tasks::WithRetryAfter(
      tasks::Refusal(absl::StatusCode::kUnavailable, "CONTROL_ENDS",
                     "control ends; watch again, with the last resume token"),
      kDrainRetryMs);
}

}  // namespace

// Hub thread only but for `grpc`.
struct WatchStreams::State {
  GrpcContext grpc;
  EngineDriver& driver;
  bool ended = false;
  WatchLimits limits;
  absl::flat_hash_map<Stream*, std::shared_ptr<Stream>> open;
};

// One client's stream, whose fiber makes a message when the client has taken the one before.
class WatchStreams::Stream : public grpc::ServerWriteReactor<grpc::ByteBuffer>, private LiveCall {
 public:
  // `Kind` has the request, and Follow().
  template <typename Kind>
  static Stream* Start(const std::shared_ptr<State>& state, const MethodRow& method,
                       grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
    auto* stream = new Kind(state);
    stream->self_.reset(stream);
    absl::StatusOr<Caller> caller =
        Admit(state->grpc, method, *context, *request, stream->request_);
    if (!caller.ok()) {
      stream->finished_ = true;
      Reject(state->grpc, *context, caller.status(),
             [stream](const grpc::Status& answer) { stream->Finish(answer); });
      return stream;
    }
    stream->principal_ = std::move(caller->principal);
    state->grpc.hub.Post([self = stream->self_] { self->Begin(); });
    return stream;
  }

  // --- On the hub

  // Something may have changed.
  virtual void AfterRound() = 0;
  // The first one counts.
  void End(const absl::Status& how) {
    if (std::exchange(finished_, true)) return;
    if (fiber_) fiber_.Cancel();
    fiber_ = FiberHandle();
    state_->grpc.live.Remove(*this);
    const auto open = state_->open.find(this);
    if (open != state_->open.end()) {
      state_->limits.Leave(principal_->tenant);
      // Until whoever is in the middle of it has returned.
      state_->grpc.hub.Post([held = std::move(open->second)] {});
      state_->open.erase(open);
    }
    Finish(ToGrpcStatus(ForAudience(*principal_, how)));
  }

 protected:
  explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // On its fiber, until it ends or is cancelled. **Parks.**
  virtual absl::Status Follow() = 0;

  // Until the client has taken it. `began`: when the work on it began. **Parks.**
  absl::Status Write(const google::protobuf::Message& message, MonotonicNanos began) {
    // Ended since this fiber was last parked: gRPC's side may be gone already.
    if (finished_) return absl::CancelledError("the watch has ended");
    if (absl::Status made = SerializeMessage(message, bytes_); !made.ok()) return made;
    limits().Worked(began, hub().ReadClock());
    written_.Reset();
    StartWrite(&bytes_);
    if (absl::Status waited = written_.Wait(); !waited.ok()) return waited;
    return write_ok_ ? absl::OkStatus() : absl::CancelledError("the client went away");
  }
  // Until this watch may work. **Parks.**
  absl::Status AwaitTurn() {
    while (hub().ReadClock() < state_->limits.next_turn()) {
      const auto pause = absl::Nanoseconds(state_->limits.next_turn() - hub().ReadClock());
      if (absl::Status slept = Sleep(pause); !slept.ok()) return slept;
    }
    return absl::OkStatus();
  }

  Hub& hub() const { return state_->grpc.hub; }
  WatchLimits& limits() const { return state_->limits; }
  EngineDriver& driver() const { return state_->driver; }
  tasks::Audience audience() const {
    return principal_->is_operator() ? tasks::Audience::kOperators : tasks::Audience::kTenant;
  }

 private:
  // --- gRPC's threads

  void OnWriteDone(bool ok) override {
    hub().Post([self = self_, ok] {
      self->write_ok_ = ok;
      self->written_.Set();
    });
  }
  void OnCancel() override {
    hub().Post([self = self_] { self->End(absl::CancelledError("the client went away")); });
  }
  void OnDone() override { self_.reset(); }

  // --- On the hub

  void Begin() {
    if (finished_) return;
    if (state_->ended) return End(Ending());
    if (absl::Status room = state_->limits.Enter(principal_->tenant); !room.ok()) return End(room);
    state_->open.emplace(this, self_);
    if (!state_->grpc.live.Add(*this, principal_)) return EndRevoked();
    const absl::StatusOr<FiberHandle> fiber =
        Spawn("watch", [self = self_] { self->End(self->Follow()); });
    if (!fiber.ok()) return End(fiber.status());
    fiber_ = *fiber;
  }
  void EndRevoked() override { End(TokenRevoked()); }

  const std::shared_ptr<State> state_;
  tenancy::PrincipalPtr principal_;
  bool finished_ = false;
  FiberHandle fiber_;
  // Of the write under way.
  grpc::ByteBuffer bytes_;
  Event written_;
  bool write_ok_ = false;
  std::shared_ptr<Stream> self_;
};

class WatchStreams::OfTasks final : public Stream {
 public:
  explicit OfTasks(std::shared_ptr<State> state) : Stream(std::move(state)) {}

  void AfterRound() override {
    if (watch_ != nullptr && watch_->HasNews()) news_.Set();
  }

 private:
  friend class Stream;
  using Step = tasks::TaskWatch::Step;

  absl::Status Follow() override {
    auto watch = driver().engine().Watch(request_, audience(), driver().Now());
    if (!watch.ok()) return watch.status();
    watch_ = *std::move(watch);
    absl::Status end = Tell();
    watch_.reset();
    return end;
  }

  absl::Status Tell() {
    for (;;) {
      if (absl::Status turn = AwaitTurn(); !turn.ok()) return turn;
      const MonotonicNanos began = hub().ReadClock();
      v1::WatchTasksResponse message;
      absl::Status told;
      switch (NextAtHand(message, told)) {
        case Step::kMessage:
          told = Fill(message);
          if (told.ok()) told = Write(message, began);
          break;
        case Step::kMore:
          limits().Worked(began, hub().ReadClock());
          Yield();
          break;
        case Step::kNothing:
          news_.Reset();
          told = news_.Wait();
          break;
        case Step::kEnded:
          return watch_->status();
        case Step::kRecall:
          break;
      }
      if (!told.ok()) return told;
    }
  }

  // What the watch asks for is recalled first; kRecall: it could not be. **Parks.**
  Step NextAtHand(v1::WatchTasksResponse& message, absl::Status& status) {
    Step step = watch_->Next(driver().Now(), message);
    if (step != Step::kRecall) return step;
    RecalledTasks recalled(driver());
    while (step == Step::kRecall) {
      const tasks::TaskWatch::Wanted wanted = watch_->wanted();
      std::optional<tasks::EndedPosition> horizon;
      status = wanted.query ? recalled.Recall(*wanted.query, horizon)  //
                            : recalled.Recall(wanted.tasks);
      if (!status.ok()) return step;
      watch_->Recalled(horizon);
      step = watch_->Next(driver().Now(), message);
    }
    return step;
  }

  // What only the store has. One that it has not got any more is forgotten.
  absl::Status Fill(v1::WatchTasksResponse& message) {
    std::vector<tasks::TaskId> ids;
    for (auto& event : *message.mutable_events()) {
      const v1::Task* task = TaskOf(event);
      if (task == nullptr) continue;
      const auto id = driver().engine().Find(task->name());
      if (id.ok() && driver().engine().NeedsStore(*id, watch_->view())) ids.push_back(*id);
    }
    if (ids.empty()) return absl::OkStatus();
    // Alive as long as the answer may come.
    auto read = std::make_shared<Event>();
    auto answer = std::make_shared<absl::StatusOr<std::vector<tasks::StoredTask>>>();
    driver().Read(ids, [read, answer](auto records) {
      *answer = std::move(records);
      read->Set();
    });
    if (absl::Status waited = read->Wait(); !waited.ok()) return waited;
    if (!answer->ok()) return answer->status();
    absl::flat_hash_map<std::string, const tasks::StoredTask*> records;
    for (const tasks::StoredTask& record : **answer) records[record.id.ToString()] = &record;
    for (auto& event : *message.mutable_events()) {
      v1::Task* task = TaskOf(event);
      if (task == nullptr) continue;
      const auto record = records.find(task->name().substr(task->name().rfind('/') + 1));
      if (record != records.end()) FillPayload(*record->second, watch_->view(), *task);
    }
    return absl::OkStatus();
  }

  static v1::Task* TaskOf(v1::WatchTasksResponse::Event& event) {
    if (event.has_existing()) return event.mutable_existing();
    return event.has_changed() ? event.mutable_changed() : nullptr;
  }

  v1::WatchTasksRequest request_;
  std::unique_ptr<tasks::TaskWatch> watch_;
  Event news_;
};

class WatchStreams::OfQueues final : public Stream {
 public:
  explicit OfQueues(std::shared_ptr<State> state) : Stream(std::move(state)) {}

  void AfterRound() override {}

 private:
  friend class Stream;

  absl::Status Follow() override {
    absl::StatusOr<QueueWatch> watch = QueueWatch::Create(request_);
    if (!watch.ok()) return watch.status();
    for (;;) {
      if (absl::Status turn = AwaitTurn(); !turn.ok()) return turn;
      const MonotonicNanos began = hub().ReadClock();
      const auto queues = Queues();
      if (!queues.ok()) return queues.status();
      v1::WatchQueueResponse message;
      if (watch->Take(*queues, message)) {
        if (absl::Status told = Write(message, began); !told.ok()) return told;
      }
      if (absl::Status slept = Sleep(watch->interval()); !slept.ok()) return slept;
    }
  }

  // As they are now. **Parks**, if there are many.
  absl::StatusOr<std::vector<v1::Queue>> Queues() {
    std::vector<v1::Queue> queues;
    std::string_view parent = request_.name();
    if (!parent.ends_with(kAllQueues)) {
      auto queue = driver().engine().GetQueue(request_.name(), driver().Now(), audience());
      if (!queue.ok()) return queue.status();
      queues.push_back(*std::move(queue));
      return queues;
    }
    parent.remove_suffix(kAllQueues.size());
    if (parent != "tenants/-" && !tenancy::ParseTenantName(parent).ok()) {
      return tasks::BadField("name", "NAME_INVALID",
                             absl::StrCat("\"", tasks::Cut(request_.name()),
                                          "\" is neither a queue's nor \"tenants/T/queues/-\""));
    }
    v1::ListQueuesRequest page;
    page.set_parent(std::string(parent));
    page.set_page_size(kQueuesPerLook);
    do {
      auto listed = driver().engine().ListQueues(page, driver().Now(), audience());
      // In the words for one queue.
      if (absl::IsNotFound(listed.status())) return tasks::NotInConfig("QUEUE", request_.name());
      if (!listed.ok()) return listed.status();
      page.set_page_token(listed->next_page_token());
      for (v1::Queue& queue : *listed->mutable_queues()) queues.push_back(std::move(queue));
      if (!page.page_token().empty()) Yield();
    } while (!page.page_token().empty());
    return queues;
  }

  v1::WatchQueueRequest request_;
};

WatchStreams::WatchStreams(const GrpcContext& grpc, EngineDriver& driver)
    : state_(std::make_shared<State>(State{grpc, driver, false, {}, {}})) {
  driver.AddListener([state = state_] {
    for (const auto& [stream, held] : state->open) stream->AfterRound();
  });
}

WatchStreams::~WatchStreams() = default;

void WatchStreams::AddMethods(RawService& service) {
  const MethodRow& tasks = RowOf("TaskService/WatchTasks");
  service.AddServerStream(tasks.method, [state = state_, &tasks](RawService::Context* context,
                                                                 const grpc::ByteBuffer* request) {
    return Stream::Start<OfTasks>(state, tasks, context, request);
  });
  const MethodRow& queues = RowOf("QueueService/WatchQueue");
  service.AddServerStream(
      queues.method,
      [state = state_, &queues](RawService::Context* context, const grpc::ByteBuffer* request) {
        return Stream::Start<OfQueues>(state, queues, context, request);
      });
}

void WatchStreams::EndAll() {
  state_->grpc.hub.Post([state = state_] {
    state->ended = true;
    while (!state->open.empty()) state->open.begin()->first->End(Ending());
  });
}

}  // namespace grove::control

// What may go wrong, and what follows:
//
// * The process dies, or its connection ends. Its attempts are interrupted at once (WorkerDown). If
//   it lives and comes back with them, it is told to cancel them: each runs elsewhere.
// * It comes back over a new connection before the end of the old one is seen. The session says
//   that it is the same: the new stream takes its place over, and its attempts go on.
// * Control ends. Nobody is told of any end (EndAll): attempts go on, and the next control takes
//   them from the registration, under the number that the worker names.
// * It hangs. What it does not say for kSilenceMax ends it.
#include "server/control/worker_gateway.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "grove/v1/worker_gateway_service.pb.h"
#include "proto/well_known_times.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"
#include "server/config/limits.h"
#include "server/control/gateway_frames.h"
#include "server/log.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

constexpr std::string_view kDefaultParent = "tenants/default";
constexpr int32_t kFirst = config::kWorkersMax;
constexpr int32_t kEnd = kFirst + config::kGatewayWorkersMax;

absl::Status RegistrationRequired() {
  return tasks::Refusal(absl::StatusCode::kInvalidArgument, "REGISTRATION_REQUIRED",
                        "the first message, and no other, has a registration");
}

absl::Status Silent(absl::Duration pause) {
  return tasks::Refusal(
      absl::StatusCode::kDeadlineExceeded, "WORKER_SILENT",
      absl::StrCat("nothing was heard for ", absl::FormatDuration(pause),
                   "; an empty message now and then is enough (welcome.silence_max)"));
}

absl::Status Replaced() {
  return tasks::Refusal(absl::StatusCode::kUnavailable, "WORKER_REPLACED",
                        "a later stream of the same session took over");
}

absl::Status TooManyWorkers(const std::string& text) {
  return tasks::WithRetryAfter(
      tasks::Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_WORKERS", text), 1000);
}

}  // namespace

// Hub thread only but for `grpc`.
struct WorkerGateway::State {
  GrpcContext grpc;
  EngineDriver& driver;
  int64_t output_max_bytes = 0;
  // By number from kFirst on; nullptr: none.
  std::array<Stream*, config::kGatewayWorkersMax> workers = {};
  // Kept alive by this, too: also those that have not registered yet.
  absl::flat_hash_map<Stream*, std::shared_ptr<Stream>> open;
  // Registered ones, by tenant.
  absl::flat_hash_map<std::string, int> count;
  bool ended = false;

  Stream*& Of(int32_t number) { return workers[static_cast<size_t>(number - kFirst)]; }
};

// gRPC's threads tell that a read or a write is done; all else is the hub's. Who wants a stream to
// end says why, and wakes its fiber, which finishes it.
class WorkerGateway::Stream final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      private LiveCall {
 public:
  static Stream* Start(const std::shared_ptr<State>& state, grpc::CallbackServerContext* context) {
    auto* stream = new Stream(state);
    const std::shared_ptr<Stream> self(stream);
    stream->self_ = self;
    absl::StatusOr<Caller> caller = Admit(state->grpc, stream->method_, *context);
    if (!caller.ok()) {
      Reject(state->grpc, *context, caller.status(),
             [self](const grpc::Status& answer) { self->Finish(answer); });
      return stream;
    }
    stream->caller_ = *std::move(caller);
    state->grpc.lanes.Push(*stream->caller_.principal, [self] { self->Begin(); });
    return stream;
  }

  // --- The hub

  // The first one counts.
  void End(const absl::Status& how) {
    if (!how_) how_ = how;
    woken_.Set();
  }

  void Send(internal::v1::ControlFrame&& frame) {
    for (const internal::v1::StartAttempt& start : frame.start()) {
      waiting_bytes_ += start.input().size() + start.checkpoint().size();
    }
    AddFrame(std::move(frame), worker_.tenant, next_);
    if (waiting_bytes_ > kGatewayBacklogBytesMax) {
      return End(absl::ResourceExhaustedError("the worker takes no messages"));
    }
    WriteNext();
  }
  void DaemonDrains() {
    internal::v1::WorkerFrame frame;
    frame.set_draining(true);
    state_->driver.FromWorker(worker_.number, frame);
    next_.set_draining(true);
    WriteNext();
  }

  v1::Worker Show() const {
    v1::Worker shown = shown_;
    shown.set_state(draining_ || state_->driver.draining() ? v1::Worker::STATE_DRAINING
                                                           : v1::Worker::STATE_READY);
    shown.set_tasks_running(state_->driver.engine().RunningOn(worker_.number));
    return shown;
  }
  uint64_t incarnation() const { return incarnation_; }

 private:
  explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // --- gRPC's threads

  void OnReadDone(bool ok) override {
    if (ok) {
      request_.Clear();
      parsed_ = ParseMessage(received_, request_);
    }
    state_->grpc.hub.Post([self = self_, ok] {
      self->read_ = ok;
      self->woken_.Set();
    });
  }
  void OnWriteDone(bool ok) override {
    state_->grpc.hub.Post([self = self_, ok] { self->Written(ok); });
  }
  void OnCancel() override {
    state_->grpc.hub.Post(
        [self = self_] { self->End(absl::CancelledError("the worker went away")); });
  }
  void OnDone() override { self_.reset(); }

  // --- The hub

  void Begin() {
    absl::Status fits = absl::OkStatus();
    if (state_->ended || state_->driver.draining()) fits = EngineDriver::DrainingStatus();
    if (fits.ok() && state_->open.size() >= 2 * config::kGatewayWorkersMax) {
      fits = TooManyWorkers("as many streams of workers are open as may be");
    }
    if (fits.ok() && !state_->grpc.live.Add(*this, caller_.principal)) fits = TokenRevoked();
    if (!fits.ok()) return Close(fits);
    state_->open.emplace(this, self_);
    const absl::StatusOr<FiberHandle> fiber =
        Spawn("gateway-worker", [self = self_] { self->Leave(self->Serve()); });
    if (!fiber.ok()) Leave(fiber.status());
  }

  absl::Status Serve() {
    absl::StatusOr<bool> more = Read(kRegistrationMax);
    if (!more.ok()) return more.status();
    if (!*more || !request_.has_registration()) return RegistrationRequired();
    if (absl::Status registered = Register(); !registered.ok()) return registered;
    for (;;) {
      more = Read(kSilenceMax);
      if (!more.ok()) return more.status();
      if (!*more) return absl::OkStatus();
      if (request_.has_registration()) return RegistrationRequired();
      Take();
      if (absl::Status status = state_->driver.AwaitDisk(); !status.ok()) return status;
    }
  }

  // The next message, into `request_`; false: there is none any more. **Parks.**
  absl::StatusOr<bool> Read(absl::Duration at_most) {
    StartRead(&received_);
    Timeout timeout(at_most);
    while (!read_) {
      if (how_) return *how_;
      absl::Status status = woken_.Wait();
      if (timeout.fired()) return Silent(at_most);
      if (!status.ok()) return status;
      woken_.Reset();
    }
    if (how_) return *how_;
    const bool ok = *read_;
    read_.reset();
    if (ok && !parsed_.ok()) return parsed_;
    return ok;
  }

  absl::Status Register() {
    v1::WorkerRegistration& registration = *request_.mutable_registration();
    if (registration.parent().empty() && caller_.principal->tenant.empty()) {
      registration.set_parent(std::string(kDefaultParent));
    }
    absl::Status status =
        CheckText(RuleOf("WorkerGatewayService/ConnectWorker", "registration.parent"),
                  *caller_.principal, *registration.mutable_parent());
    if (status.ok()) status = TakePlace(registration);
    const std::string parent = registration.parent();
    const std::string asked = absl::StrCat(registration.functions_size(), " functions");
    if (status.ok()) status = Join();
    Audit(state_->grpc, method_, caller_,
          {.resource = parent, .asked = asked, .answer = shown_.name()}, status);
    return status;
  }

  // The worker's number: what it had before, if that is its own still.
  absl::Status TakePlace(const v1::WorkerRegistration& registration) {
    const absl::StatusOr<std::string_view> parsed = tenancy::ParseTenantName(registration.parent());
    if (!parsed.ok()) return parsed.status();
    const std::string tenant(*parsed);
    if (absl::Status fits = CheckRegistration(registration, tenant); !fits.ok()) return fits;
    const auto known = state_->driver.engine().Query(registration.parent(), v1::TaskFilter());
    if (!known.ok()) return known.status();
    worker_.tenant = tenant;
    worker_.output_max_bytes = state_->output_max_bytes;
    incarnation_ = GatewayIncarnation(tenant, registration.session());
    const std::optional<int32_t> number = FreeNumber(WorkerNumber(registration.worker()));
    if (!number) return TooManyWorkers("as many workers are at the gateway as may be");
    Stream*& place = state_->Of(*number);
    if (place == nullptr && state_->count[tenant] >= kTenantGatewayWorkersMax) {
      return TooManyWorkers(
          absl::StrCat(kTenantGatewayWorkersMax, " workers of the tenant are at the gateway"));
    }
    worker_.number = *number;
    shown_.set_name(absl::StrCat("workers/", *number));
    shown_.set_pid(registration.pid());
    shown_.set_tenant(registration.parent());
    shown_.set_host(registration.host());
    shown_.set_runtime(registration.runtime());
    shown_.set_linked(true);
    proto::SetMicros(absl::ToUnixMicros(absl::Now()), shown_.mutable_start_time());
    return absl::OkStatus();
  }

  // Not one that a worker may still come back for.
  std::optional<int32_t> FreeNumber(std::optional<int32_t> asked) const {
    for (int32_t i = kFirst; i < kEnd; ++i) {
      const Stream* there = state_->Of(i);
      if (there != nullptr && there->incarnation() == incarnation_) return i;
    }
    const tasks::TaskEngine& engine = state_->driver.engine();
    if (asked && *asked >= kFirst && *asked < kEnd && state_->Of(*asked) == nullptr &&
        engine.AwaitedOn(*asked).value_or(incarnation_) == incarnation_) {
      return asked;
    }
    for (int32_t i = kFirst; i < kEnd; ++i) {
      if (state_->Of(i) == nullptr && !engine.AwaitedOn(i)) return i;
    }
    return std::nullopt;
  }

  absl::Status Join() {
    draining_ = request_.draining();
    internal::v1::WorkerFrame frame;
    frame.set_draining(draining_);
    for (v1::AttemptReport& report : *request_.mutable_reports()) {
      v1::ConnectWorkerRequest later;
      *later.add_reports() = std::move(report);
      frame.MergeFrom(FrameOf(std::move(later), worker_, WallNow()));
    }
    Stream*& place = state_->Of(worker_.number);
    Stream* const before = std::exchange(place, this);
    if (before == nullptr) ++state_->count[worker_.tenant];
    v1::WorkerWelcome& welcome = *next_.mutable_welcome();
    welcome.set_worker(shown_.name());
    welcome.set_output_max_bytes(worker_.output_max_bytes);
    proto::SetMicros(absl::ToInt64Microseconds(kSilenceMax), welcome.mutable_silence_max());
    absl::Status up = state_->driver.WorkerUp(HelloOf(std::move(request_), worker_, WallNow()));
    if (before != nullptr) before->End(Replaced());
    if (!up.ok()) return up;
    state_->driver.FromWorker(worker_.number, frame);
    WriteNext();
    Log(LogLevel::kInfo, "gateway worker joined",
        {{"worker", worker_.number}, {"tenant", worker_.tenant}, {"host", shown_.host()}});
    return absl::OkStatus();
  }

  void Take() {
    if (request_.has_capacity()) {
      state_->driver.SetCapacity(worker_.number,
                                 std::min(request_.capacity(), kGatewayCapacityMax));
    }
    draining_ |= request_.draining();
    internal::v1::WorkerFrame frame = FrameOf(std::move(request_), worker_, WallNow());
    state_->driver.FromWorker(worker_.number, frame);
  }

  void WriteNext() {
    if (writing_ || closed_ || next_.ByteSizeLong() == 0) return;
    written_.Clear();
    written_.Swap(&next_);
    waiting_bytes_ = 0;
    if (absl::Status made = SerializeMessage(written_, sent_); !made.ok()) return End(made);
    writing_ = true;
    StartWrite(&sent_);
  }

  // An attempt has begun when it has left.
  void Written(bool ok) {
    writing_ = false;
    if (closed_ || !ok) return;
    if (written_.starts_size() > 0 && state_->Of(worker_.number) == this) {
      internal::v1::WorkerFrame started = StartedOf(written_);
      state_->driver.FromWorker(worker_.number, started);
    }
    WriteNext();
  }

  void Leave(absl::Status status) {
    if (how_) status = *how_;
    state_->grpc.live.Remove(*this);
    auto held = state_->open.extract(this);
    const bool is_there = worker_.number >= kFirst && state_->Of(worker_.number) == this;
    if (is_there) {
      state_->Of(worker_.number) = nullptr;
      if (--state_->count[worker_.tenant] == 0) state_->count.erase(worker_.tenant);
      // The next control hears of what goes on from the worker.
      if (!state_->ended) state_->driver.WorkerDown(worker_.number);
      Log(LogLevel::kInfo, "gateway worker left",
          {{"worker", worker_.number}, {"tenant", worker_.tenant}, {"why", status.message()}});
    }
    Close(status);
  }

  void Close(const absl::Status& status) {
    closed_ = true;
    Finish(ToGrpcStatus(status));
  }

  void EndRevoked() override { End(TokenRevoked()); }

  const std::shared_ptr<State> state_;
  const MethodRow& method_ = RowOf("WorkerGatewayService/ConnectWorker");
  Caller caller_;

  // gRPC's, while a read is under way.
  grpc::ByteBuffer received_;
  v1::ConnectWorkerRequest request_;
  absl::Status parsed_;

  // Hub thread only.
  GatewayWorker worker_;
  uint64_t incarnation_ = 0;
  v1::Worker shown_;
  bool draining_ = false;
  std::optional<bool> read_;
  std::optional<absl::Status> how_;
  Event woken_;
  v1::ConnectWorkerResponse next_;
  size_t waiting_bytes_ = 0;
  // gRPC's, while a write is under way.
  v1::ConnectWorkerResponse written_;
  grpc::ByteBuffer sent_;
  bool writing_ = false;
  bool closed_ = false;
  // Until gRPC has done with it.
  std::shared_ptr<Stream> self_;
};

WorkerGateway::WorkerGateway(const GrpcContext& grpc, EngineDriver& driver,
                             int64_t output_max_bytes)
    : state_(std::make_shared<State>(State{grpc, driver, output_max_bytes})) {}

WorkerGateway::~WorkerGateway() = default;

void WorkerGateway::AddMethods(RawService& service) {
  service.AddBidi(
      RowOf("WorkerGatewayService/ConnectWorker").method,
      [state = state_](RawService::Context* context) { return Stream::Start(state, context); });
}

void WorkerGateway::Send(int32_t worker, internal::v1::ControlFrame frame) {
  if (worker < kFirst || worker >= kEnd) return;
  if (Stream* stream = state_->Of(worker)) stream->Send(std::move(frame));
}

std::vector<v1::Worker> WorkerGateway::List() const {
  std::vector<v1::Worker> workers;
  for (const Stream* stream : state_->workers) {
    if (stream != nullptr) workers.push_back(stream->Show());
  }
  return workers;
}

void WorkerGateway::Drain() {
  for (Stream* stream : state_->workers) {
    if (stream != nullptr) stream->DaemonDrains();
  }
}

void WorkerGateway::EndAll() {
  state_->grpc.hub.Post([state = state_] {
    state->ended = true;
    for (const auto& [stream, held] : state->open) stream->End(EngineDriver::DrainingStatus());
  });
}

}  // namespace grove::control

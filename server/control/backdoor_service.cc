#include "server/control/backdoor_service.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grove/v1/backdoor_service.pb.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/sync/event.h"
#include "server/control/worker_calls.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using v1::OpenSessionRequest;
using v1::OpenSessionResponse;

// What sessions share. Hub thread only but for `grpc`.
struct Sessions {
  GrpcContext grpc;
  std::string run_dir;
  const metrics::Scoreboard& scoreboard;
  int open = 0;
};

class Session final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                      private LiveCall {
 public:
  static Session* Start(Sessions& sessions, grpc::CallbackServerContext* context) {
    const MethodRow& method = RowOf("BackdoorService/OpenSession");
    auto* session = new Session(sessions, method);
    session->self_.reset(session);
    absl::StatusOr<Caller> caller = Admit(sessions.grpc, method, *context);
    if (!caller.ok()) {
      Reject(sessions.grpc, *context, caller.status(),
             [session](const grpc::Status& answer) { session->Finish(answer); });
      return session;
    }
    session->caller_ = *std::move(caller);
    sessions.grpc.hub.Post([self = session->self_] { self->SpawnFiber(); });
    return session;
  }

 private:
  Session(Sessions& sessions, const MethodRow& method) : sessions_(sessions), method_(method) {}

  // gRPC's threads
  void OnReadDone(bool ok) override {
    absl::Status parsed = ok ? ParseMessage(received_, request_) : absl::OkStatus();
    sessions_.grpc.hub.Post([self = self_, ok, parsed = std::move(parsed)] {
      if (!parsed.ok()) self->malformed_ = parsed;
      self->read_.ok = ok && parsed.ok();
      self->read_.done.Set();
    });
  }
  void OnWriteDone(bool ok) override {
    sessions_.grpc.hub.Post([self = self_, ok] {
      self->write_.ok = ok;
      self->write_.done.Set();
    });
  }
  void OnCancel() override {
    sessions_.grpc.hub.Post([self = self_] {
      self->cancelled_ = true;
      if (self->main_) self->main_.Cancel();
    });
  }
  void OnDone() override { self_.reset(); }

  struct Operation {
    Event done;
    bool ok = false;
  };

  // Hub
  void SpawnFiber() {
    if (cancelled_) return End(absl::CancelledError("the client went away"));
    if (sessions_.open >= kBackdoorSessionsMax) {
      return End(tasks::WithRetryAfter(
          tasks::Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_SESSIONS",
                         absl::StrCat(kBackdoorSessionsMax, " backdoor sessions are open")),
          1000));
    }
    absl::StatusOr<FiberHandle> fiber = Spawn("backdoor", [self = self_] { self->Run(); });
    if (!fiber.ok()) return End(fiber.status());
    main_ = *fiber;
    ++sessions_.open;
    if (!sessions_.grpc.live.Add(*this, caller_.principal)) EndRevoked();
  }

  void EndRevoked() override {
    revoked_ = true;
    main_.Cancel();
  }

  void End(const absl::Status& status) {
    main_ = FiberHandle();
    sessions_.grpc.live.Remove(*this);
    Audit(sessions_.grpc, method_, caller_, {.resource = worker_}, status);
    Finish(ToGrpcStatus(status));
  }

  void Run() {
    absl::Status status = Carry();
    --sessions_.open;
    if (revoked_) status = TokenRevoked();
    End(malformed_.ok() ? status : malformed_);
  }

  absl::Status Carry() {
    if (!Receive()) return absl::CancelledError("the client went away");
    if (!request_.has_worker()) {
      return tasks::BadField("worker", "WORKER_MISSING", "must be set in the first message");
    }
    worker_ = request_.worker();
    absl::StatusOr<int> worker = ParseWorkerName("worker", worker_, sessions_.scoreboard);
    if (!worker.ok()) return worker.status();
    Audit(sessions_.grpc, method_, caller_, {.resource = worker_}, absl::OkStatus());
    absl::StatusOr<Socket> socket = Connect(*worker);
    if (!socket.ok()) return socket.status();
    absl::StatusOr<FiberHandle> typing =
        Spawn("backdoor-input", [self = self_, &socket = *socket] { self->CarryInput(socket); });
    if (!typing.ok()) return typing.status();
    absl::Status status = CarryOutput(*socket);
    socket->Close();
    typing->Cancel();
    typing->AwaitEnd();
    return status;
  }

  absl::StatusOr<Socket> Connect(int worker) {
    Timeout timeout(kBackdoorConnectTimeout);
    absl::StatusOr<Socket> socket =
        Socket::ConnectUnix(absl::StrCat(sessions_.run_dir, "/worker-", worker, ".backdoor"));
    if (socket.ok()) return socket;
    return tasks::WithRetryAfter(
        tasks::Refusal(absl::StatusCode::kUnavailable, "BACKDOOR_UNREACHABLE",
                       absl::StrCat(worker_, " takes no connection: ", socket.status().message())),
        1000);
  }

  // Client to worker, until the client has no more to say.
  void CarryInput(Socket& socket) {
    while (Receive()) {
      if (!socket.Write(request_.input()).ok()) return;
    }
    if (!malformed_.ok()) return main_.Cancel();
    if (socket.open()) socket.ShutdownWrite().IgnoreError();
  }

  // Worker to client, until the worker ends the session.
  absl::Status CarryOutput(Socket& socket) {
    std::array<char, kBackdoorPieceBytes> piece;
    for (;;) {
      absl::StatusOr<size_t> got = socket.Read(piece);
      if (!got.ok() && absl::IsCancelled(got.status())) return got.status();
      if (!got.ok()) {
        return tasks::Refusal(
            absl::StatusCode::kUnavailable, "BACKDOOR_BROKEN",
            absl::StrCat("the session of ", worker_, " broke: ", got.status().message()));
      }
      if (*got == 0) return absl::OkStatus();
      response_.set_output(piece.data(), *got);
      if (absl::Status made = SerializeMessage(response_, sent_); !made.ok()) return made;
      write_.done.Reset();
      StartWrite(&sent_);
      absl::Status written = write_.done.Wait();
      if (!written.ok()) return written;
      if (!write_.ok) return absl::CancelledError("the client went away");
    }
  }

  // The next message into request_; false at the end, and where it is none.
  bool Receive() {
    read_.done.Reset();
    StartRead(&received_);
    return read_.done.Wait().ok() && read_.ok;
  }

  Sessions& sessions_;
  const MethodRow& method_;
  Caller caller_;
  std::string worker_;
  bool cancelled_ = false;
  bool revoked_ = false;
  // Those of the read under way, and of the write.
  grpc::ByteBuffer received_;
  OpenSessionRequest request_;
  absl::Status malformed_;
  OpenSessionResponse response_;
  grpc::ByteBuffer sent_;
  Operation read_;
  Operation write_;
  FiberHandle main_;
  std::shared_ptr<Session> self_;
};

}  // namespace

void AddBackdoorMethods(const GrpcContext& grpc, std::string run_dir,
                        const metrics::Scoreboard& scoreboard, RawService& service) {
  auto sessions = std::make_shared<Sessions>(Sessions{grpc, std::move(run_dir), scoreboard});
  service.AddBidi(
      RowOf("BackdoorService/OpenSession").method,
      [sessions](RawService::Context* context) { return Session::Start(*sessions, context); });
}

}  // namespace grove::control

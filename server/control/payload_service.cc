// gRPC's threads tell that a read or a write is done; all else is the stream's fiber's. Finish() is
// called there alone, once, at its end: who wants a stream to end says why, and wakes the fiber.
#include "server/control/payload_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "grove/v1/payload_service.pb.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

constexpr std::string_view kDefaultParent = "tenants/default";

absl::Status BadStream(std::string_view problem) {
  return tasks::Refusal(absl::StatusCode::kInvalidArgument, "PAYLOAD_STREAM_INVALID", problem);
}

}  // namespace

// Hub thread only but for `grpc`.
struct PayloadStreams::State {
  GrpcContext grpc;
  EngineDriver& driver;
  LivePayloads& payloads;
  // Kept alive by this, too.
  absl::flat_hash_map<Stream*, std::shared_ptr<void>> open;
  // By tenant; empty: the operators.
  absl::flat_hash_map<std::string, int> count;
  bool ended = false;
};

// What both have in common.
class PayloadStreams::Stream : protected LiveCall {
 public:
  // The first one counts.
  void End(const absl::Status& how) {
    if (!how_) how_ = how;
    woken_.Set();
  }

 protected:
  Stream(std::shared_ptr<State> state, const MethodRow& method)
      : state_(std::move(state)), method_(method) {}
  ~Stream() override = default;

  // --- gRPC's threads

  // How a method starts its `stream`, which is new and its own from then on: lets the call in, or
  // turns it away. `asked`: what Admit() wants of it beside the context.
  template <typename Kind, typename... Asked>
  static Kind* Start(Kind* stream, grpc::CallbackServerContext& context, Asked&... asked) {
    const std::shared_ptr<Stream> self = std::shared_ptr<Kind>(stream);
    const GrpcContext& grpc = self->state_->grpc;
    self->self_ = self;
    absl::StatusOr<Caller> caller = Admit(grpc, self->method_, context, asked...);
    if (!caller.ok()) {
      Reject(grpc, context, caller.status(),
             [self](const grpc::Status& answer) { self->Answer(answer); });
      return stream;
    }
    self->caller_ = *std::move(caller);
    grpc.lanes.Push(*self->caller_.principal, [self] { self->Begin(); });
    return stream;
  }
  // A read or a write is done.
  void Done(std::optional<bool>& done, bool ok) {
    state_->grpc.hub.Post([this, self = self_, &done, ok] {
      done = ok;
      woken_.Set();
    });
  }
  void Cancelled() {
    state_->grpc.hub.Post(
        [this, self = self_] { End(absl::CancelledError("the client went away")); });
  }
  void Forget() { self_.reset(); }

  // --- The hub

  // Runs the stream on a fiber of its own.
  void Begin() {
    absl::Status fits = CheckRoom();
    if (fits.ok() && !state_->grpc.live.Add(*this, caller_.principal)) fits = TokenRevoked();
    if (!fits.ok()) return Finish(fits);
    state_->open.emplace(this, self_);
    ++state_->count[caller_.principal->tenant];
    const absl::StatusOr<FiberHandle> fiber = Spawn("payload-stream", [this, self = self_] {
      absl::Status status = Serve();
      if (how_ && !status.ok()) status = *how_;
      Leave(status);
    });
    if (!fiber.ok()) Leave(fiber.status());
  }

  // The body: what the call ends with. **Parks.**
  virtual absl::Status Serve() = 0;
  // Ends the call; once.
  virtual void Finish(const absl::Status& status) = 0;
  // The same, before it was let in: as gRPC says it.
  virtual void Answer(const grpc::Status& answer) = 0;

  // Until gRPC has done it: what it says, or why the stream ends. **Parks.**
  absl::StatusOr<bool> Await(std::optional<bool>& done) {
    Timeout timeout(kPayloadIdleMax);
    while (!done) {
      if (how_) return *how_;
      absl::Status status = woken_.Wait();
      if (timeout.fired()) {
        return absl::DeadlineExceededError(absl::StrCat("the client has done nothing for ",
                                                        absl::FormatDuration(kPayloadIdleMax)));
      }
      if (!status.ok()) return status;
      woken_.Reset();
    }
    const bool ok = *done;
    done.reset();
    return ok;
  }

  const std::shared_ptr<State> state_;
  const MethodRow& method_;
  Caller caller_;

 private:
  absl::Status CheckRoom() const {
    if (state_->ended || state_->driver.draining()) return EngineDriver::DrainingStatus();
    const std::string& tenant = caller_.principal->tenant;
    const auto own = state_->count.find(tenant);
    const bool own_full =
        !tenant.empty() && own != state_->count.end() && own->second >= kTenantPayloadStreamsMax;
    if (state_->open.size() < kPayloadStreamsMax && !own_full) return absl::OkStatus();
    // How many others have, a tenant is not told.
    const std::string text = own_full ? absl::StrCat(kTenantPayloadStreamsMax,
                                                     " streams of payloads of the tenant are "
                                                     "open")
                                      : "as many streams of payloads are open as may be";
    return tasks::WithRetryAfter(
        tasks::Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS", text), 1000);
  }

  void Leave(const absl::Status& status) {
    state_->grpc.live.Remove(*this);
    auto held = state_->open.extract(this);
    const auto own = state_->count.find(caller_.principal->tenant);
    if (--own->second == 0) state_->count.erase(own);
    Finish(status);
  }

  void EndRevoked() override { End(TokenRevoked()); }

  std::optional<absl::Status> how_;
  Event woken_;
  // Until gRPC has done with it.
  std::shared_ptr<Stream> self_;
};

class PayloadStreams::Write final
    : public Stream,
      public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  static Write* Start(const std::shared_ptr<State>& state, grpc::CallbackServerContext* context) {
    return Stream::Start(new Write(state), *context);
  }

 private:
  explicit Write(std::shared_ptr<State> state)
      : Stream(std::move(state), RowOf("PayloadService/WritePayload")) {}

  // --- gRPC's threads

  void OnReadDone(bool ok) override {
    if (ok) {
      request_.Clear();
      parsed_ = ParseMessage(received_, request_, kPayloadMessageBytesMax);
    }
    Done(read_, ok);
  }
  void OnCancel() override { Cancelled(); }
  void OnDone() override { Forget(); }

  // --- The fiber

  absl::Status Serve() override {
    for (bool first = true;; first = false) {
      StartRead(&received_);
      const absl::StatusOr<bool> more = Await(read_);
      if (!more.ok()) return more.status();
      if (!*more) break;
      if (!parsed_.ok()) return parsed_;
      absl::Status taken = first ? TakeFirst() : CheckLater();
      if (taken.ok() && !request_.data().empty()) taken = upload_->Write(request_.data());
      if (!taken.ok()) return taken;
    }
    if (upload_ == nullptr) return BadStream("the stream has no message");
    absl::StatusOr<v1::Payload> payload = upload_->Finish();
    if (!payload.ok()) return payload.status();
    *response_.mutable_payload() = *std::move(payload);
    return absl::OkStatus();
  }

  absl::Status TakeFirst() {
    if (request_.parent().empty() && caller_.principal->tenant.empty()) {
      request_.set_parent(std::string(kDefaultParent));
    }
    absl::Status status = CheckText(RuleOf("PayloadService/WritePayload", "parent"),
                                    *caller_.principal, *request_.mutable_parent());
    parent_ = request_.parent();
    if (!status.ok()) return status;
    auto upload = state_->payloads.Begin(parent_, request_.payload());
    if (!upload.ok()) return upload.status();
    upload_ = *std::move(upload);
    return absl::OkStatus();
  }

  absl::Status CheckLater() const {
    if (request_.parent().empty() && !request_.has_payload()) return absl::OkStatus();
    return BadStream("parent and payload stand in the first message alone");
  }

  void Finish(const absl::Status& status) override {
    const v1::Payload& payload = response_.payload();
    Audit(state_->grpc, method_, caller_,
          {.resource = parent_,
           .asked = absl::StrCat(payload.size_bytes(), " bytes"),
           .answer = payload.name()},
          status);
    // What was given up, at once.
    upload_.reset();
    absl::Status sent = status;
    if (sent.ok()) sent = SerializeMessage(response_, sent_);
    if (!sent.ok()) return Answer(ToGrpcStatus(sent));
    StartWriteAndFinish(&sent_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void Answer(const grpc::Status& answer) override { ServerBidiReactor::Finish(answer); }

  // gRPC's, while a read is under way.
  grpc::ByteBuffer received_;
  v1::WritePayloadRequest request_;
  absl::Status parsed_;

  // Hub thread only.
  std::optional<bool> read_;
  std::string parent_;
  std::unique_ptr<PayloadUpload> upload_;
  v1::WritePayloadResponse response_;
  grpc::ByteBuffer sent_;
};

class PayloadStreams::Read final : public Stream,
                                   public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  static Read* Start(const std::shared_ptr<State>& state, grpc::CallbackServerContext* context,
                     const grpc::ByteBuffer* bytes) {
    auto* const stream = new Read(state);
    return Stream::Start(stream, *context, *bytes, stream->request_);
  }

 private:
  explicit Read(std::shared_ptr<State> state)
      : Stream(std::move(state), RowOf("PayloadService/ReadPayload")) {}

  // --- gRPC's threads

  void OnWriteDone(bool ok) override { Done(written_, ok); }
  void OnCancel() override { Cancelled(); }
  void OnDone() override { Forget(); }

  // --- The fiber

  absl::Status Serve() override {
    absl::StatusOr<v1::Payload> payload = state_->payloads.Get(request_.name());
    if (!payload.ok()) return payload.status();
    if (absl::Status range = CheckRange(payload->size_bytes()); !range.ok()) return range;
    const auto reader = state_->payloads.Open(request_.name());
    if (!reader.ok()) return reader.status();
    int64_t offset = request_.offset();
    int64_t left = payload->size_bytes() - offset;
    if (request_.limit() > 0) left = std::min(left, request_.limit());
    v1::ReadPayloadResponse response;
    *response.mutable_payload() = *std::move(payload);
    do {
      const auto max = std::min(kPayloadPieceBytes, static_cast<size_t>(left));
      absl::StatusOr<std::string> data = state_->payloads.ReadAt(**reader, offset, max);
      if (!data.ok()) return data.status();
      offset += static_cast<int64_t>(data->size());
      left -= static_cast<int64_t>(data->size());
      response.set_data(*std::move(data));
      if (absl::Status sent = Send(response); !sent.ok()) return sent;
      response.Clear();
    } while (left > 0);
    return absl::OkStatus();
  }

  absl::Status CheckRange(int64_t size) const {
    if (request_.offset() >= 0 && request_.offset() <= size && request_.limit() >= 0) {
      return absl::OkStatus();
    }
    return tasks::Refusal(absl::StatusCode::kOutOfRange, "PAYLOAD_RANGE_INVALID",
                          absl::StrCat("offset ", request_.offset(), " and limit ",
                                       request_.limit(), " are not within its ", size, " bytes"));
  }

  absl::Status Send(const v1::ReadPayloadResponse& response) {
    sent_.Clear();
    if (absl::Status made = SerializeMessage(response, sent_); !made.ok()) return made;
    StartWrite(&sent_);
    const absl::StatusOr<bool> written = Await(written_);
    if (!written.ok()) return written.status();
    return *written ? absl::OkStatus() : absl::CancelledError("the client went away");
  }

  void Finish(const absl::Status& status) override { Answer(ToGrpcStatus(status)); }
  void Answer(const grpc::Status& answer) override { ServerWriteReactor::Finish(answer); }

  v1::ReadPayloadRequest request_;

  // Hub thread only.
  std::optional<bool> written_;
  // gRPC's, while a write is under way.
  grpc::ByteBuffer sent_;
};

PayloadStreams::PayloadStreams(const GrpcContext& grpc, EngineDriver& driver,
                               LivePayloads& payloads)
    : state_(std::make_shared<State>(State{grpc, driver, payloads, {}, {}, false})) {}

PayloadStreams::~PayloadStreams() = default;

void PayloadStreams::AddMethods(RawService& service) {
  service.AddBidi(
      RowOf("PayloadService/WritePayload").method,
      [state = state_](RawService::Context* context) { return Write::Start(state, context); });
  service.AddServerStream(
      RowOf("PayloadService/ReadPayload").method,
      [state = state_](RawService::Context* context, const grpc::ByteBuffer* request) {
        return Read::Start(state, context, request);
      });
}

void PayloadStreams::EndAll() {
  state_->grpc.hub.Post([state = state_] {
    state->ended = true;
    for (const auto& [stream, held] : state->open) stream->End(EngineDriver::DrainingStatus());
  });
}

}  // namespace grove::control

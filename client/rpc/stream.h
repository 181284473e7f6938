// Streams: calls with more than one message.
//
// One fiber may read while another writes; two that read, or two that write, die. A read or write
// that a Timeout or Cancel() of its fiber ends goes on in gRPC: the next one takes it up, so that
// no message is lost, and one whose Write() was ended so is not to be written again. A stream that
// is dropped before its end is cancelled. Moved, never copied, nor moved while a fiber is inside.
// Must not outlive its channel. Hub thread only.
#ifndef GROVE_CLIENT_RPC_STREAM_H_
#define GROVE_CLIENT_RPC_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/rpc/call.h"

namespace grove::client::rpc {

// What the streams are made of. `Io` is gRPC's side of one; `Incoming` what it writes answers into.
// Kept by its stream, and by gRPC as long as it works on it.
template <typename Io, typename Incoming>
class StreamCall : public std::enable_shared_from_this<StreamCall<Io, Incoming>> {
 public:
  using Prepare = absl::FunctionRef<std::unique_ptr<Io>(grpc::ClientContext*, Incoming*)>;

  explicit StreamCall(Channel& channel) : scope_(channel, "stream") {}

  absl::Status Start(const CallOptions& options, Prepare prepare) {
    if (absl::Status entered = scope_.Enter(options, false); !entered.ok()) return entered;
    io_ = prepare(&scope_.context(), &incoming_);
    io_->StartCall(start_.Begin(this->shared_from_this()));
    if (absl::Status waited = scope_.Await(start_); !waited.ok()) return waited;
    return start_.ok() ? absl::OkStatus() : Finish();
  }

  // True: incoming() is the next message. False: the server has ended the stream well.
  absl::StatusOr<bool> Read() {
    if (!reading_) {
      if (ended_) return EndOf(*ended_);
      reading_ = true;
      io_->Read(&incoming_, read_.Begin(this->shared_from_this()));
    }
    if (absl::Status waited = scope_.Await(read_); !waited.ok()) return waited;
    reading_ = false;
    if (read_.ok()) return true;
    return EndOf(Finish());
  }

  template <typename Message>
  absl::Status Write(const Message& message) {
    if (absl::Status before = AwaitWritten(); !before.ok()) return before;
    if (ended_) return HasEnded();
    writing_ = true;
    io_->Write(message, write_.Begin(this->shared_from_this()));
    return AwaitWritten();
  }
  absl::Status WritesDone() {
    if (absl::Status before = AwaitWritten(); !before.ok()) return before;
    if (ended_ || std::exchange(writes_done_, true)) return absl::OkStatus();
    writing_ = true;
    io_->WritesDone(write_.Begin(this->shared_from_this()));
    return AwaitWritten();
  }

  // The status that ended it.
  absl::Status Finish() {
    if (ended_) return *ended_;
    if (!std::exchange(finishing_, true)) {
      io_->Finish(&status_, finish_.Begin(this->shared_from_this()));
    }
    if (absl::Status waited = scope_.Await(finish_); !waited.ok()) return waited;
    // The one that reads and the one that writes may both come here.
    if (!ended_) ended_ = scope_.End(status_);
    return *ended_;
  }

  void Cancel() { scope_.context().TryCancel(); }
  void Drop() { scope_.Abandon(); }
  Incoming& incoming() { return incoming_; }

 private:
  static absl::StatusOr<bool> EndOf(const absl::Status& status) {
    if (status.ok()) return false;
    return status;
  }
  absl::Status HasEnded() const {
    if (!ended_->ok()) return *ended_;
    return absl::FailedPreconditionError("stream: the server has ended it and reads no more");
  }
  absl::Status AwaitWritten() {
    if (!writing_) return absl::OkStatus();
    if (absl::Status waited = scope_.Await(write_); !waited.ok()) return waited;
    writing_ = false;
    if (write_.ok()) return absl::OkStatus();
    if (absl::Status ended = Finish(); !ended.ok()) return ended;
    return HasEnded();
  }

  CallScope scope_;
  Incoming incoming_;
  grpc::Status status_;
  std::unique_ptr<Io> io_;
  Operation start_;
  Operation read_;
  Operation write_;
  Operation finish_;
  bool reading_ = false;  // until its result is told
  bool writing_ = false;
  bool writes_done_ = false;
  bool finishing_ = false;
  std::optional<absl::Status> ended_;
};

// The right to a StreamCall: it ends with its owner.
template <typename Io, typename Incoming>
class OwnedStream {
 public:
  static absl::StatusOr<OwnedStream> Start(Channel& channel, const CallOptions& options,
                                           typename StreamCall<Io, Incoming>::Prepare prepare) {
    OwnedStream stream(std::make_shared<StreamCall<Io, Incoming>>(channel));
    if (absl::Status begun = stream->Start(options, prepare); !begun.ok()) return begun;
    return stream;
  }
  OwnedStream(OwnedStream&&) noexcept = default;
  OwnedStream& operator=(OwnedStream&& other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~OwnedStream() {
    if (call_ != nullptr) call_->Drop();
  }

  StreamCall<Io, Incoming>* operator->() const { return call_.get(); }

 private:
  explicit OwnedStream(std::shared_ptr<StreamCall<Io, Incoming>> call) : call_(std::move(call)) {}

  std::shared_ptr<StreamCall<Io, Incoming>> call_;
};

// The next message; none: the server has ended the stream, and all is well. **Parks.**
template <typename Owned, typename Response>
absl::StatusOr<std::optional<Response>> NextOf(const Owned& stream) {
  const absl::StatusOr<bool> more = stream->Read();
  if (!more.ok()) return more.status();
  if (!*more) return std::optional<Response>();
  return std::optional<Response>(std::move(stream->incoming()));
}

// One request, many answers.
template <typename Response>
class ReadStream {
 public:
  using Owned = OwnedStream<grpc::ClientAsyncReader<Response>, Response>;
  explicit ReadStream(Owned stream) : stream_(std::move(stream)) {}

  // None: the server has ended the stream, and all is well. **Parks.**
  absl::StatusOr<std::optional<Response>> Read() { return NextOf<Owned, Response>(stream_); }
  // Any fiber: what is under way ends with the status kCancelled.
  void Cancel() { stream_->Cancel(); }

 private:
  Owned stream_;
};

// Many requests, one answer.
template <typename Request, typename Response>
class WriteStream {
 public:
  using Owned = OwnedStream<grpc::ClientAsyncWriter<Request>, Response>;
  explicit WriteStream(Owned stream) : stream_(std::move(stream)) {}

  // Until gRPC has room for more. kFailedPrecondition: the server has answered already, and all is
  // well: Finish() has the answer. **Parks.**
  absl::Status Write(const Request& request) { return stream_->Write(request); }
  // No more comes: the server's answer. **Parks.**
  absl::StatusOr<Response> Finish() {
    // That the server no longer reads says its status.
    const absl::Status done = stream_->WritesDone();
    if (absl::IsCancelled(done) || absl::IsDeadlineExceeded(done)) return done;
    if (absl::Status ended = stream_->Finish(); !ended.ok()) return ended;
    return std::move(stream_->incoming());
  }
  void Cancel() { stream_->Cancel(); }

 private:
  Owned stream_;
};

// Many of both.
template <typename Request, typename Response>
class BidiStream {
 public:
  using Owned = OwnedStream<grpc::ClientAsyncReaderWriter<Request, Response>, Response>;
  explicit BidiStream(Owned stream) : stream_(std::move(stream)) {}

  absl::StatusOr<std::optional<Response>> Read() { return NextOf<Owned, Response>(stream_); }
  absl::Status Write(const Request& request) { return stream_->Write(request); }
  // No more comes; answers may. **Parks.**
  absl::Status WritesDone() { return stream_->WritesDone(); }
  void Cancel() { stream_->Cancel(); }

 private:
  Owned stream_;
};

}  // namespace grove::client::rpc

#endif  // GROVE_CLIENT_RPC_STREAM_H_

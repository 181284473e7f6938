// Client's watches: they go on over a restart of the server, from their last token.
#include <grpcpp/grpcpp.h>

#include <utility>

#include "client/client.h"
#include "client/patience.h"
#include "client/stubs.h"

namespace grove::client {
namespace {

// One stream, until it ends or `on_message` has had enough, which is OK.
template <typename Response>
absl::Status Follow(grpc::ClientContext& context, grpc::ClientReader<Response>& stream,
                    const std::function<bool(const Response&)>& on_message) {
  for (Response message; stream.Read(&message);) {
    if (on_message(message)) continue;
    context.TryCancel();
    while (stream.Read(&message)) {
    }
    stream.Finish();
    return absl::OkStatus();
  }
  const grpc::Status status = stream.Finish();
  return status.ok() ? absl::UnavailableError("the server ended the watch") : FromGrpc(status);
}

// `open` begins a stream for the request as it is then.
template <typename Request, typename Response, typename Open>
absl::Status Watch(Request request, const WaitOptions& options, std::atomic<bool>& heard,
                   grpc::Channel& channel, Open open,
                   const std::function<bool(const Response&)>& on_message) {
  Patience patience(options, heard, channel);
  for (;;) {
    grpc::ClientContext context;
    if (options.timeout < absl::InfiniteDuration()) {
      context.set_deadline(
          gpr_time_from_micros(absl::ToInt64Microseconds(patience.Left()), GPR_TIMESPAN));
    }
    const Stop::Call stoppable(options.stop, [&context] { context.TryCancel(); });
    const auto stream = open(context, request);
    const std::function<bool(const Response&)> take = [&](const Response& message) {
      heard.store(true);
      patience.Answered();
      if (!message.resume_token().empty()) request.set_resume_token(message.resume_token());
      return on_message(message);
    };
    const absl::Status ended = Follow<Response>(context, *stream, take);
    if (ended.ok() || (patience.over() && absl::IsDeadlineExceeded(ended))) {
      return absl::OkStatus();
    }
    if (absl::Status excused = patience.Excuse(ended); !excused.ok()) return excused;
  }
}

}  // namespace

absl::Status Client::WatchTasks(
    const v1::WatchTasksRequest& request, const WaitOptions& options,
    const std::function<bool(const v1::WatchTasksResponse&)>& on_message) {
  const auto open = [this](grpc::ClientContext& context, const v1::WatchTasksRequest& asked) {
    stubs_->Authorize(context);
    return stubs_->tasks.WatchTasks(&context, asked);
  };
  return Watch<v1::WatchTasksRequest, v1::WatchTasksResponse>(request, options, stubs_->heard,
                                                              *stubs_->channel, open, on_message);
}

absl::Status Client::WatchQueue(
    const v1::WatchQueueRequest& request, const WaitOptions& options,
    const std::function<bool(const v1::WatchQueueResponse&)>& on_message) {
  const auto open = [this](grpc::ClientContext& context, const v1::WatchQueueRequest& asked) {
    stubs_->Authorize(context);
    return stubs_->queues.WatchQueue(&context, asked);
  };
  return Watch<v1::WatchQueueRequest, v1::WatchQueueResponse>(request, options, stubs_->heard,
                                                              *stubs_->channel, open, on_message);
}

}  // namespace grove::client

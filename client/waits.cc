// Client's waits: they outlast a restart of the server.
//
// A wait changes nothing, so that asking again is always right. What ends without an answer of the
// server (connection closed, refused, silent) is asked again after a pause that grows; what the
// server says is final.

#include <string_view>
#include <utility>

#include "client/client.h"
#include "client/patience.h"
#include "client/status_details.h"
#include "client/stubs.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client {
namespace {

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration result;
  result.set_seconds(absl::ToInt64Seconds(duration));
  const absl::Duration rest = duration - absl::Seconds(result.seconds());
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return result;
}

bool IsOpen(const v1::BatchWaitTasksResponse::Result& result) {
  if (result.has_error()) return false;
  return !result.has_task() || !HasEnded(result.task().state());
}

absl::Status Lost(const absl::Status& status) {
  absl::Status result(status.code(), StrCat(status.message(),
                                            "; the server was restarted meanwhile, and volatile "
                                            "tasks do not outlast that"));
  status.ForEachPayload(
      [&](auto type_url, const absl::Cord& payload) { result.SetPayload(type_url, payload); });
  return result;
}

// After an outage a task that is not there any more was volatile.
absl::Status ExcuseOf(Patience& patience, const absl::Status& failure) {
  const absl::Status status = patience.Excuse(failure);
  return patience.was_out() && absl::IsNotFound(status) ? Lost(status) : status;
}

void MarkLost(v1::BatchWaitTasksResponse::Result& result) {
  if (!result.has_error()) return;
  const absl::Status status = ToAbslStatus(result.error());
  if (absl::IsNotFound(status))
    result.mutable_error()->set_message(std::string(Lost(status).message()));
}

}  // namespace

// Before the first wait, whose answer may be long in coming: whether there is a server at all. What
// it says of the task, the wait will say again.
absl::Status Client::Greet(std::string_view name, Stop* stop) {
  if (stubs_->heard.load()) return absl::OkStatus();
  v1::GetTaskRequest request;
  request.set_name(std::string(name));
  request.set_view(v1::TASK_VIEW_BASIC);
  const absl::Status status =
      stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::GetTask, request, stubs_->timeout, stop)
          .status();
  return stubs_->heard.load() ? absl::OkStatus() : status;
}

absl::StatusOr<v1::Task> Client::Wait(std::string_view name, const WaitOptions& options) {
  if (absl::Status status = Greet(name, options.stop); !status.ok()) return status;
  Patience patience(options, stubs_->heard, *stubs_->channel);
  v1::WaitTaskRequest request;
  request.set_name(std::string(name));
  request.set_view(options.view);
  while (true) {
    const absl::Duration slice = patience.Slice();
    *request.mutable_timeout() = ToProto(slice);
    auto response = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::WaitTask, request,
                                 slice + stubs_->timeout, options.stop);
    if (!response.ok()) {
      absl::Status status = ExcuseOf(patience, response.status());
      if (!status.ok()) return status;
      continue;
    }
    patience.Answered();
    if (HasEnded(response->task().state()) || patience.over()) {
      return std::move(*response->mutable_task());
    }
    if (options.on_look) options.on_look(response->task());
  }
}

namespace {

// The names that are still to end, asked for in the pages that the server makes of them.
class Round {
 public:
  Round(const std::vector<std::string>& names, std::vector<int> open, v1::TaskView view)
      : open_(std::move(open)) {
    request_.set_view(view);
    for (const int index : open_) request_.add_names(names[index]);
  }

  bool complete() const { return answered_ == open_.size(); }
  v1::BatchWaitTasksRequest& request() { return request_; }

  // Takes a page's results into their places in `all`.
  absl::Status Take(v1::BatchWaitTasksResponse& page, bool after_outage,
                    v1::BatchWaitTasksResponse& all) {
    const auto count = static_cast<size_t>(page.results_size());
    const bool last = page.next_page_token().empty();
    const size_t left = open_.size() - answered_;
    if (count == 0 || count > left || (last && count < left)) {
      return absl::InternalError("the server did not answer for every task of a batch");
    }
    for (auto& result : *page.mutable_results()) {
      const int index = open_[answered_++];
      if (IsOpen(result)) still_open_.push_back(index);
      if (after_outage) MarkLost(result);
      all.mutable_results(index)->Swap(&result);
    }
    request_.set_page_token(page.next_page_token());
    return absl::OkStatus();
  }

  // Those of the next round.
  std::vector<int> Rest() {
    still_open_.insert(still_open_.end(), open_.begin() + static_cast<std::ptrdiff_t>(answered_),
                       open_.end());
    return std::move(still_open_);
  }

 private:
  const std::vector<int> open_;
  v1::BatchWaitTasksRequest request_;
  size_t answered_ = 0;
  std::vector<int> still_open_;
};

}  // namespace

absl::StatusOr<v1::BatchWaitTasksResponse> Client::WaitBatch(const std::vector<std::string>& names,
                                                             const WaitOptions& options) {
  if (!names.empty()) {
    if (absl::Status status = Greet(names.front(), options.stop); !status.ok()) return status;
  }
  Patience patience(options, stubs_->heard, *stubs_->channel);
  v1::BatchWaitTasksResponse all;
  std::vector<int> open;
  for (size_t i = 0; i < names.size(); ++i) {
    all.add_results();
    open.push_back(static_cast<int>(i));
  }
  while (!open.empty()) {
    Round round(names, std::move(open), options.view);
    while (!round.complete()) {
      const absl::Duration slice = patience.Slice();
      *round.request().mutable_timeout() = ToProto(slice);
      auto page = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::BatchWaitTasks,
                               round.request(), slice + stubs_->timeout, options.stop);
      if (!page.ok()) {
        absl::Status status = ExcuseOf(patience, page.status());
        if (!status.ok()) return status;
        // A page token is worth nothing to a server that was started anew.
        break;
      }
      patience.Answered();
      absl::Status status = round.Take(*page, patience.was_out(), all);
      if (!status.ok()) return status;
    }
    const bool complete = round.complete();
    open = round.Rest();
    if (options.on_count) options.on_count(names.size() - open.size(), names.size());
    if (complete && patience.over()) break;
  }
  return all;
}

}  // namespace grove::client

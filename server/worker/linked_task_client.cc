// A call is opened on the stack of the fiber that waits for its answer, and closed when that comes
// or the fiber goes on without it: no answer finds a call whose fiber is gone, since calls_ knows
// it no longer.
#include "server/worker/linked_task_client.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/trace/span.h"
#include "server/worker/task_spec_of.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

using internal::v1::InsideRefusal;
using internal::v1::InsideSpawned;
using internal::v1::InsideWaited;

// Above what control lets pass, so that it says what is wrong.
constexpr size_t kTextBytesMax = 1024;
// Of a spawn, beside its input and labels.
constexpr size_t kSpawnBytes = 256 + kTracestateBytesMax;
// Below what a frame may have, with all else that may be in it.
constexpr size_t kOneCallBytesMax = size_t{40} << 20;
constexpr std::string_view kDefaultTenant = "default";

std::string Text(std::string_view text) {
  return Utf8Text(text, kTextBytesMax);
}

// Invariant: who asks is the fiber's label, and nothing else.
void FillCaller(bool with_task, internal::v1::InsideCaller* caller) {
  const FiberLabel* const label = Hub::Current()->running()->label();
  const bool has_tenant = label != nullptr && !label->tenant.empty();
  caller->set_tenant(has_tenant ? label->tenant : std::string(kDefaultTenant));
  if (with_task && label != nullptr) caller->set_task(label->task);
}

// What the code that spawns is part of.
void FillTrace(v1::TaskSpec* spec) {
  const CurrentTrace* const trace = CurrentTrace::Find();
  if (trace == nullptr) return;
  spec->set_traceparent(FormatTraceparent(trace->context));
  if (trace->context.state != nullptr) spec->set_tracestate(*trace->context.state);
}

size_t BytesOf(const SpawnRequest& request) {
  size_t bytes = kSpawnBytes + request.input.size();
  for (const auto& [key, value] : request.labels) bytes += key.size() + value.size();
  for (const std::string& task : request.after) bytes += task.size();
  return bytes;
}

absl::Status ToStatus(const InsideRefusal& refusal) {
  return WithReason(
      absl::Status(static_cast<absl::StatusCode>(refusal.code()), Abseil(refusal.message())),
      refusal.reason(), absl::Milliseconds(refusal.retry_after_ms()));
}

TaskEnd EndOf(v1::TaskState state) {
  switch (state) {
    case v1::TASK_STATE_SUCCEEDED:
      return TaskEnd::kSucceeded;
    case v1::TASK_STATE_CANCELLED:
      return TaskEnd::kCancelled;
    case v1::TASK_STATE_TIMED_OUT:
      return TaskEnd::kTimedOut;
    default:
      return TaskEnd::kFailed;
  }
}

absl::StatusOr<TaskResult> ToResult(InsideWaited answer) {
  if (answer.has_refusal()) return ToStatus(answer.refusal());
  TaskResult result;
  result.end = EndOf(answer.state());
  if (result.end != TaskEnd::kSucceeded) {
    result.status = absl::Status(static_cast<absl::StatusCode>(answer.error().code()),
                                 Abseil(answer.error().message()));
    // One that does not say why has failed all the same.
    if (result.status.ok()) result.status = absl::UnknownError("the task has no error");
  }
  result.output = std::move(*answer.mutable_output());
  result.content_type = std::move(*answer.mutable_output_content_type());
  result.output_payload = std::move(*answer.mutable_output_payload());
  return result;
}

}  // namespace

// Calls whose fiber waits for all of them.
struct LinkedTaskClient::Turn {
  explicit Turn(LinkedTaskClient& client) : client(client) {}
  ~Turn();
  Call& Add();

  LinkedTaskClient& client;
  std::vector<std::unique_ptr<Call>> calls;
  size_t missing = 0;
  Event done;
};

struct LinkedTaskClient::Call {
  explicit Call(Turn& turn) : turn(turn) {}

  Turn& turn;
  // 0: it is not open.
  uint64_t id = 0;
  size_t bytes = 0;
  bool sent = false;
  // What is asked: one of the two.
  std::optional<internal::v1::InsideSpawn> spawn;
  std::optional<internal::v1::InsideWait> wait;
  std::optional<InsideSpawned> spawned;
  std::optional<InsideWaited> waited;
  // Why it was not taken up.
  absl::Status refused;
};

LinkedTaskClient::Turn::~Turn() {
  for (const auto& call : calls) client.Close(*call);
}

LinkedTaskClient::Call& LinkedTaskClient::Turn::Add() {
  return *calls.emplace_back(std::make_unique<Call>(*this));
}

LinkedTaskClient::~LinkedTaskClient() {
  GROVE_CHECK(calls_.empty(), "a call from inside outlives its worker");
}

void LinkedTaskClient::Attach(uint64_t incarnation, Event& news) {
  incarnation_ = incarnation;
  news_ = &news;
}

absl::Status LinkedTaskClient::Open(Call& call, size_t bytes) {
  if (bytes > kOneCallBytesMax) {
    // Its frame would be refused, and each that repeats it.
    return WithReason(
        absl::InvalidArgumentError(
            absl::StrCat("the spawn has ", bytes, " bytes; at most ", kOneCallBytesMax, " travel")),
        "INPUT_TOO_LARGE");
  }
  if (calls_.size() >= kInsideCallsMax || bytes_ + bytes > kInsideBytesMax) {
    return WithReason(absl::ResourceExhaustedError(
                          absl::StrCat("this worker's code waits for ", calls_.size(),
                                       " answers about tasks, with ", bytes_, " bytes of inputs")),
                      "TOO_MANY_INSIDE", absl::Seconds(1));
  }
  call.id = next_id_++;
  call.bytes = bytes;
  bytes_ += bytes;
  ++call.turn.missing;
  calls_.emplace_hint(calls_.end(), call.id, &call);
  unsent_.push_back(call.id);
  if (linked_) news_->Set();
  return absl::OkStatus();
}

void LinkedTaskClient::Close(Call& call) {
  if (call.id == 0) return;
  calls_.erase(call.id);
  bytes_ -= call.bytes;
  if (call.wait && call.sent && !call.waited && linked_) {
    forgotten_.push_back(call.id);
    news_->Set();
  }
  call.id = 0;
  if (--call.turn.missing == 0) call.turn.done.Set();
}

LinkedTaskClient::Call* LinkedTaskClient::Find(uint64_t id) const {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : found->second;
}

absl::StatusOr<std::string> LinkedTaskClient::Spawn(SpawnRequest request) {
  std::vector<SpawnRequest> requests;
  requests.push_back(std::move(request));
  return std::move(SpawnAll(std::move(requests)).front());
}

std::vector<absl::StatusOr<std::string>> LinkedTaskClient::SpawnAll(
    std::vector<SpawnRequest> requests) {
  std::vector<absl::StatusOr<std::string>> results;
  results.reserve(requests.size());
  for (size_t next = 0; next < requests.size();) SpawnSome(requests, next, results);
  return results;
}

void LinkedTaskClient::SpawnSome(std::vector<SpawnRequest>& requests, size_t& next,
                                 std::vector<absl::StatusOr<std::string>>& results) {
  Turn turn(*this);
  size_t bytes = 0;
  while (next < requests.size() && turn.calls.size() < kInsidePerFrameMax &&
         bytes < kInsidePerFrameBytesMax) {
    SpawnRequest& request = requests[next++];
    Call& call = turn.Add();
    const size_t own = BytesOf(request);
    bytes += own;
    call.refused = Open(call, own);
    if (!call.refused.ok()) continue;
    internal::v1::InsideSpawn& ask = call.spawn.emplace();
    ask.set_id(call.id);
    ask.set_child(request.child);
    FillCaller(/*with_task=*/true, ask.mutable_caller());
    v1::TaskSpec& spec = *ask.mutable_spec();
    FillTaskSpec(std::move(request), &spec);
    if (spec.request_id().empty()) {
      spec.set_request_id(absl::StrFormat("inside-%016x-%x", incarnation_, call.id));
    }
    FillTrace(&spec);
  }
  Timeout timeout(kInsideAnswerMax);
  const absl::Status woken = turn.missing == 0 ? absl::OkStatus() : turn.done.Wait();
  for (const auto& call : turn.calls) {
    if (!call->refused.ok()) {
      results.emplace_back(call->refused);
    } else if (!call->spawned) {
      results.emplace_back(SpawnUnanswered(woken, timeout.fired()));
    } else if (call->spawned->has_refusal()) {
      results.emplace_back(ToStatus(call->spawned->refusal()));
    } else {
      results.emplace_back(std::move(*call->spawned->mutable_name()));
    }
  }
}

absl::Status LinkedTaskClient::SpawnUnanswered(const absl::Status& woken, bool over) const {
  if (absl::IsCancelled(woken)) return woken;
  const absl::StatusCode code =
      over ? absl::StatusCode::kUnavailable : absl::StatusCode::kDeadlineExceeded;
  if (linked_) {
    return WithReason(absl::Status(code, "control has not answered; the task may run"),
                      "NO_ANSWER");
  }
  return WithReason(absl::Status(code, "there is no link to control; the task may run"),
                    "CONTROL_AWAY");
}

absl::StatusOr<TaskResult> LinkedTaskClient::Wait(std::string_view task, absl::Duration timeout) {
  Turn turn(*this);
  Call& call = turn.Add();
  if (absl::Status opened = Open(call, task.size()); !opened.ok()) return opened;
  internal::v1::InsideWait& ask = call.wait.emplace();
  ask.set_id(call.id);
  ask.set_task(Text(task));
  FillCaller(/*with_task=*/false, ask.mutable_caller());
  Timeout bound(timeout);
  const absl::Status woken = turn.done.Wait();
  if (call.waited) return ToResult(*std::move(call.waited));
  return WaitUnanswered(woken);
}

absl::Status LinkedTaskClient::WaitUnanswered(const absl::Status& woken) const {
  if (absl::IsCancelled(woken)) return woken;
  if (!linked_) {
    return WithReason(absl::DeadlineExceededError("there is no link to control"), "CONTROL_AWAY");
  }
  return WithReason(absl::DeadlineExceededError("the task has not ended"), "WAIT_OVER");
}

void LinkedTaskClient::LinkUp() {
  linked_ = true;
  unsent_.clear();
  forgotten_.clear();
  for (const auto& [id, call] : calls_) {
    call->sent = false;
    unsent_.push_back(id);
  }
  if (has_news()) news_->Set();
}

bool LinkedTaskClient::TakeNews(internal::v1::WorkerFrame& frame) {
  bool any = !forgotten_.empty();
  for (const uint64_t id : std::exchange(forgotten_, {})) frame.add_inside_forgotten(id);
  size_t bytes = 0;
  for (int taken = 0; taken < kInsidePerFrameMax && bytes < kInsidePerFrameBytesMax;) {
    if (unsent_.empty()) break;
    Call* const call = Find(unsent_.front());
    unsent_.pop_front();
    if (call == nullptr) continue;
    // They stay here too: another control may have to be asked.
    if (call->spawn) *frame.add_inside_spawns() = *call->spawn;
    if (call->wait) *frame.add_inside_waits() = *call->wait;
    call->sent = true;
    bytes += call->bytes;
    ++taken;
    any = true;
  }
  return any;
}

void LinkedTaskClient::TakeAnswers(internal::v1::ControlFrame& frame) {
  for (InsideSpawned& answer : *frame.mutable_inside_spawned()) {
    Call* const call = Find(answer.id());
    if (call == nullptr || !call->spawn) continue;
    call->spawned = std::move(answer);
    Close(*call);
  }
  for (InsideWaited& answer : *frame.mutable_inside_waited()) {
    Call* const call = Find(answer.id());
    if (call == nullptr || !call->wait) continue;
    call->waited = std::move(answer);
    Close(*call);
  }
}

}  // namespace grove::worker

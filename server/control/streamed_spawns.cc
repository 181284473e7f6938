#include "server/control/streamed_spawns.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/fiber.h"
#include "server/control/audience.h"
#include "server/control/rpc_status.h"
#include "server/control/scope_check.h"
#include "server/control/slices.h"
#include "server/control/task_calls.h"
#include "server/tasks/refusal.h"

namespace grove::control {

StreamedSpawns::StreamedSpawns(Hub& hub, EngineDriver& driver, tenancy::PrincipalPtr caller,
                               Gate gate, Answer answer)
    : hub_(hub),
      driver_(driver),
      caller_(std::move(caller)),
      gate_(std::move(gate)),
      answer_(std::move(answer)) {}

StreamedSpawns::~StreamedSpawns() {
  hub_.timers().Cancel(timer_);
}

void StreamedSpawns::Take(v1::SpawnTasksRequest request, int64_t bytes) {
  if (ended_) return;
  taken_.push_back({std::move(request), bytes});
  arrived_.Set();
}

void StreamedSpawns::Run() {
  while (!ended_) {
    if (taken_.empty()) {
      arrived_.Reset();
      if (!arrived_.Wait().ok()) return;
      since_ = hub_.ReadClock();
      continue;
    }
    Taken taken = std::move(taken_.front());
    // Before the parking below: idle() must not see a message in neither list.
    answering_.emplace_back();
    taken_.pop_front();
    Admit(std::move(taken));
  }
}

void StreamedSpawns::End() {
  ended_ = true;
  taken_.clear();
  hub_.timers().Cancel(timer_);
  arrived_.Set();
}

absl::Status StreamedSpawns::CheckMessage(v1::SpawnTasksRequest& request) {
  // What the client is to send to the next control.
  if (driver_.draining()) return EngineDriver::DrainingStatus();
  if (absl::Status shut = gate_(); !shut.ok()) return shut;
  if (request.specs_size() > kBatchMax) {
    return tasks::BadField(
        "specs", "BATCH_TOO_LARGE",
        absl::StrCat("has ", request.specs_size(), " entries; at most ", kBatchMax));
  }
  return CheckText(RuleOf("TaskService/SpawnTasks", "parent"), *caller_, *request.mutable_parent());
}

void StreamedSpawns::Admit(Taken taken) {
  Answering& answering = answering_.back();
  v1::SpawnTasksResponse& response = answering.answered.response;
  answering.answered.specs = taken.request.specs_size();
  answering.answered.bytes = taken.bytes;
  response.set_sequence(taken.request.sequence());
  const absl::Status refused = CheckMessage(taken.request);
  answering.answered.refused = refused;
  answering.answered.parent = taken.request.parent();
  if (!refused.ok()) {
    *response.mutable_error() = ToRpcStatus(ForAudience(*caller_, refused));
  } else {
    response.mutable_results()->Reserve(taken.request.specs_size());
    for (v1::TaskSpec& spec : *taken.request.mutable_specs()) {
      Fill(std::move(spec), answering.answered.parent, answering);
      if (!Pause()) return;
    }
  }
  answering.complete = true;
  answering.answer_by = DeadlineAfter(hub_.ReadClock(), kStoreWaitMax);
  AnswerFirst();
}

void StreamedSpawns::Fill(v1::TaskSpec spec, const std::string& parent, Answering& answering) {
  v1::BatchSpawnTasksResponse::Result& result = *answering.answered.response.add_results();
  const absl::Status seen =
      CheckName(RuleOf("TaskService/SpawnTasks", "specs.queue"), *caller_, spec.queue());
  absl::StatusOr<tasks::Spawned> spawned =
      seen.ok() ? driver_.Spawn(parent, std::move(spec)) : seen;
  if (!spawned.ok()) {
    *result.mutable_error() = ToRpcStatus(ForAudience(*caller_, spawned.status()));
    return;
  }
  result.set_name(std::move(spawned->name));
  result.set_attached(spawned->attached);
  // Also of one that was there before: its write was earlier.
  if (!spawned->acknowledged) answering.ticket = driver_.engine().last_ticket();
}

bool StreamedSpawns::Pause() {
  if (hub_.ReadClock() - since_ >= absl::ToInt64Nanoseconds(kSliceMax)) {
    Yield();
    since_ = hub_.ReadClock();
  }
  return !ended_;
}

void StreamedSpawns::AfterRound() {
  if (!ended_) AnswerFirst();
}

void StreamedSpawns::AnswerFirst() {
  hub_.timers().Cancel(timer_);
  while (!ended_ && !answering_.empty() && answering_.front().complete) {
    Answering& first = answering_.front();
    const bool safe = first.ticket == 0 || driver_.engine().IsOnDisk(first.ticket);
    if (!safe && hub_.ReadClock() < first.answer_by) {
      hub_.timers().Arm(timer_, first.answer_by);
      return;
    }
    if (!safe) {
      first.answered.refused = SpawnNotOnDisk();
      first.answered.response.clear_results();
      *first.answered.response.mutable_error() = ToRpcStatus(first.answered.refused);
    }
    AnsweredSpawns answered = std::move(first.answered);
    answering_.pop_front();
    answer_(std::move(answered));
  }
}

void StreamedSpawns::Expire(Timer& timer) {
  static_cast<DiskTimer&>(timer).owner.AnswerFirst();
}

}  // namespace grove::control

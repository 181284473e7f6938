#include "server/control/fiber_reading.h"

#include <optional>
#include <string_view>
#include <utility>

#include "proto/well_known_times.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::control {
namespace {

// Protobuf takes UTF-8 alone, and what was read half changed may be anything.
std::string Ascii(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

v1::Fiber::State ToProto(FiberState state) {
  switch (state) {
    case FiberState::kRunnable:
      return v1::Fiber::STATE_RUNNABLE;
    case FiberState::kRunning:
      return v1::Fiber::STATE_RUNNING;
    case FiberState::kParked:
      return v1::Fiber::STATE_PARKED;
    case FiberState::kEnded:
      break;
  }
  return v1::Fiber::STATE_UNSPECIFIED;
}

void FillFiber(int worker, const OutsideFiber& fiber, MonotonicNanos now, v1::Fiber& row) {
  row.set_name(StrCat("workers/", worker, "/fibers/", fiber.id));
  row.set_display_name(Ascii(fiber.name));
  row.set_state(ToProto(fiber.state));
  row.set_waiting_for(fiber.waiting_for);
  proto::SetMicros((now - fiber.spawned_at) / 1000, row.mutable_age());
  row.set_switches(static_cast<int64_t>(fiber.switches));
  row.set_spawn_site(Ascii(fiber.spawn_site));
  row.set_tenant(Ascii(fiber.tenant));
  row.set_task(Ascii(fiber.task));
  row.set_group(Ascii(fiber.group));
  row.set_stack_bytes(static_cast<int64_t>(fiber.stack_bytes));
  for (const std::string& frame : fiber.stack) row.add_stack(Ascii(frame));
}

}  // namespace

std::string WhyNotAsked(const metrics::Scoreboard& scoreboard, const WorkerLinks& links, int worker,
                        MonotonicNanos now) {
  const metrics::WorkerSlot& slot = scoreboard.slot(worker);
  if (scoreboard.IsStuck(slot, now)) {
    return StrCat("its hub has not turned for ",
                  (now - slot.last_turn_ns.load(std::memory_order_relaxed)) / 1'000'000'000, " s");
  }
  const WorkerLink* link = links.Find(worker);
  return link == nullptr || !link->linked() ? "it is not linked to control" : "";
}

std::vector<FiberReading::Answer> FiberReading::Read(const std::vector<Ask>& asks) {
  std::vector<std::shared_ptr<FiberQuery>> queries;
  std::vector<std::string> why;
  for (const Ask& ask : asks) {
    why.push_back(WhyNotAsked(scoreboard_, links_, ask.worker, hub_.ReadClock()));
    queries.push_back(why.back().empty()
                          ? links_.Find(ask.worker)->QueryFibers(ask.after, ask.limit, ask.stacks)
                          : nullptr);
    if (why.back().empty()) {
      why.back() = queries.back() == nullptr ? "too many ask for its fibers"
                                             : StrCat("its hub has not answered for ",
                                                      absl::ToInt64Seconds(kFibersTimeout), " s");
    }
  }
  {
    Timeout timeout(kFibersTimeout);
    for (const auto& query : queries) {
      // After the time-out, answers that are there still count.
      if (query != nullptr) query->done.Wait().IgnoreError();
    }
  }
  std::vector<Answer> answers;
  for (size_t i = 0; i < asks.size(); ++i) {
    if (queries[i] != nullptr && queries[i]->reply != nullptr) {
      answers.push_back({std::move(queries[i]->reply), "hub"});
      continue;
    }
    // The link may have gone meanwhile, and its queries with it.
    WorkerLink* const link = links_.Find(asks[i].worker);
    if (queries[i] != nullptr && link != nullptr) link->ForgetQuery(*queries[i]);
    answers.push_back(ReadOutside(asks[i], why[i]));
  }
  return answers;
}

FiberReading::Answer FiberReading::ReadOutside(const Ask& ask, const std::string& why) {
  const auto pid = static_cast<pid_t>(scoreboard_.slot(ask.worker).pid.load());
  if (pid <= 0) return {nullptr, "it has no process"};
  std::optional<absl::StatusOr<OutsideFibers>> read;
  const absl::Status ran = offload_.Run([&] {
    read = outside_.Read(pid, ask.after, static_cast<size_t>(ask.limit),
                         ask.stacks == WorkerLink::Stacks::kYes ? OutsideReader::Stacks::kYes
                                                                : OutsideReader::Stacks::kNo);
  });
  if (!ran.ok()) return {nullptr, std::string(ran.message())};
  if (!read->ok()) return {nullptr, StrCat(why, "; ", read->status().message())};
  Answer answer{std::make_unique<internal::v1::ListFibersReply>(), StrCat("from outside: ", why)};
  for (const OutsideFiber& fiber : (*read)->fibers) {
    FillFiber(ask.worker, fiber, hub_.ReadClock(), *answer.reply->add_fibers());
  }
  answer.reply->set_more((*read)->more);
  return answer;
}

}  // namespace grove::control

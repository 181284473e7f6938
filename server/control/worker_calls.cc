#include "server/control/worker_calls.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "proto/well_known_times.h"
#include "runtime/hub/fiber.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/gateway_frames.h"
#include "server/control/page_token.h"
#include "server/metrics/process_numbers.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

std::string WorkerName(int worker) {
  return StrCat("workers/", worker);
}

v1::Worker::State ToProto(metrics::SlotState state) {
  switch (state) {
    case metrics::SlotState::kEmpty:
    case metrics::SlotState::kDown:
      return v1::Worker::STATE_DOWN;
    case metrics::SlotState::kStarting:
      return v1::Worker::STATE_STARTING;
    case metrics::SlotState::kReady:
      return v1::Worker::STATE_READY;
    case metrics::SlotState::kDraining:
      return v1::Worker::STATE_DRAINING;
  }
  return v1::Worker::STATE_UNSPECIFIED;
}

uint64_t HttpRequests(const metrics::WorkerSlot& slot) {
  uint64_t total = 0;
  for (int code = 0; code < metrics::WorkerCounters::kHttpCodes; ++code) {
    total += slot.base.http_responses[code].load(std::memory_order_relaxed) +
             slot.live.http_responses[code].load(std::memory_order_relaxed);
  }
  return total;
}

bool HasWorker(const metrics::Scoreboard& scoreboard, int worker) {
  return worker < scoreboard.workers() &&
         scoreboard.slot(worker).state.load() != metrics::SlotState::kEmpty;
}

struct FiberName {
  int worker;
  uint64_t id;
};

absl::StatusOr<FiberName> ParseFiberName(std::string_view name,
                                         const metrics::Scoreboard& scoreboard) {
  constexpr std::string_view kFibers = "/fibers/";
  const size_t at = name.find(kFibers);
  uint64_t id = 0;
  if (at == name.npos || !SimpleAtoi(name.substr(at + kFibers.size()), &id) || id == 0) {
    return tasks::BadField(
        "name", "FIBER_NAME_INVALID",
        StrCat("is '", tasks::Cut(name), "'; a fiber's name is \"workers/0/fibers/17\""));
  }
  absl::StatusOr<int> worker = ParseWorkerName("name", name.substr(0, at), scoreboard);
  if (!worker.ok()) return worker.status();
  return FiberName{*worker, id};
}

// As its worker named it.
uint64_t IdOf(const v1::Fiber& fiber) {
  const std::string_view name = fiber.name();
  uint64_t id = 0;
  return SimpleAtoi(name.substr(name.rfind('/') + 1), &id) ? id : 0;
}

void DescribeExits(const metrics::Exits& exits, v1::Worker& view) {
  for (size_t reason = 0; reason < exits.counts.size(); ++reason) {
    const auto count = static_cast<int64_t>(exits.counts[reason].load());
    if (count > 0) (*view.mutable_exits())[std::string(metrics::kExitReasonNames[reason])] = count;
  }
  const WallMicros last = exits.last_time_us.load();
  if (last == 0) return;
  view.set_last_exit(exits.LastText());
  proto::SetMicros(last, view.mutable_last_exit_time());
}

// Of one worker, how many lists are read for a tenant's page: most fibers may be others'.
constexpr int kListsMax = 20;

// What fits of one worker's answer; what does not is the next page's start.
void AppendFibers(int worker, std::string_view list, uint64_t after, int32_t size_max,
                  internal::v1::ListFibersReply& reply, v1::ListFibersResponse& response) {
  if (!response.next_page_token().empty()) return;
  const int taken = std::min(reply.fibers_size(), size_max - response.fibers_size());
  if (taken > 0) after = IdOf(reply.fibers(taken - 1));
  for (int i = 0; i < taken; ++i) *response.add_fibers() = std::move(*reply.mutable_fibers(i));
  if (taken == reply.fibers_size() && !reply.more()) return;
  response.set_next_page_token(EncodePageToken(list, {static_cast<uint32_t>(worker), after}));
}

}  // namespace

absl::StatusOr<int> ParseWorkerName(std::string_view field, std::string_view name,
                                    const metrics::Scoreboard& scoreboard) {
  std::string_view number = name;
  int worker = -1;
  if (!ConsumePrefix(&number, "workers/") || !SimpleAtoi(number, &worker) || worker < 0 ||
      StrCat(worker) != number) {
    return tasks::BadField(field, "WORKER_NAME_INVALID",
                           StrCat("is '", tasks::Cut(name), "'; a worker's name is \"workers/0\""));
  }
  if (!HasWorker(scoreboard, worker)) {
    int last = scoreboard.workers() - 1;
    while (last > 0 && !HasWorker(scoreboard, last)) --last;
    return tasks::Refusal(absl::StatusCode::kNotFound, "WORKER_NOT_FOUND",
                          StrCat("no ", name, "; the last one is ", WorkerName(last)));
  }
  return worker;
}

v1::Worker WorkerCalls::Describe(int worker) const {
  const metrics::WorkerSlot& slot = scoreboard_.slot(worker);
  v1::Worker view;
  view.set_name(WorkerName(worker));
  const bool stuck = scoreboard_.IsStuck(worker, hub_.ReadClock());
  view.set_state(stuck ? v1::Worker::STATE_STUCK : ToProto(slot.state.load()));
  const bool lives = view.state() != v1::Worker::STATE_DOWN;
  view.set_pid(slot.pid.load());
  view.set_generation(static_cast<int64_t>(slot.generation.load()));
  DescribeExits(slot.exits, view);
  view.set_quick_deaths(slot.quick_deaths.load(std::memory_order_relaxed));
  const MonotonicNanos delay = slot.due_ns.load(std::memory_order_relaxed) - hub_.ReadClock();
  if (delay > 0) proto::SetMicros(delay / 1000, view.mutable_restart_delay());
  view.set_config_generation(slot.config_generation.load(std::memory_order_relaxed));
  proto::SetMicros(slot.start_time_us.load(), view.mutable_start_time());
  view.set_fibers(slot.fibers.load());
  view.set_tasks_running(slot.attempts_running.load());
  view.set_http_connections(slot.http_connections_open.load());
  view.set_http_requests_total(static_cast<int64_t>(HttpRequests(slot)));
  view.set_hub_turns_total(
      static_cast<int64_t>(metrics::Scoreboard::Total(slot, &metrics::WorkerCounters::hub_turns)));
  const int64_t last_turn = slot.last_turn_ns.load();
  if (lives && last_turn != 0) {
    view.set_hub_idle_seconds(std::max(0.0, (hub_.ReadClock() - last_turn) / 1e9));
  }
  if (lives) view.set_rss_bytes(metrics::ResidentBytes(view.pid()));
  view.set_linked(links_.linked(worker));
  return view;
}

absl::Status WorkerCalls::ListWorkers(const v1::ListWorkersRequest& request,
                                      v1::ListWorkersResponse& response) const {
  absl::StatusOr<int32_t> size =
      PageSize(request.page_size(), kWorkersPageDefault, kWorkersPageMax);
  if (!size.ok()) return size.status();
  absl::StatusOr<PagePosition> start = DecodePageToken("ListWorkers", request.page_token());
  if (!start.ok()) return start.status();
  int worker = static_cast<int>(start->worker);
  for (; worker < scoreboard_.workers() && response.workers_size() < *size; ++worker) {
    if (HasWorker(scoreboard_, worker)) *response.add_workers() = Describe(worker);
  }
  while (worker < scoreboard_.workers() && !HasWorker(scoreboard_, worker)) ++worker;
  if (worker >= scoreboard_.workers()) worker = AddGateway(worker, *size, response);
  if (worker >= 0) {
    response.set_next_page_token(
        EncodePageToken("ListWorkers", {static_cast<uint32_t>(worker), 0}));
  }
  return absl::OkStatus();
}

// From the number `from` on; where the next page begins, or -1.
int WorkerCalls::AddGateway(int from, int size, v1::ListWorkersResponse& response) const {
  if (!gateway_) return -1;
  for (v1::Worker& worker : gateway_()) {
    const int number = WorkerNumber(worker.name()).value_or(0);
    if (number < from) continue;
    if (response.workers_size() == size) return number;
    *response.add_workers() = std::move(worker);
  }
  return -1;
}

void WorkerCalls::ListFibers(const CallPtr& call, const v1::ListFibersRequest& request,
                             v1::ListFibersResponse& response) const {
  // A client that goes away finishes the call under the fiber: it works on copies.
  absl::StatusOr<FiberHandle> fiber =
      Spawn("list-fibers", [this, call, request, &response]() -> void {
        v1::ListFibersResponse collected;
        absl::Status status = CollectFibers(request, call->principal(), collected);
        if (!call->finished() && status.ok()) response = std::move(collected);
        call->Finish(status);
      });
  if (!fiber.ok()) call->Finish(fiber.status());
}

void WorkerCalls::GetFiber(const CallPtr& call, const v1::GetFiberRequest& request,
                           v1::Fiber& response) const {
  absl::StatusOr<FiberHandle> fiber =
      Spawn("get-fiber", [this, call, request, &response]() -> void {
        v1::Fiber found;
        absl::Status status = FindFiber(request, call->principal(), found);
        if (!call->finished() && status.ok()) response = std::move(found);
        call->Finish(status);
      });
  if (!fiber.ok()) call->Finish(fiber.status());
}

absl::Status WorkerCalls::FindFiber(const v1::GetFiberRequest& request,
                                    const tenancy::Principal& caller, v1::Fiber& response) const {
  absl::StatusOr<FiberName> name = ParseFiberName(request.name(), scoreboard_);
  if (!name.ok()) return name.status();
  std::vector<FiberReading::Answer> answers = fibers_.Read({{.worker = name->worker,
                                                             .after = name->id - 1,
                                                             .limit = 1,
                                                             .stacks = WorkerLink::Stacks::kYes}});
  internal::v1::ListFibersReply* const reply = answers[0].reply.get();
  if (reply == nullptr) {
    return tasks::Refusal(absl::StatusCode::kUnavailable, "WORKER_UNREACHABLE",
                          StrCat(WorkerName(name->worker), " does not answer: ", answers[0].how));
  }
  if (reply->fibers_size() == 0 || IdOf(reply->fibers(0)) != name->id ||
      !caller.Sees(reply->fibers(0).tenant())) {
    return tasks::Refusal(
        absl::StatusCode::kNotFound, "FIBER_NOT_FOUND",
        StrCat("no ", tasks::Cut(request.name()), ": it has ended, or never was"));
  }
  response = std::move(*reply->mutable_fibers(0));
  return absl::OkStatus();
}

// What one call lists.
struct WorkerCalls::FiberPage {
  std::string list;
  int first = 0;  // worker
  int end = 0;
  uint64_t after = 0;  // a fiber of the first worker
  int32_t size_max = 0;
  WorkerLink::Stacks stacks = WorkerLink::Stacks::kNo;

  FiberReading::Ask AskOf(int worker) const {
    return {worker, worker == first ? after : 0, size_max, stacks};
  }
};

absl::Status WorkerCalls::CollectFibers(const v1::ListFibersRequest& request,
                                        const tenancy::Principal& caller,
                                        v1::ListFibersResponse& response) const {
  const bool all = request.parent().empty() || request.parent() == "workers/-";
  const bool full = request.view() == v1::FIBER_VIEW_FULL;
  FiberPage page;
  page.list = StrCat("ListFibers ", all ? std::string_view("workers/-") : request.parent());
  if (!caller.is_operator()) page.list += StrCat(" ", caller.tenant);
  if (full) page.stacks = WorkerLink::Stacks::kYes;
  absl::StatusOr<int32_t> size =
      PageSize(request.page_size(), full ? kStacksPageMax : kFibersPageDefault,
               full ? kStacksPageMax : kFibersPageMax);
  if (!size.ok()) return size.status();
  page.size_max = *size;
  absl::StatusOr<PagePosition> start = DecodePageToken(page.list, request.page_token());
  if (!start.ok()) return start.status();
  page.first = static_cast<int>(start->worker);
  page.after = start->after;
  page.end = scoreboard_.workers();
  if (!all) {
    absl::StatusOr<int> worker = ParseWorkerName("parent", request.parent(), scoreboard_);
    if (!worker.ok()) return worker.status();
    if (page.first != *worker) page.after = 0;
    page.first = *worker;
    page.end = page.first + 1;
  }
  if (caller.is_operator()) {
    CollectAll(page, response);
  } else {
    CollectOwn(page, caller.tenant, response);
  }
  return absl::OkStatus();
}

void WorkerCalls::CollectAll(const FiberPage& page, v1::ListFibersResponse& response) const {
  std::vector<FiberReading::Ask> asks;
  for (int worker = page.first; worker < page.end; ++worker) {
    if (HasWorker(scoreboard_, worker)) asks.push_back(page.AskOf(worker));
  }
  std::vector<FiberReading::Answer> answers = fibers_.Read(asks);
  for (size_t i = 0; i < asks.size(); ++i) {
    if (answers[i].reply == nullptr) {
      response.add_unreachable(WorkerName(asks[i].worker));
      continue;
    }
    AppendFibers(asks[i].worker, page.list, asks[i].after, page.size_max, *answers[i].reply,
                 response);
    // Thousands of fibers of each worker, those beyond the page too: not all in one turn.
    answers[i].reply.reset();
    Yield();
  }
}

void WorkerCalls::CollectOwn(const FiberPage& page, std::string_view tenant,
                             v1::ListFibersResponse& response) const {
  for (int worker = page.first; worker < page.end; ++worker) {
    if (!HasWorker(scoreboard_, worker)) continue;
    if (!AddOwn(page, page.AskOf(worker), tenant, response)) return;
  }
}

bool WorkerCalls::AddOwn(const FiberPage& page, FiberReading::Ask ask, std::string_view tenant,
                         v1::ListFibersResponse& response) const {
  // The place tells where a fiber of this tenant was, not how many others there are.
  uint64_t last_own = ask.after;
  const auto end_page = [&](uint64_t after) {
    response.set_next_page_token(
        EncodePageToken(page.list, {static_cast<uint32_t>(ask.worker), after}));
    return false;
  };
  for (int list = 0; list < kListsMax; ++list) {
    std::vector<FiberReading::Answer> answers = fibers_.Read({ask});
    internal::v1::ListFibersReply* const reply = answers[0].reply.get();
    if (reply == nullptr) {
      response.add_unreachable(WorkerName(ask.worker));
      return true;
    }
    for (v1::Fiber& fiber : *reply->mutable_fibers()) {
      ask.after = IdOf(fiber);
      if (tenant != std::string_view(fiber.tenant())) continue;
      if (response.fibers_size() == page.size_max) return end_page(last_own);
      last_own = ask.after;
      *response.add_fibers() = std::move(fiber);
    }
    if (!reply->more()) return true;
    Yield();
  }
  return end_page(ask.after);
}

}  // namespace grove::control

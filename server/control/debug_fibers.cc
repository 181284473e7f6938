#include "server/control/debug_fibers.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "proto/well_known_times.h"
#include "runtime/hub/fiber.h"
#include "runtime/switch/abseil_text.h"
#include "server/link/fiber_list.h"
#include "server/metrics/stall_record.h"

namespace grove::control {
namespace {

using admin::Json;
using Stacks = WorkerLink::Stacks;

// Of the fibers of one process, how many lists are asked for at most, until as many were found as
// were wanted: filters may leave out most of them.
constexpr int kListsMax = 20;

std::string_view StateName(v1::Fiber::State state) {
  switch (state) {
    case v1::Fiber::STATE_RUNNABLE:
      return "runnable";
    case v1::Fiber::STATE_RUNNING:
      return "running";
    case v1::Fiber::STATE_PARKED:
      return "parked";
    default:
      return "";
  }
}

uint64_t IdOf(const v1::Fiber& fiber) {
  const std::string_view name = fiber.name();
  uint64_t id = 0;
  return SimpleAtoi(name.substr(name.rfind('/') + 1), &id) ? id : 0;
}

// What is wanted, and from whom.
struct Wanted {
  std::vector<int> workers;
  bool control = true;
  int64_t limit = 0;
  std::string_view state;
  std::string_view tenant;
  std::string_view own;  // whose token asks; empty: the operators'
  Stacks stacks = Stacks::kNo;

  bool Takes(const v1::Fiber& fiber) const {
    return (state.empty() || state == StateName(fiber.state())) &&
           (tenant.empty() || tenant == std::string_view(fiber.tenant())) &&
           (own.empty() || own == std::string_view(fiber.tenant()));
  }
};

bool HasProcess(const metrics::WorkerSlot& slot) {
  const metrics::SlotState state = slot.state.load(std::memory_order_relaxed);
  return state != metrics::SlotState::kEmpty && state != metrics::SlotState::kDown;
}

absl::StatusOr<Wanted> WantedOf(const DebugInput& input, const admin::Query& query,
                                int64_t rows_default, int64_t rows_max) {
  Wanted wanted{.state = query.Text("state"), .tenant = query.Text("tenant")};
  for (int worker = 0; worker < input.scoreboard.workers(); ++worker) {
    if (HasProcess(input.scoreboard.slot(worker))) wanted.workers.push_back(worker);
  }
  if (query.Text("worker") == "control") {
    wanted.workers.clear();
  } else if (query.has("worker")) {
    absl::StatusOr<int64_t> worker = query.Number("worker", 0, input.scoreboard.workers() - 1, 0);
    if (!worker.ok()) {
      return absl::InvalidArgumentError(
          StrCat("worker: want control, or 0 to ", input.scoreboard.workers() - 1));
    }
    wanted.workers = {static_cast<int>(*worker)};
    wanted.control = false;
  }
  if (query.has("state") && wanted.state != "running" && wanted.state != "runnable" &&
      wanted.state != "parked") {
    return absl::InvalidArgumentError("state: want running, runnable or parked");
  }
  absl::StatusOr<int64_t> limit = query.Number("limit", 1, rows_max, rows_default);
  if (!limit.ok()) return limit.status();
  wanted.limit = *limit;
  return wanted;
}

// What was read, by process.
struct Collected {
  struct Process {
    std::string name;  // "worker-0", "control"
    std::string how;
    bool readable = true;
    bool more = false;
    std::vector<v1::Fiber> fibers;
  };
  std::vector<Process> processes;
};

// Takes what is wanted; the id to go on after, or 0.
uint64_t Take(const Wanted& wanted, internal::v1::ListFibersReply& reply,
              Collected::Process& process) {
  uint64_t last = 0;
  for (v1::Fiber& fiber : *reply.mutable_fibers()) {
    last = IdOf(fiber);
    if (static_cast<int64_t>(process.fibers.size()) == wanted.limit) {
      process.more = true;
      return 0;
    }
    if (wanted.Takes(fiber)) process.fibers.push_back(std::move(fiber));
  }
  process.more = reply.more();
  return reply.more() ? last : 0;
}

void CollectWorkers(const DebugInput& input, const Wanted& wanted, Collected& collected) {
  std::vector<FiberReading::Ask> asks;
  std::map<int, size_t> places;
  const auto limit = static_cast<int32_t>(
      std::min<int64_t>(wanted.limit, wanted.stacks == Stacks::kYes ? link::kStacksPerReplyMax
                                                                    : link::kFibersPerReplyMax));
  for (const int worker : wanted.workers) {
    places[worker] = collected.processes.size();
    collected.processes.push_back({.name = StrCat("worker-", worker)});
    asks.push_back({worker, 0, limit, wanted.stacks});
  }
  for (int list = 0; list < kListsMax && !asks.empty(); ++list) {
    std::vector<FiberReading::Answer> answers = input.fibers.Read(asks);
    std::vector<FiberReading::Ask> next;
    for (size_t i = 0; i < asks.size(); ++i) {
      Collected::Process& process = collected.processes[places[asks[i].worker]];
      process.how = answers[i].how;
      process.readable = answers[i].reply != nullptr;
      if (!process.readable) continue;
      asks[i].after = Take(wanted, *answers[i].reply, process);
      if (asks[i].after != 0) next.push_back(asks[i]);
      Yield();
    }
    asks = std::move(next);
  }
}

void CollectControl(const DebugInput& input, const Wanted& wanted, Collected& collected) {
  Collected::Process& process = collected.processes.emplace_back();
  process.name = "control";
  process.how = "hub";
  internal::v1::ListFibers request;
  request.set_limit(static_cast<int32_t>(wanted.limit));
  request.set_stacks(wanted.stacks == Stacks::kYes);
  for (int list = 0; list < kListsMax; ++list) {
    internal::v1::ListFibersReply reply = link::ListFibers(request, "control", input.offload);
    request.set_after(Take(wanted, reply, process));
    if (request.after() == 0) return;
  }
}

Collected Collect(const DebugInput& input, const Wanted& wanted) {
  Collected collected;
  CollectWorkers(input, wanted, collected);
  if (wanted.control) CollectControl(input, wanted, collected);
  return collected;
}

Json ProcessRows(const Collected& collected) {
  Json rows = Json::array();
  for (const Collected::Process& process : collected.processes) {
    Json row = {{"process", process.name}, {"read", process.how}};
    row["fibers"] = process.fibers.size();
    row["more"] = process.more;
    if (!process.readable) row["unreachable"] = true;
    rows.push_back(std::move(row));
  }
  return rows;
}

double Seconds(const google::protobuf::Duration& duration) {
  return proto::ToMicros(duration) / 1e6;
}

Json FiberRow(const v1::Fiber& fiber) {
  Json row = {{"name", fiber.name()},
              {"display_name", fiber.display_name()},
              {"state", StateName(fiber.state())},
              {"waiting_for", fiber.waiting_for()},
              {"age_s", Seconds(fiber.age())},
              {"switches", fiber.switches()},
              {"spawned_at", fiber.spawn_site()}};
  if (!fiber.group().empty()) row["group"] = fiber.group();
  if (!fiber.tenant().empty()) row["tenant"] = fiber.tenant();
  if (!fiber.task().empty()) row["task"] = fiber.task();
  return row;
}

// Of the fiber that holds a worker's hub now, as far as its watchdog has said it.
std::vector<std::string> StackOfStall(const DebugInput& input, int worker, uint64_t fiber) {
  const auto stalls = metrics::DecodeStalls(input.scoreboard.recent(worker).stalls.Read());
  if (stalls.empty() || stalls.back().ended || stalls.back().fiber != fiber) return {};
  std::vector<std::string> stack = stalls.back().stack;
  stack.insert(stack.begin(), StrCat("(as it stood after ", stalls.back().held_ms,
                                     " ms: ", stalls.back().call, ")"));
  return stack;
}

// Fibers that stand alike.
struct StackRow {
  int64_t count = 0;
  const v1::Fiber* first = nullptr;
};

Json StackRows(const DebugInput& input, Collected& collected) {
  using Key = std::tuple<std::string, std::string, std::vector<std::string>>;
  std::vector<Key> order;
  std::map<Key, StackRow> rows;
  for (Collected::Process& process : collected.processes) {
    for (const v1::Fiber& fiber : process.fibers) {
      std::vector<std::string> stack(fiber.stack().begin(), fiber.stack().end());
      int worker = 0;
      if (stack.empty() && fiber.state() == v1::Fiber::STATE_RUNNING &&
          SimpleAtoi(std::string_view(process.name).substr(process.name.rfind('-') + 1), &worker)) {
        stack = StackOfStall(input, worker, IdOf(fiber));
      }
      Key key(process.name, fiber.display_name(), std::move(stack));
      StackRow& row = rows[key];
      if (row.count++ == 0) {
        row.first = &fiber;
        order.push_back(std::move(key));
      }
    }
  }
  Json all = Json::array();
  for (const Key& key : order) {
    const StackRow& row = rows[key];
    all.push_back({{"fibers", row.count},
                   {"first", row.first->name()},
                   {"display_name", row.first->display_name()},
                   {"state", StateName(row.first->state())},
                   {"waiting_for", row.first->waiting_for()},
                   {"stack", std::get<2>(key)}});
  }
  return all;
}

}  // namespace

absl::StatusOr<Json> DebugFibers(const DebugInput& input, const admin::Query& query,
                                 std::string_view own) {
  absl::StatusOr<Wanted> wanted = WantedOf(input, query, kFiberRowsDefault, kFiberRowsMax);
  if (!wanted.ok()) return wanted.status();
  wanted->own = own;
  // Its fibers are nobody's.
  if (!own.empty()) wanted->control = false;
  const Collected collected = Collect(input, *wanted);
  Json page = {{"processes", ProcessRows(collected)}, {"fibers", Json::array()}};
  for (const Collected::Process& process : collected.processes) {
    for (const v1::Fiber& fiber : process.fibers) page["fibers"].push_back(FiberRow(fiber));
    Yield();
  }
  return page;
}

absl::StatusOr<Json> DebugStacks(const DebugInput& input, const admin::Query& query) {
  absl::StatusOr<Wanted> wanted = WantedOf(input, query, kStackRowsDefault, kStackRowsMax);
  if (!wanted.ok()) return wanted.status();
  wanted->stacks = Stacks::kYes;
  Collected collected = Collect(input, *wanted);
  Json page = {{"processes", ProcessRows(collected)}};
  page["stacks"] = StackRows(input, collected);
  return page;
}

}  // namespace grove::control

#include "server/backdoor/inspect.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <variant>

#include "absl/strings/str_format.h"
#include "runtime/green/green_report.h"
#include "runtime/hub/hub.h"
#include "runtime/watch/stack_trace.h"
#include "runtime/watch/wait_graph.h"
#include "server/backdoor/lua_session.h"

namespace grove::backdoor {
namespace {

constexpr lua_Integer kFibersDefault = 1000;
constexpr lua_Integer kFibersMax = 10'000;
constexpr size_t kDescriptorsMax = 10'000;
constexpr size_t kFibersPerSlice = 512;

constexpr char kHelp[] =
    "hub()        the hub's counters: turns, switches, fibers_live, …\n"
    "fibers()     live fibers: id, name, state, waiting, age, run_time, switches, site, group, "
    "tenant, task\n"
    "             (up to 1000 of them; fibers{limit=N} for up to N, at most 10000)\n"
    "deadlocks()  fibers that wait for each other: text, fibers, deadlock (false: a Timeout ends "
    "it)\n"
    "stack(ID)    the stack of a fiber that is parked or runnable, as text; nil if none has that "
    "id\n"
    "pools()      the worker's pools and bounds\n"
    "timers()     armed timers and when the next is due\n"
    "listeners()  descriptors and the fibers that wait for them\n"
    "green()      what blocking libraries called in GreenScopes: call, parked, escaped, caller, …\n"
    "worker()     this worker, or process\n"
    "app()        the application's values and commands: name, kind; app(NAME, ARGUMENT) asks\n"
    "quit()       ends the session\n"
    "Any Lua 5.4 works, over several lines too: for _, f in ipairs(fibers()) do print(f.name) end\n"
    "Nothing but app() can change the process. Each line has budgets of time, memory and output.\n";

std::string StateText(FiberState state) {
  switch (state) {
    case FiberState::kRunnable:
      return "runnable";
    case FiberState::kRunning:
      return "running";
    case FiberState::kParked:
      return "parked";
    case FiberState::kEnded:
      return "ended";
  }
  return "unspecified";
}

// "read fd 7", "timer", …; "" unless parked.
std::string WaitText(const Fiber& fiber) {
  return fiber.state() == FiberState::kParked ? WaitForText(fiber.waiting_for()) : std::string();
}

// "server/main.cc:7"
std::string SpawnSiteText(const Fiber& fiber) {
  return absl::StrFormat("%s:%d", fiber.spawn_site().file_name(),
                         static_cast<int>(fiber.spawn_site().line()));
}

double Seconds(MonotonicNanos nanos) {
  return static_cast<double>(nanos) / 1e9;
}

int64_t Count(uint64_t count) {
  return static_cast<int64_t>(count);
}

BackdoorRow HubRow(const HubStats& stats) {
  return {{"turns", Count(stats.turns)},
          {"polls", Count(stats.polls)},
          {"io_calls", Count(stats.io_calls)},
          {"switches", Count(stats.switches)},
          {"spawned", Count(stats.spawned)},
          {"ended", Count(stats.ended)},
          {"uncaught_exceptions", Count(stats.uncaught_exceptions)},
          {"timers_fired", Count(stats.timers_fired)},
          {"lag_seconds_sum", stats.lag_seconds_sum},
          {"fibers_live", Count(stats.fibers_live)},
          {"run_queue_length", Count(stats.run_queue_length)},
          {"timers_armed", Count(stats.timers_armed)},
          {"descriptors", Count(stats.descriptors)}};
}

BackdoorRow FiberRow(const Fiber& fiber, MonotonicNanos now) {
  BackdoorRow row = {{"id", Count(fiber.id())},
                     {"name", std::string(fiber.name())},
                     {"state", StateText(fiber.state())},
                     {"waiting", WaitText(fiber)},
                     {"age", Seconds(now - fiber.spawned_at())},
                     {"switches", Count(fiber.switches())},
                     {"site", SpawnSiteText(fiber)},
                     {"run_time", Seconds(fiber.run_time())}};
  if (!fiber.group().empty()) row.emplace_back("group", std::string(fiber.group()));
  if (const FiberLabel* label = fiber.label(); label != nullptr) {
    row.emplace_back("tenant", label->tenant);
    row.emplace_back("task", label->task);
  }
  return row;
}

void CollectFibers(size_t limit, BackdoorTable& rows) {
  const Hub& hub = *Hub::Current();
  size_t cursor = 0;
  do {
    cursor =
        hub.VisitFibers(cursor, std::min(kFibersPerSlice, limit - rows.size()),
                        [&](const Fiber& fiber) { rows.push_back(FiberRow(fiber, hub.now())); });
    if (cursor != 0 && rows.size() < limit) Yield();
  } while (cursor != 0 && rows.size() < limit);
}

void CollectDeadlocks(BackdoorTable& rows) {
  for (const WaitCycle& cycle : FindCycles(*Hub::Current())) {
    rows.push_back({{"deadlock", cycle.deadlock()},
                    {"fibers", Count(cycle.fibers.size())},
                    {"text", ToString(cycle)}});
  }
}

void CollectDescriptors(BackdoorTable& rows) {
  Hub::Current()->descriptors().Visit([&](int fd, const Fiber* reader, const Fiber* writer) {
    if (rows.size() >= kDescriptorsMax) return;
    BackdoorRow row = {{"fd", int64_t{fd}}};
    if (reader != nullptr) row.emplace_back("reader", std::string(reader->name()));
    if (writer != nullptr) row.emplace_back("writer", std::string(writer->name()));
    rows.push_back(std::move(row));
  });
}

void CollectGreenCalls(BackdoorTable& rows) {
  for (const GreenCall& call : GreenReport()) {
    rows.push_back({{"call", std::string(call.function)},
                    {"ready", Count(call.count(GreenOutcome::kReady))},
                    {"parked", Count(call.count(GreenOutcome::kParked))},
                    {"offloaded", Count(call.count(GreenOutcome::kOffloaded))},
                    {"escaped", Count(call.count(GreenOutcome::kEscaped))},
                    {"refused", Count(call.count(GreenOutcome::kRefused))},
                    {"blocked_seconds", absl::ToDoubleSeconds(call.blocked)},
                    {"library", call.library},
                    {"caller", call.caller}});
  }
}

BackdoorRow TimersRow() {
  Hub& hub = *Hub::Current();
  BackdoorRow row = {{"armed", Count(hub.timers().size())}};
  if (const MonotonicNanos next = hub.timers().next_deadline(); next != kNever) {
    row.emplace_back("next_in_seconds", Seconds(next - hub.ReadClock()));
  }
  return row;
}

BackdoorRow WorkerRow(const BackdoorEnvironment& environment) {
  BackdoorRow row = {{"pid", int64_t{getpid()}}};
  if (environment.worker) row.emplace_back("worker", int64_t{*environment.worker});
  if (environment.worker_facts) {
    for (auto& fact : environment.worker_facts()) {
      if (fact.first != "worker" && fact.first != "pid") row.push_back(std::move(fact));
    }
  }
  return row;
}

// --- Called by Lua

// Nothing with a destructor is alive in these frames: an error of Lua's is a longjmp(3).

void PushString(lua_State* lua, const std::string& text) {
  lua_pushlstring(lua, text.data(), text.size());
}

void PushValue(lua_State* lua, const BackdoorValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    lua_pushboolean(lua, *flag);
  } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    lua_pushinteger(lua, *integer);
  } else if (const double* number = std::get_if<double>(&value)) {
    lua_pushnumber(lua, *number);
  } else {
    PushString(lua, *std::get_if<std::string>(&value));
  }
}

void PushRow(lua_State* lua, const BackdoorRow& row) {
  lua_createtable(lua, 0, static_cast<int>(row.size()));
  for (const auto& [name, value] : row) {
    PushString(lua, name);
    PushValue(lua, value);
    lua_rawset(lua, -3);
  }
}

int ReturnRow(lua_State* lua) {
  PushRow(lua, LuaSession::Of(lua).scratch().front());
  return 1;
}

int ReturnTable(lua_State* lua) {
  const BackdoorTable& rows = LuaSession::Of(lua).scratch();
  lua_createtable(lua, static_cast<int>(rows.size()), 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    PushRow(lua, rows[i]);
    lua_rawseti(lua, -2, static_cast<lua_Integer>(i) + 1);
  }
  return 1;
}

int HubFunction(lua_State* lua) {
  LuaSession::Of(lua).scratch().assign(1, HubRow(Hub::Current()->Stats()));
  return ReturnRow(lua);
}

int FibersFunction(lua_State* lua) {
  lua_Integer limit = kFibersDefault;
  if (!lua_isnoneornil(lua, 1)) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_getfield(lua, 1, "limit");
    limit = luaL_optinteger(lua, -1, kFibersDefault);
    luaL_argcheck(lua, limit >= 1 && limit <= kFibersMax, 1, "limit must be from 1 to 10000");
  }
  LuaSession::Of(lua).scratch().clear();
  CollectFibers(static_cast<size_t>(limit), LuaSession::Of(lua).scratch());
  return ReturnTable(lua);
}

int DeadlocksFunction(lua_State* lua) {
  LuaSession::Of(lua).scratch().clear();
  CollectDeadlocks(LuaSession::Of(lua).scratch());
  return ReturnTable(lua);
}

// In slices: a million fibers are more than a hub may be held for.
int StackFunction(lua_State* lua) {
  const lua_Integer id = luaL_checkinteger(lua, 1);
  BackdoorTable& rows = LuaSession::Of(lua).scratch();
  rows.clear();
  size_t cursor = 0;
  do {
    cursor = Hub::Current()->VisitFibers(cursor, kFibersPerSlice, [&](const Fiber& fiber) {
      if (Count(fiber.id()) != id) return;
      rows.assign(
          1, {{"stack",
               absl::StrFormat("%s%d of %d bytes touched\n", FormatStackTrace(TraceFiber(fiber)),
                               fiber.StackHighWaterBytes(), fiber.stack_bytes())}});
    });
    if (cursor != 0 && rows.empty()) Yield();
  } while (cursor != 0 && rows.empty());
  if (rows.empty()) {
    lua_pushnil(lua);
  } else {
    PushValue(lua, rows.front().front().second);
  }
  return 1;
}

int PoolsFunction(lua_State* lua) {
  LuaSession& session = LuaSession::Of(lua);
  session.scratch().clear();
  if (session.environment().pools) session.scratch() = session.environment().pools();
  return ReturnTable(lua);
}

int TimersFunction(lua_State* lua) {
  LuaSession::Of(lua).scratch().assign(1, TimersRow());
  return ReturnRow(lua);
}

int ListenersFunction(lua_State* lua) {
  LuaSession::Of(lua).scratch().clear();
  CollectDescriptors(LuaSession::Of(lua).scratch());
  return ReturnTable(lua);
}

int GreenFunction(lua_State* lua) {
  LuaSession::Of(lua).scratch().clear();
  CollectGreenCalls(LuaSession::Of(lua).scratch());
  return ReturnTable(lua);
}

int WorkerFunction(lua_State* lua) {
  LuaSession::Of(lua).scratch().assign(1, WorkerRow(LuaSession::Of(lua).environment()));
  return ReturnRow(lua);
}

// The answer, or the error's text behind `false`, in the scratch.
void AskApplication(LuaSession& session, const char* name, const char* argument, size_t bytes) {
  absl::StatusOr<std::string> answer = absl::UnavailableError("there is no application");
  if (session.environment().ask_application) {
    answer = session.environment().ask_application(name, std::string_view(argument, bytes));
  }
  session.scratch().assign(
      1, {{"good", answer.ok()},
          {"text", answer.ok() ? *answer : std::string(answer.status().message())}});
}

int AppFunction(lua_State* lua) {
  LuaSession& session = LuaSession::Of(lua);
  if (lua_isnoneornil(lua, 1)) {
    session.scratch().clear();
    if (session.environment().application) session.scratch() = session.environment().application();
    return ReturnTable(lua);
  }
  const char* name = luaL_checkstring(lua, 1);
  size_t bytes = 0;
  const char* argument = luaL_optlstring(lua, 2, "", &bytes);
  AskApplication(session, name, argument, bytes);
  PushValue(lua, session.scratch().front()[1].second);
  return std::get<bool>(session.scratch().front()[0].second) ? 1 : lua_error(lua);
}

int HelpFunction(lua_State* lua) {
  LuaSession::Of(lua).PrintText(kHelp);
  return 0;
}

int QuitFunction(lua_State* lua) {
  LuaSession::Of(lua).Quit();
  return 0;
}

}  // namespace

void OpenInspection(lua_State* lua) {
  constexpr luaL_Reg kFunctions[] = {{"deadlocks", &DeadlocksFunction},
                                     {"hub", &HubFunction},
                                     {"fibers", &FibersFunction},
                                     {"pools", &PoolsFunction},
                                     {"timers", &TimersFunction},
                                     {"listeners", &ListenersFunction},
                                     {"green", &GreenFunction},
                                     {"worker", &WorkerFunction},
                                     {"help", &HelpFunction},
                                     {"quit", &QuitFunction},
                                     {"stack", &StackFunction},
                                     {"app", &AppFunction},
                                     {nullptr, nullptr}};
  lua_pushglobaltable(lua);
  luaL_setfuncs(lua, kFunctions, 0);
  lua_pop(lua, 1);
}

}  // namespace grove::backdoor

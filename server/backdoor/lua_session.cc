#include "server/backdoor/lua_session.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "server/backdoor/inspect.h"
#include "server/backdoor/lua_printer.h"
#include "server/backdoor/lua_sandbox.h"

namespace grove::backdoor {
namespace {

// Between two looks at the budgets. One instruction can compare two strings of kBlockMaxBytes, some
// 0.1 ms, so this is small.
constexpr int kInstructionsPerHook = 100;
constexpr int kHookMask = LUA_MASKCOUNT | LUA_MASKCALL;

// What a line may take beyond memory_max_bytes until its next instruction, where garbage is
// collected in slices, or the line ends: were it refused at once, Lua would collect all in one go.
constexpr size_t kOvershootBytes = 4 << 20;
constexpr char kNoMemory[] = "not enough memory (backdoor.memory_max_bytes)";

constexpr absl::Duration kPause = absl::Microseconds(1);

// Of the fiber's stack. Lua's own bound of 200 nested C calls does not know how large frames are:
// 200 of gsub take 400 KiB.
constexpr ptrdiff_t kStackMaxBytes = 96 * 1024;

constexpr char kChunkName[] = "=backdoor";

int SetUp(lua_State* lua) {
  OpenSandbox(lua);
  OpenInspection(lua);
  return 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LuaSession>> LuaSession::Create(
    const BackdoorLimits& limits, const BackdoorEnvironment& environment) {
  std::unique_ptr<LuaSession> session(new LuaSession(limits, environment));
  session->lua_ = lua_newstate(&Allocate, &session->heap_);
  const absl::Status too_small = absl::ResourceExhaustedError(absl::StrFormat(
      "Lua does not start in %d bytes (backdoor.memory_max_bytes)", limits.memory_max_bytes));
  if (session->lua_ == nullptr) return too_small;
  *static_cast<LuaSession**>(lua_getextraspace(session->lua_)) = session.get();
  lua_pushcfunction(session->lua_, &SetUp);
  if (lua_pcall(session->lua_, 0, 0, 0) != LUA_OK) return too_small;
  return session;
}

LuaSession::~LuaSession() {
  if (lua_ != nullptr) lua_close(lua_);
}

void* LuaSession::Allocate(void* heap, void* block, size_t old_bytes, size_t bytes) {
  auto& self = *static_cast<Heap*>(heap);
  if (block == nullptr) old_bytes = 0;  // it says what kind of object is made
  if (bytes == 0) {
    self.used -= old_bytes;
    free(block);
    return nullptr;
  }
  if (bytes > old_bytes) {
    const size_t max = self.max + (self.running != nullptr ? kOvershootBytes : 0);
    if (bytes > kBlockMaxBytes || bytes - old_bytes > max - std::min(self.used, max)) {
      return nullptr;
    }
    self.taken += bytes - old_bytes;
    const bool hurry = self.taken >= kSliceBytes || self.used + bytes - old_bytes > self.max;
    // Safe here, as it is in signal handlers.
    if (hurry && self.running != nullptr) lua_sethook(self.running, &Hook, kHookMask, 1);
  }
  void* const grown = realloc(block, bytes);
  if (grown != nullptr) self.used = self.used - old_bytes + bytes;
  return grown;
}

void LuaSession::Kill(const char* reason) {
  if (kill_reason_ == nullptr) kill_reason_ = reason;
  // Whatever Lua code still runs on the way up fails at its first instruction.
  lua_sethook(lua_, &Hook, kHookMask, 1);
}

void LuaSession::Charge(double steps) {
  instructions_ += static_cast<int64_t>(steps);
  slice_steps_ += steps;
  PauseIfDue();
  const char here = 0;
  CheckBudgets(&here);
  if (killed()) luaL_error(lua_, "%s", kill_reason_);
}

void LuaSession::PauseIfDue() {
  Hub& hub = *Hub::Current();
  if (slice_steps_ < kSliceSteps && heap_.taken < kSliceBytes &&
      hub.ReadClock() - slice_began_ < absl::ToInt64Nanoseconds(kSliceTime)) {
    return;
  }
  // Not Yield(): where nobody else runs, the hub would poll only after hundreds of slices.
  Sleep(kPause).IgnoreError();
  slice_steps_ = 0;
  slice_began_ = hub.ReadClock();
  heap_.taken = 0;
}

void LuaSession::Collect() {
  // What became garbage while a cycle is under way is found by the next one.
  for (int cycle = 0; cycle < 2 && heap_.over(); ++cycle) {
    while (lua_gc(lua_, LUA_GCSTEP, 0) == 0) PauseIfDue();
  }
}

void LuaSession::CheckBudgets(const char* stack_now) {
  if (killed()) return;
  Hub& hub = *Hub::Current();
  if (instructions_ > limits_.instructions_max) {
    Kill("the line ran too many instructions (backdoor.instructions_max)");
  } else if (hub.ReadClock() > deadline_) {
    Kill("the line took too long (backdoor.time_max_ms)");
  } else if (hub.running()->cancelled()) {
    Kill("the session was ended");
  } else if (stack_base_ - stack_now > kStackMaxBytes) {
    Kill("calls nest too deep");
  }
}

void LuaSession::Hook(lua_State* lua, lua_Debug* event) {
  LuaSession& self = Of(lua);
  if (!self.killed()) {
    const int steps = event->event == LUA_HOOKCOUNT ? lua_gethookcount(lua) : 1;
    if (event->event == LUA_HOOKCOUNT) self.instructions_ += steps;
    self.slice_steps_ += steps;
    self.PauseIfDue();
    if (self.heap_.over()) self.Collect();
    if (self.heap_.over()) self.Kill(kNoMemory);
  }
  self.CheckBudgets(reinterpret_cast<const char*>(&event));
  if (self.killed()) luaL_error(lua, "%s", self.kill_reason_);
  // The heap may have asked for this call.
  if (lua_gethookcount(lua) != kInstructionsPerHook) {
    lua_sethook(lua, &Hook, kHookMask, kInstructionsPerHook);
  }
}

bool LuaSession::Print(std::string_view text) {
  const size_t room = limits_.output_max_bytes - std::min(output_.size(), limits_.output_max_bytes);
  output_.append(text.substr(0, room));
  output_full_ = output_full_ || text.size() > room;
  return !output_full_;
}

bool LuaSession::PrintText(std::string_view text) {
  return Print(EscapeControls(text.substr(0, limits_.output_max_bytes + 1)));
}

// As an expression first, so that "1 + 1" prints 2.
int LuaSession::Load(const std::string& chunk) {
  const std::string expression = "return " + chunk;
  if (luaL_loadbufferx(lua_, expression.data(), expression.size(), kChunkName, "t") == LUA_OK) {
    return LUA_OK;
  }
  lua_settop(lua_, 0);
  return luaL_loadbufferx(lua_, chunk.data(), chunk.size(), kChunkName, "t");
}

LuaSession::Outcome LuaSession::Evaluate(const std::string& chunk) {
  output_.clear();
  output_full_ = false;
  kill_reason_ = nullptr;
  lua_settop(lua_, 0);
  const int loaded = Load(chunk);
  if (loaded == LUA_ERRSYNTAX && lua_type(lua_, -1) == LUA_TSTRING &&
      absl::EndsWith(lua_tostring(lua_, -1), "<eof>")) {
    return Outcome::kIncomplete;
  }
  if (loaded == LUA_OK) {
    Run();
  } else {
    PrintError(loaded);
  }
  lua_settop(lua_, 0);
  scratch_.clear();
  if (output_full_) {
    output_ +=
        absl::StrFormat("\n… the output ends here, at %d bytes (backdoor.output_max_bytes)\n",
                        limits_.output_max_bytes);
  }
  return Outcome::kDone;
}

void LuaSession::Run() {
  const char here = 0;
  stack_base_ = &here;
  instructions_ = 0;
  deadline_ = DeadlineAfter(Hub::Current()->ReadClock(), limits_.time_max);
  slice_steps_ = 0;
  slice_began_ = Hub::Current()->ReadClock();
  heap_.taken = 0;
  heap_.running = lua_;
  lua_sethook(lua_, &Hook, kHookMask, kInstructionsPerHook);
  const int status = lua_pcall(lua_, 0, LUA_MULTRET, 0);
  heap_.running = nullptr;
  lua_sethook(lua_, nullptr, 0, 0);
  if (status == LUA_OK) {
    PrintResults();
  } else {
    PrintError(status);
  }
}

void LuaSession::PrintResults() {
  const int count = lua_gettop(lua_);
  for (int i = 1; i <= count && !output_full_; ++i) {
    std::string text;
    AppendValue(lua_, i, limits_.output_max_bytes, text);
    text += i < count ? '\t' : '\n';
    Print(text);
  }
}

void LuaSession::PrintError(int status) {
  std::string text = "error: ";
  if (killed()) {
    text += kill_reason_;
  } else if (status == LUA_ERRMEM) {
    text += absl::StrFormat(
        "not enough memory: the session may have %d bytes (backdoor.memory_max_bytes), one value "
        "%d of them",
        limits_.memory_max_bytes, kBlockMaxBytes);
  } else {
    AppendValue(lua_, -1, limits_.output_max_bytes, text);
  }
  text += '\n';
  lua_settop(lua_, 0);
  Collect();
  if (!output_full_) Print(text);
}

}  // namespace grove::backdoor

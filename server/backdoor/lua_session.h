// LuaSession: one Lua state with its budgets, and the evaluation of chunks in it.
//
// Lua reports errors with longjmp: functions that Lua calls keep no object with a destructor alive
// across a call that can raise one. What they need beyond their frame lives in the session.
// Budgets hold against pcall, to-be-closed variables and metamethods. The line gives the hub back
// after each slice: kSliceSteps, kSliceTime or kSliceBytes, whichever comes first, and at most one
// library function more. Those are bounded each (see lua_sandbox.cc), as is a single block of
// memory, since one instruction copies or compares one; garbage is collected in slices, too.
// Finalizers, which run without hooks, are refused.
// Hub thread only.
#ifndef GROVE_SERVER_BACKDOOR_LUA_SESSION_H_
#define GROVE_SERVER_BACKDOOR_LUA_SESSION_H_

#include <lua.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "server/backdoor/backdoor.h"

namespace grove::backdoor {

// A slice, the longest that a line keeps others from running but for one call more.
inline constexpr double kSliceSteps = 1000;
inline constexpr absl::Duration kSliceTime = absl::Milliseconds(1);
inline constexpr size_t kSliceBytes = 1 << 20;
// One string, or one part of a table: 131,072 entries.
inline constexpr size_t kBlockMaxBytes = 2 << 20;

class LuaSession {
 public:
  enum class Outcome { kDone, kIncomplete };

  // kResourceExhausted: memory_max_bytes is too small for Lua itself. Both must outlive it.
  static absl::StatusOr<std::unique_ptr<LuaSession>> Create(const BackdoorLimits& limits,
                                                            const BackdoorEnvironment& environment);
  ~LuaSession();
  LuaSession(const LuaSession&) = delete;
  LuaSession& operator=(const LuaSession&) = delete;

  // Runs `chunk` (an expression or statements) and leaves what it printed, results and errors
  // included, in output(). kIncomplete: more lines are needed, nothing ran. Yields.
  Outcome Evaluate(const std::string& chunk);
  const std::string& output() const { return output_; }
  // quit() was called.
  bool quit() const { return quit_; }

  // --- From functions that Lua calls -------------------------------------------------------------

  static LuaSession& Of(lua_State* lua) {
    return **static_cast<LuaSession**>(lua_getextraspace(lua));
  }
  const BackdoorEnvironment& environment() const { return environment_; }
  // What a function is about to push: it must survive an error raised meanwhile.
  BackdoorTable& scratch() { return scratch_; }
  // Escapes control characters. False: the output is full, and the line must end.
  bool PrintText(std::string_view text);
  void Quit() { quit_ = true; }
  // A library function takes, or is about to take, so many steps of some nanoseconds: they count as
  // instructions, and others go first, if they must. Raises if a budget is spent. **Parks.**
  void Charge(double steps);
  // Whether a budget is spent: then the error must go on up to the prompt.
  bool killed() const { return kill_reason_ != nullptr; }
  // The first reason counts.
  void Kill(const char* reason);

 private:
  struct Heap {
    bool over() const { return used > max; }
    size_t used = 0;
    size_t max = 0;
    size_t taken = 0;              // in this slice
    lua_State* running = nullptr;  // a line, whose hook is told; null: none
  };

  LuaSession(const BackdoorLimits& limits, const BackdoorEnvironment& environment)
      : limits_(limits), environment_(environment) {
    heap_.max = limits.memory_max_bytes;
  }
  static void* Allocate(void* heap, void* block, size_t old_bytes, size_t bytes);
  static void Hook(lua_State* lua, lua_Debug* event);

  int Load(const std::string& chunk);
  void Run();
  bool Print(std::string_view text);
  void PrintResults();
  void PrintError(int status);
  void CheckBudgets(const char* stack_now);
  // Ends the slice if it is used up.
  void PauseIfDue();
  // Garbage alone, until the heap is within its bound or all of it was looked at.
  void Collect();

  const BackdoorLimits& limits_;
  const BackdoorEnvironment& environment_;
  Heap heap_;
  lua_State* lua_ = nullptr;
  BackdoorTable scratch_;
  bool quit_ = false;

  // Of the line that runs.
  std::string output_;
  bool output_full_ = false;
  const char* kill_reason_ = nullptr;
  const char* stack_base_ = nullptr;
  int64_t instructions_ = 0;
  double slice_steps_ = 0;
  MonotonicNanos slice_began_ = 0;
  MonotonicNanos deadline_ = 0;
};

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_LUA_SESSION_H_

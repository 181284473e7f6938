// StackTrace: the program counters of a stack, innermost first, and their text.
//
// A walk reads nothing but the stack it was given the bounds of, so an overwritten one shortens the
// trace and harms nothing. It steps by unwind tables, which know functions of libraries without
// frame pointers, and by frame pointers where no table helps. Taking a trace allocates nothing and
// takes no lock; formatting does both.
#ifndef GROVE_RUNTIME_WATCH_STACK_TRACE_H_
#define GROVE_RUNTIME_WATCH_STACK_TRACE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "runtime/watch/unwind_tables.h"

namespace grove {

class Fiber;

struct StackTrace {
  // Deeper stacks are cut: their outermost frames, which are alike, are left out.
  static constexpr size_t kFramesMax = 64;
  enum class End : uint8_t {
    kEntry,    // the outermost frame was reached
    kFull,     // there are more than kFramesMax
    kUnknown,  // no further: code without tables and frame pointers, or an overwritten stack
  };

  std::array<uintptr_t, kFramesMax> pcs{};
  size_t size = 0;
  End end = End::kUnknown;
  // What pcs[0] is; the others are return addresses.
  PcKind first = PcKind::kAfterCall;
};

// The stack of a fiber that does not run: parked or runnable. Empty for the running and for ended
// ones. Hub thread only.
StackTrace TraceFiber(const Fiber& fiber);

// The stack that begins with `frame`. `tables` as UnwindStep() has them. Any thread; signal
// handlers too.
StackTrace TraceFrom(FrameRegisters frame, PcKind first, const StackBounds& bounds,
                     const CodeTables* tables = nullptr);

// A text per frame without its number and address, "grove::Hub::Park()+0x84", and a last one in
// parentheses if the trace is not complete: for those who must not learn where the program lies.
// Any thread, no signal handler.
std::vector<std::string> FormatFrames(const StackTrace& trace);
// The same of another process: `name` is told an address and where the code before it stands.
std::vector<std::string> FormatFrames(
    const StackTrace& trace, absl::FunctionRef<std::string(uintptr_t pc, uintptr_t place)> name);

// One line a frame, "#0 0x55d3c0a1b2f4 grove::Hub::Park()+0x84", and a last one if the trace is
// not complete. Names need the symbol table; without one the module and the offset in it are shown,
// as addr2line takes them. Any thread, no signal handler.
std::string FormatStackTrace(const StackTrace& trace);

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_STACK_TRACE_H_

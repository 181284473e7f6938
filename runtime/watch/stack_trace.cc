#include "runtime/watch/stack_trace.h"

#include <dlfcn.h>

#include <cstring>
#include <string_view>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/fiber.h"

namespace grove {
namespace {

// Longer names, as templates have, are cut.
constexpr size_t kSymbolMax = 512;

// By the chain of saved frame pointers: [rbp] is the caller's, the return address lies above it.
Step FramePointerStep(FrameRegisters& frame, const StackBounds& bounds) {
  const uintptr_t saved = frame.frame();
  if (saved < frame.sp() || !bounds.HasWord(saved) || !bounds.HasWord(saved + 8)) {
    return Step::kUnknown;
  }
  const uintptr_t pc = StackWord(saved + 8 + bounds.copy);
  if (pc == 0) return Step::kEnd;
  frame.values[FrameRegisters::kRbp] = StackWord(saved + bounds.copy);
  frame.values[FrameRegisters::kRsp] = saved + 16;
  frame.values[FrameRegisters::kReturnAddress] = pc;
  return Step::kCaller;
}

std::string Symbol(uintptr_t pc, uintptr_t place) {
  char name[kSymbolMax];
  if (absl::Symbolize(reinterpret_cast<void*>(place), name, sizeof(name))) {
    const uintptr_t start = FunctionStart(place);
    return start == 0 ? std::string(name) : absl::StrFormat("%s+0x%x", name, pc - start);
  }
  Dl_info module;
  if (dladdr(reinterpret_cast<void*>(place), &module) == 0 || module.dli_fname == nullptr) {
    return "(unknown)";
  }
  const char* const slash = strrchr(module.dli_fname, '/');
  return absl::StrFormat("(%s+0x%x)", slash != nullptr ? slash + 1 : module.dli_fname,
                         pc - reinterpret_cast<uintptr_t>(module.dli_fbase));
}

// Where the code of a frame stands: a call may be a function's last instruction.
uintptr_t PlaceOf(const StackTrace& trace, size_t i) {
  const bool after_call = i > 0 || trace.first == PcKind::kAfterCall;
  return trace.pcs[i] - (after_call ? 1 : 0);
}

// Empty if the trace is complete, or of nothing.
std::string_view WhyIncomplete(const StackTrace& trace) {
  if (trace.size == 0) return "";
  switch (trace.end) {
    case StackTrace::End::kFull:
      return "(more frames follow)";
    case StackTrace::End::kUnknown:
      return "(the walk ends here: no unwind data, or an overwritten stack)";
    case StackTrace::End::kEntry:
      break;
  }
  return "";
}

}  // namespace

StackTrace TraceFrom(FrameRegisters frame, PcKind first, const StackBounds& bounds,
                     const CodeTables* tables) {
  StackTrace trace;
  trace.first = first;
  PcKind kind = first;
  for (;;) {
    if (trace.size == StackTrace::kFramesMax) {
      trace.end = StackTrace::End::kFull;
      return trace;
    }
    trace.pcs[trace.size++] = frame.pc();
    Step step = UnwindStep(frame, kind, bounds, tables);
    if (step == Step::kUnknown) step = FramePointerStep(frame, bounds);
    if (step != Step::kCaller) {
      trace.end = step == Step::kEnd ? StackTrace::End::kEntry : StackTrace::End::kUnknown;
      return trace;
    }
    kind = PcKind::kAfterCall;
  }
}

StackTrace TraceFiber(const Fiber& fiber) {
  if (fiber.state() == Fiber::State::kRunning || fiber.state() == Fiber::State::kEnded) return {};
  const Stack& stack = fiber.stack();
  const StackBounds bounds{.low = reinterpret_cast<uintptr_t>(stack.low),
                           .high = reinterpret_cast<uintptr_t>(stack.high)};
  uintptr_t at = reinterpret_cast<uintptr_t>(fiber.context().stack_pointer());
  FrameRegisters frame;
  for (const int8_t* saved = Context::kSavedRegisters; *saved != Context::kEndOfSaved; ++saved) {
    if (!bounds.HasWord(at)) return {};
    if (*saved != Context::kNotSaved) frame.values[*saved] = StackWord(at);
    at += sizeof(uintptr_t);
  }
  if (frame.pc() == 0) return {};  // the processor's jump is not described
  frame.values[FrameRegisters::kRsp] = at;
  if (fiber.switches() > 0) return TraceFrom(frame, PcKind::kAfterCall, bounds);
  // It is about to enter its first function, which the registers need not say yet.
  frame.values[FrameRegisters::kRbp] = 0;
  frame.values[FrameRegisters::kReturnAddress] = Context::FirstInstruction();
  return TraceFrom(frame, PcKind::kInterrupted, bounds);
}

std::string FormatStackTrace(const StackTrace& trace) {
  std::string text;
  for (size_t i = 0; i < trace.size; ++i) {
    absl::StrAppendFormat(&text, "#%d 0x%x %s\n", i, trace.pcs[i],
                          Symbol(trace.pcs[i], PlaceOf(trace, i)));
  }
  if (const std::string_view why = WhyIncomplete(trace); !why.empty()) {
    absl::StrAppendFormat(&text, "%s\n", why);
  }
  return text;
}

std::vector<std::string> FormatFrames(const StackTrace& trace) {
  return FormatFrames(trace, &Symbol);
}

std::vector<std::string> FormatFrames(
    const StackTrace& trace, absl::FunctionRef<std::string(uintptr_t pc, uintptr_t place)> name) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < trace.size; ++i) texts.push_back(name(trace.pcs[i], PlaceOf(trace, i)));
  if (const std::string_view why = WhyIncomplete(trace); !why.empty()) texts.emplace_back(why);
  return texts;
}

}  // namespace grove

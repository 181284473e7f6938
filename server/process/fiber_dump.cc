#include "server/process/fiber_dump.h"

#include <array>

#include "absl/debugging/symbolize.h"
#include "runtime/watch/stack_trace.h"
#include "server/process/signal_safe_line.h"

namespace grove::process {
namespace {

// Stacks told apart; what comes beyond is shown without being counted.
constexpr size_t kStacksMax = 1024;

struct SeenStack {
  uint64_t hash = 0;  // 0: free
  FiberId first = 0;
  uint64_t others = 0;
};

// Static: a signal's stack has no room for it. One dump a process, as it is its end.
std::array<SeenStack, kStacksMax> seen;

uint64_t HashOf(const StackTrace& trace) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (size_t i = 0; i < trace.size; ++i) hash = (hash ^ trace.pcs[i]) * 1099511628211u;
  return hash == 0 ? 1 : hash;
}

// Null: there is no room to remember it.
SeenStack* FindStack(uint64_t hash) {
  for (size_t tried = 0; tried < kStacksMax; ++tried) {
    SeenStack& entry = seen[(hash + tried) % kStacksMax];
    if (entry.hash == hash || entry.hash == 0) return &entry;
  }
  return nullptr;
}

bool WriteStack(const StackTrace& trace, MonotonicNanos deadline) {
  for (size_t i = 0; i < trace.size; ++i) {
    const bool after_call = i > 0 || trace.first == PcKind::kAfterCall;
    char name[512];
    const auto* place = reinterpret_cast<const void*>(trace.pcs[i] - (after_call ? 1 : 0));
    if (!absl::Symbolize(place, name, sizeof(name))) name[0] = '\0';
    SignalSafeLine line;
    line.Add("grove:   #").Add(i).Add(" ").Add(name[0] == '\0' ? "(unknown)" : name);
    if (!line.Write(deadline)) return false;
  }
  return true;
}

// False: out of time.
bool DumpFiber(const Fiber& fiber, MonotonicNanos deadline) {
  if (SignalSafeNow() >= deadline) return false;
  if (fiber.state() == Fiber::State::kRunning || fiber.state() == Fiber::State::kEnded) return true;
  const StackTrace trace = TraceFiber(fiber);
  SeenStack* const stack = FindStack(HashOf(trace));
  if (stack != nullptr && stack->hash != 0) {
    ++stack->others;
    return true;
  }
  if (stack != nullptr) *stack = {.hash = HashOf(trace), .first = fiber.id()};
  return WriteFiberLine("waits", fiber, deadline) && WriteStack(trace, deadline);
}

void WriteCounts(uint64_t left_out, MonotonicNanos deadline) {
  for (const SeenStack& stack : seen) {
    if (stack.others == 0) continue;
    SignalSafeLine line;
    line.Add("grove: ").Add(stack.others).Add(" more stand where fiber ").Add(stack.first);
    if (!line.Add(" does").Write(deadline)) return;
  }
  if (left_out == 0) return;
  SignalSafeLine().Add("grove: no time for ").Add(left_out).Add(" more fibers").Write(deadline);
}

}  // namespace

bool WriteFiberLine(std::string_view what, const Fiber& fiber, MonotonicNanos deadline) {
  SignalSafeLine line;
  line.Add("grove: ").Add(what).Add(" in fiber ").Add(fiber.id()).Add(" \"").Add(fiber.name());
  line.Add("\", spawned at ").Add(fiber.spawn_site().file_name()).Add(":");
  line.Add(uint64_t{fiber.spawn_site().line()});
  if (fiber.label() != nullptr) line.Add(", task ").Add(fiber.label()->task);
  return line.Write(deadline);
}

void DumpFibers(const Hub& hub, MonotonicNanos deadline) {
  seen = {};
  uint64_t left_out = 0;
  hub.VisitFibers(0, SIZE_MAX, [&](const Fiber& fiber) {
    if (left_out > 0 || !DumpFiber(fiber, deadline)) ++left_out;
  });
  // The counts are short, and tell the most.
  WriteCounts(left_out, deadline + absl::ToInt64Nanoseconds(absl::Milliseconds(200)));
}

}  // namespace grove::process

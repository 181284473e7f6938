// Jump between stacks by Boost.Context's fcontext: for every processor that it knows. For
// context.cc alone.
//
// Two things differ from our own jump. The floating-point control words (on x86-64 mxcsr and the
// x87 control word; elsewhere the like as Boost's assembly saves it) go with the stack: a new one
// has those of the thread that made it, a fiber that changes its rounding mode changes its own
// alone. Who keeps to what context.h asks, to set them back before a park, sees no difference. And
// a new stack begins in Boost's trampoline, not in Context::Start(): whoever looks at a fiber that
// has not run yet takes Start() from Context, not from the stack.
//
// The exchange is fcontext's: what was left is not stored by who leaves, but told to who goes on.
#ifndef GROVE_RUNTIME_SWITCH_JUMP_FCONTEXT_H_
#define GROVE_RUNTIME_SWITCH_JUMP_FCONTEXT_H_

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>

namespace grove::jump {

#if defined(__x86_64__)
// make_x86_64_sysv_elf_gas.S and jump_x86_64_sysv_elf_gas.S of Boost 1.81: the two control words
// and a stack protector's share a word each, then r12 … r15, rbx, rbp and the return address.
#define GROVE_SAVED_REGISTERS Context::kNotSaved, Context::kNotSaved, 12, 13, 14, 15, 3, 6, 16
#else
// Not described: what walks the stacks of parked fibers says that it can't.
#define GROVE_SAVED_REGISTERS Context::kNotSaved
#endif

// What begins on a new stack, and with what: from Begin() to Entry() alone.
struct Beginning {
  void (*start)(void* passed);
  void* passed;
};
inline constinit thread_local Beginning beginning{};

// Whoever goes on stores where the other one was left; `data` is that one's from_stack.
[[gnu::always_inline]] inline void Arrived(boost::context::detail::transfer_t transfer) {
  *static_cast<void**>(transfer.data) = transfer.fctx;
}

inline void Entry(boost::context::detail::transfer_t transfer) {
  Arrived(transfer);
  beginning.start(beginning.passed);
}

// What Begin() finds on a stack that nothing has run on.
inline void* NewStack(void* low, void* high, void (*)(void* passed)) {
  // Nulls above all frames, for walks that begin before the first switch.
  auto* top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(high) & -uintptr_t{16});
  *--top = nullptr;
  *--top = nullptr;
  void* const stack = boost::context::detail::make_fcontext(
      top, static_cast<size_t>(reinterpret_cast<char*>(top) - static_cast<char*>(low)), &Entry);
#if defined(__x86_64__)
  // The trampoline pushes rbp as the return address of Entry(): Boost's way out, which ends the
  // process. Nothing here returns, and a null is where every walk ends.
  constexpr int kSavedRbp = 7;
  static_cast<void**>(stack)[kSavedRbp] = nullptr;
#endif
  return stack;
}

[[gnu::always_inline]] inline void To(void** from_stack, void* to_stack) {
  Arrived(boost::context::detail::jump_fcontext(to_stack, from_stack));
}
[[gnu::always_inline]] inline void Begin(void** from_stack, void* to_stack,
                                         void (*start)(void* passed), void* passed) {
  beginning = {start, passed};
  To(from_stack, to_stack);
}

}  // namespace grove::jump

#endif  // GROVE_RUNTIME_SWITCH_JUMP_FCONTEXT_H_

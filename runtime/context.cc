#include "runtime/context.h"

#include <cxxabi.h>

#include <cstdint>

#if defined(GROVE_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(GROVE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

#if !defined(__x86_64__)
#error "runtime/context.cc has no jump for this processor yet"
#endif

// Saves the callee-saved registers (System V ABI 3.2.1) on the stack, stores its end in
// `*from_stack`, takes `to_stack`, restores, and passes `passed` on as the first argument, which a
// new stack's function takes. The return address is popped and jumped to: a `ret` would be
// predicted from the calls of the context that was left.
extern "C" void grove_switch_stack(void** from_stack, void* to_stack, void* passed);
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl grove_switch_stack\n"
    ".hidden grove_switch_stack\n"
    ".type grove_switch_stack,@function\n"
    "grove_switch_stack:\n"
    "  pushq %rbp\n"
    "  pushq %rbx\n"
    "  pushq %r12\n"
    "  pushq %r13\n"
    "  pushq %r14\n"
    "  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n"
    "  popq %r14\n"
    "  popq %r13\n"
    "  popq %r12\n"
    "  popq %rbx\n"
    "  popq %rbp\n"
    "  popq %rcx\n"
    "  movq %rdx, %rdi\n"
    "  jmp *%rcx\n"
    ".size grove_switch_stack,.-grove_switch_stack\n");

namespace grove {
namespace {

// What grove_switch_stack finds on a stack that nothing has run on.
void* NewStack(void* high, void (*start)(void* passed)) {
  constexpr int kSavedRegisters = 6;
  // A function starts with its stack 8 below a multiple of 16 (ABI 3.2.2). The null stands where
  // its return address would: with rbp = 0 it ends frame-pointer walks.
  auto* top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(high) & -uintptr_t{16});
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(start);
  for (int i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  return top;
}

#if defined(GROVE_TSAN)
// A fiber destroys its context while it still runs on it: TSan must see the switch away first.
thread_local void* doomed_fiber = nullptr;

void DestroyDoomedFiber() {
  if (doomed_fiber == nullptr) return;
  __tsan_destroy_fiber(doomed_fiber);
  doomed_fiber = nullptr;
}
#endif

}  // namespace

Context::Context() {
  static_assert(offsetof(Context, stack_pointer_) == kStackPointerOffset);
  BindToThread();
}

void Context::BindToThread() {
  thread_exceptions_ = reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
#if defined(GROVE_TSAN)
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

Context::Context([[maybe_unused]] void* stack_low, void* stack_high, Entry entry, void* argument,
                 const Context& native)
    : stack_pointer_(NewStack(stack_high, &Context::Start)),
      thread_exceptions_(native.thread_exceptions_),
      entry_(entry),
      argument_(argument) {
#if defined(GROVE_ASAN)
  stack_low_ = stack_low;
  stack_bytes_ = static_cast<char*>(stack_high) - static_cast<char*>(stack_low);
#endif
#if defined(GROVE_TSAN)
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
}

Context::~Context() {
#if defined(GROVE_TSAN)
  if (entry_ == nullptr) return;
  if (tsan_fiber_ == __tsan_get_current_fiber()) {
    doomed_fiber = tsan_fiber_;
  } else {
    __tsan_destroy_fiber(tsan_fiber_);
  }
#endif
}

// First thing on a new stack. Its caller is no caller: the unwind chain ends here.
void Context::Start(void* self) {
  __asm__ volatile(".cfi_undefined rip");
  Context& context = *static_cast<Context*>(self);
  context.AfterJump();
  context.entry_(context.argument_);
  __builtin_trap();  // an Entry does not return
}

// Inlined into the frame of the jump, as TSan wants it.
[[gnu::always_inline]] inline void Context::BeforeJump([[maybe_unused]] Context& from,
                                                       [[maybe_unused]] Context& to,
                                                       [[maybe_unused]] bool for_good) {
#if defined(GROVE_ASAN)
  to.came_from_ = &from;
  __sanitizer_start_switch_fiber(for_good ? nullptr : &from.fake_stack_, to.stack_low_,
                                 to.stack_bytes_);
#endif
#if defined(GROVE_TSAN)
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
}

[[gnu::always_inline]] inline void Context::AfterJump() {
#if defined(GROVE_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack_, &came_from_->stack_low_, &came_from_->stack_bytes_);
#endif
#if defined(GROVE_TSAN)
  DestroyDoomedFiber();
#endif
}

void Context::Switch(Context& from, Context& to) {
  ExceptionState* const live = from.thread_exceptions_;
  from.exceptions_ = *live;
  *live = to.exceptions_;
  BeforeJump(from, to, /*for_good=*/false);
  grove_switch_stack(&from.stack_pointer_, to.stack_pointer_, &to);
  from.AfterJump();
}

void Context::Leave(Context& from, Context& to) {
  *from.thread_exceptions_ = to.exceptions_;
  BeforeJump(from, to, /*for_good=*/true);
  grove_switch_stack(&from.stack_pointer_, to.stack_pointer_, &to);
  __builtin_trap();
}

}  // namespace grove

#include "runtime/context.h"

#include <cxxabi.h>
#include <boost/context/detail/fcontext.hpp>

#include <cstdint>

#if defined(GROVE_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(GROVE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace grove {

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

namespace {

// Around every jump. TSan wants its call in the same frame as the jump, right before it.
#if defined(GROVE_TSAN)
thread_local void* doomed_fiber = nullptr;

void DestroyDoomedFiber() {
  if (doomed_fiber == nullptr) return;
  __tsan_destroy_fiber(doomed_fiber);
  doomed_fiber = nullptr;
}
#endif

#if defined(GROVE_ASAN)
#define GROVE_BEFORE_JUMP(save, to) \
  __sanitizer_start_switch_fiber(save, (to).stack_low_, (to).stack_bytes_)
#define GROVE_AFTER_JUMP(fake, low, bytes) __sanitizer_finish_switch_fiber(fake, low, bytes)
#endif

}  // namespace

struct Context::Trampoline {
  // First thing on a new stack. Its caller is no caller: the unwind chain ends here, so that gdb,
  // backtraces and profilers stop instead of reading fcontext's start-up frame.
  static void Start(transfer_t arrived) {
    __asm__ volatile(".cfi_undefined rip");
    Context* from = static_cast<Context*>(arrived.data);
    from->stack_pointer_ = arrived.fctx;
    Context* self = from->target_;
#if defined(GROVE_TSAN)
    DestroyDoomedFiber();
#endif
#if defined(GROVE_ASAN)
    GROVE_AFTER_JUMP(nullptr, &from->stack_low_, &from->stack_bytes_);
#endif
    self->entry_(self->argument_);
    __builtin_trap();  // an Entry does not return
  }
};

Context::Context() {
  BindToThread();
}

void Context::BindToThread() {
  thread_exceptions_ = reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
#if defined(GROVE_TSAN)
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

Context::Context(void* stack_low, void* stack_high, Entry entry, void* argument,
                 const Context& native)
    : thread_exceptions_(native.thread_exceptions_),
      entry_(entry),
      argument_(argument),
      stack_low_(stack_low),
      stack_bytes_(static_cast<char*>(stack_high) - static_cast<char*>(stack_low)) {
  stack_pointer_ = make_fcontext(stack_high, stack_bytes_, &Trampoline::Start);
#if defined(GROVE_TSAN)
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
}

Context::~Context() {
#if defined(GROVE_TSAN)
  if (entry_ == nullptr) return;
  // A fiber destroys itself while it still runs: TSan must see the switch away first.
  if (tsan_fiber_ == __tsan_get_current_fiber()) {
    doomed_fiber = tsan_fiber_;
  } else {
    __tsan_destroy_fiber(tsan_fiber_);
  }
#endif
}

void Context::Switch(Context& from, Context& to) {
  ExceptionState* const live = from.thread_exceptions_;
  from.exceptions_ = *live;
  *live = to.exceptions_;
  from.target_ = &to;
#if defined(GROVE_ASAN)
  GROVE_BEFORE_JUMP(&from.fake_stack_, to);
#endif
#if defined(GROVE_TSAN)
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
  const transfer_t arrived = jump_fcontext(static_cast<fcontext_t>(to.stack_pointer_), &from);
  Context* const previous = static_cast<Context*>(arrived.data);
  previous->stack_pointer_ = arrived.fctx;
#if defined(GROVE_TSAN)
  DestroyDoomedFiber();
#endif
#if defined(GROVE_ASAN)
  GROVE_AFTER_JUMP(from.fake_stack_, &previous->stack_low_, &previous->stack_bytes_);
#endif
}

void Context::Leave(Context& from, Context& to) {
  *from.thread_exceptions_ = to.exceptions_;
  from.target_ = &to;
#if defined(GROVE_ASAN)
  GROVE_BEFORE_JUMP(nullptr, to);
#endif
#if defined(GROVE_TSAN)
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
  jump_fcontext(static_cast<fcontext_t>(to.stack_pointer_), &from);
  __builtin_trap();
}

bool Context::InException() const {
  return thread_exceptions_->caught != nullptr;
}

}  // namespace grove

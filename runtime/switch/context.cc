#include "runtime/switch/context.h"

#include <cstdint>
#include <utility>

#if defined(GROVE_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(GROVE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

// The jump is chosen when the library is built (BUILD.bazel): ours where there is one, unless
// --define=grove_switch=boost asks for the other.
#if defined(__x86_64__) && !defined(GROVE_BOOST_SWITCH)
#include "runtime/switch/jump_x86_64.h"
#else
#include "runtime/switch/jump_fcontext.h"
#endif

namespace grove {
namespace {

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
#if defined(GROVE_TSAN)
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

Context::Context(void* stack_low, void* stack_high, Entry entry, void* argument)
    : stack_pointer_(jump::NewStack(stack_low, stack_high, &Context::Start)),
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
  if (argument_ == nullptr) return;  // a native one
  if (tsan_fiber_ == __tsan_get_current_fiber()) {
    doomed_fiber = tsan_fiber_;
  } else {
    __tsan_destroy_fiber(tsan_fiber_);
  }
#endif
}

const int8_t Context::kSavedRegisters[] = {GROVE_SAVED_REGISTERS, Context::kEndOfSaved};

// First thing on a new stack. Its caller is no caller: the unwind chain ends here.
void Context::Start(void* self) {
#if defined(__x86_64__)
  __asm__ volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
  __asm__ volatile(".cfi_undefined x30");
#endif
  Context& context = *static_cast<Context*>(self);
  context.AfterJump();
  std::exchange(context.entry_, nullptr)(context.argument_);
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

[[gnu::always_inline]] inline void Context::Jump(Context& from, Context& to) {
  if (to.entry_ != nullptr)
    return jump::Begin(&from.stack_pointer_, to.stack_pointer_, &Start, &to);
  jump::To(&from.stack_pointer_, to.stack_pointer_);
}

void Context::Switch(Context& from, Context& to) {
  BeforeJump(from, to, /*for_good=*/false);
  Jump(from, to);
  from.AfterJump();
}

void Context::Leave(Context& from, Context& to) {
  BeforeJump(from, to, /*for_good=*/true);
  Jump(from, to);
}

}  // namespace grove

// Context: a suspended point of execution on a stack of its own, and the switch between two of
// them.
//
// The only place that jumps between stacks, by one of two jumps:
//  - for x86-64 one of our own (jump_x86_64.h). All fibers of a thread share the floating-point
//    control words: code that changes a rounding mode sets it back before it parks.
//  - for every other processor Boost.Context's fcontext (jump_fcontext.h); on x86-64 too, if the
//    build asks for it (--config=boost-switch). It saves those words with each stack: stmxcsr and
//    fnstcw then wait for the pipeline whenever the status flags of the two contexts differ, as
//    they do in any program that computes: 66 ns a jump were measured instead of 4.
// With both, the innermost frame of a suspended stack is the one that called Switch(), and the
// outermost is Start(). Nothing but context.cc knows which one it is: the rest of the program is
// the same code.
//
// Beyond the jump it marks the end of the unwind chain, and tells ASan and TSan. The thread's C++
// exception state stays as it is: see runtime/switch/exception_state.h for why nobody misses it.
//
// A context belongs to the thread that prepared it.
#ifndef GROVE_RUNTIME_SWITCH_CONTEXT_H_
#define GROVE_RUNTIME_SWITCH_CONTEXT_H_

#include <cstddef>
#include <cstdint>

namespace grove {

class Context {
 public:
  // Must not return: it ends with Leave().
  using Entry = void (*)(void* argument);

  // The calling thread's own stack: something to switch away from and back to.
  Context();
  // Starts `entry(argument)` on [stack_low, stack_high) at the first switch to it.
  Context(void* stack_low, void* stack_high, Entry entry, void* argument);
  ~Context();

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Saves the caller in `from` and continues `to`. Returns when something switches to `from`.
  // Requires, as Leave: not in a catch block, nor while unwinding.
  static void Switch(Context& from, Context& to);
  // Continues `to` for good: the caller's stack may be reused at once. It does not return, but the
  // compiler must not know: it would make a call of it, where a jump keeps calls and returns even.
  static void Leave(Context& from, Context& to);

  // Where a suspended context's stack ends, for unwinding: the registers that the jump saved lie
  // there, a word each, in the order of kSavedRegisters.
  void* stack_pointer() const { return stack_pointer_; }
  // By their DWARF numbers; the return address is the last. Without one: not known here.
  static constexpr int8_t kNotSaved = -1;    // the word holds something else
  static constexpr int8_t kEndOfSaved = -2;  // after the last
  static const int8_t kSavedRegisters[];
  // Where one begins that has never been switched to, whatever its stack says.
  static uintptr_t FirstInstruction() { return reinterpret_cast<uintptr_t>(&Start); }
  // Where stack_pointer() is kept, for debuggers.
  static constexpr size_t kStackPointerOffset = 0;
  // For a native context that another thread made: from now on it is that of the calling one.
  void BindToThread();

 private:
  friend struct GdbTable;

  static void Start(void* self);
  static void Jump(Context& from, Context& to);
  static void BeforeJump(Context& from, Context& to, bool for_good);
  void AfterJump();

  void* stack_pointer_ = nullptr;
  Entry entry_ = nullptr;  // null once it has begun
  void* argument_ = nullptr;
#if defined(GROVE_ASAN)
  const void* stack_low_ = nullptr;
  size_t stack_bytes_ = 0;
  void* fake_stack_ = nullptr;
  Context* came_from_ = nullptr;
#endif
#if defined(GROVE_TSAN)
  void* tsan_fiber_ = nullptr;
#endif
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SWITCH_CONTEXT_H_

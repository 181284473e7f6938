// UnwindStep: from one frame of a stack to its caller, by the unwind tables of the program.
//
// Reads .eh_frame of the module that holds the program counter (found with _dl_find_object, which
// takes no lock) and runs its call-frame instructions (DWARF 5, 6.4; LSB 5.0 core, 10.6). Every
// read of the stack is checked against its bounds: a stack that was overwritten ends the walk and
// harms nothing. libgcc's unwinder trusts what it reads, and cannot start from saved registers.
// Allocates nothing and takes no lock: for signal handlers too. Any thread.
#ifndef GROVE_RUNTIME_WATCH_UNWIND_TABLES_H_
#define GROVE_RUNTIME_WATCH_UNWIND_TABLES_H_

#include <array>
#include <cstdint>

namespace grove {

// [low, high): the only memory that a walk may read as stack.
struct StackBounds {
  uintptr_t low = 0;
  uintptr_t high = 0;
  // Of another process's stack: from there to the copy that is read.
  intptr_t copy = 0;

  // Whether a word lies at `address`.
  bool HasWord(uintptr_t address) const {
    return address >= low && address < high && high - address >= sizeof(uintptr_t) &&
           address % sizeof(uintptr_t) == 0;
  }
};

// The registers of a frame, by their DWARF numbers (System V ABI for x86-64, figure 3.36).
struct FrameRegisters {
  static constexpr int kRbx = 3;
  static constexpr int kRbp = 6;
  static constexpr int kRsp = 7;
  static constexpr int kR12 = 12;  // to r15 = 15
  static constexpr int kReturnAddress = 16;

  std::array<uintptr_t, 17> values{};

  uintptr_t pc() const { return values[kReturnAddress]; }
  uintptr_t sp() const { return values[kRsp]; }
  uintptr_t frame() const { return values[kRbp]; }
};

enum class Step : uint8_t {
  kCaller,   // `frame` is the caller's now
  kEnd,      // the frame is the outermost one
  kUnknown,  // no table, or one that says what is not supported: `frame` is unchanged
};

// Where the unwind tables of code are that this process does not run.
class CodeTables {
 public:
  struct Place {
    const uint8_t* header = nullptr;  // .eh_frame_hdr, as mapped here; null: there is none
    uintptr_t pc = 0;                 // as the tables have it
  };
  virtual ~CodeTables() = default;
  virtual Place Find(uintptr_t pc) const = 0;
};

// `after_call`: the program counter is a return address, not an interrupted instruction.
// kUnknown too if the caller's frame would not lie above this one within `bounds`.
enum class PcKind : uint8_t { kInterrupted, kAfterCall };
// `tables`: of another process's code; null: of this one's.
Step UnwindStep(FrameRegisters& frame, PcKind pc, const StackBounds& bounds,
                const CodeTables* tables = nullptr);

// Where the function that holds `pc` starts; 0 if no table knows it.
uintptr_t FunctionStart(uintptr_t pc);

// A word of a stack, whatever it holds: not for ASan, which keeps its own marks there.
__attribute__((no_sanitize("address", "thread"))) inline uintptr_t StackWord(uintptr_t address) {
  return *reinterpret_cast<const volatile uintptr_t*>(address);
}

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_UNWIND_TABLES_H_

#include "runtime/watch/unwind_tables.h"

#include <dlfcn.h>

#include <cstddef>
#include <cstring>

namespace grove {
namespace {

// Encodings of pointers (LSB 5.0 core, 10.5.1).
constexpr uint8_t kEncodingOmit = 0xff;
constexpr uint8_t kFormatMask = 0x0f;
constexpr uint8_t kRelativeMask = 0x70;
constexpr uint8_t kPcRelative = 0x10;
constexpr uint8_t kDataRelative4Table = 0x3b;  // sdata4, relative to the header's start

// Reads the bytes of a table, which the linker made: trusted, unlike the stack.
class TableReader {
 public:
  explicit TableReader(const uint8_t* at) : at_(at) {}

  const uint8_t* at() const { return at_; }
  void Skip(uint64_t bytes) { at_ += bytes; }

  template <typename T>
  T Fixed() {
    T value;
    memcpy(&value, at_, sizeof(value));
    at_ += sizeof(value);
    return value;
  }

  uint64_t Unsigned() {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t byte = *at_++;
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }

  int64_t Signed() {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const uint8_t byte = *at_++;
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }

  // Pointers to pointers (0x80) are read like the pointer itself: only its size matters then.
  uintptr_t Encoded(uint8_t encoding) {
    if (encoding == kEncodingOmit) return 0;
    const uintptr_t here = reinterpret_cast<uintptr_t>(at_);
    uintptr_t value = 0;
    switch (encoding & kFormatMask) {
      case 0x01:
        value = Unsigned();
        break;
      case 0x02:
        value = Fixed<uint16_t>();
        break;
      case 0x03:
        value = Fixed<uint32_t>();
        break;
      case 0x09:
        value = static_cast<uintptr_t>(Signed());
        break;
      case 0x0a:
        value = static_cast<uintptr_t>(Fixed<int16_t>());
        break;
      case 0x0b:
        value = static_cast<uintptr_t>(Fixed<int32_t>());
        break;
      default:
        value = Fixed<uint64_t>();
    }
    return (encoding & kRelativeMask) == kPcRelative ? here + value : value;
  }

 private:
  const uint8_t* at_;
};

// What a description entry (FDE) and its common part (CIE) say.
struct Description {
  uint64_t code_align = 1;
  int64_t data_align = 1;
  uint64_t return_register = FrameRegisters::kReturnAddress;
  uint8_t pointer_encoding = 0;
  bool has_augmentation = false;
  bool signal_frame = false;
  const uint8_t* initial = nullptr;
  const uint8_t* initial_end = nullptr;
  const uint8_t* program = nullptr;
  const uint8_t* program_end = nullptr;
  uintptr_t start = 0;
  uintptr_t size = 0;
};

bool ParseCommon(const uint8_t* entry, Description& out) {
  TableReader reader(entry);
  const uint32_t length = reader.Fixed<uint32_t>();
  if (length == 0 || length == 0xffffffff) return false;
  out.initial_end = reader.at() + length;
  reader.Skip(4);  // the CIE's own id: 0
  const uint8_t version = reader.Fixed<uint8_t>();
  if (version != 1 && version != 3) return false;
  const char* augmentation = reinterpret_cast<const char*>(reader.at());
  reader.Skip(strlen(augmentation) + 1);
  out.code_align = reader.Unsigned();
  out.data_align = reader.Signed();
  out.return_register = version == 1 ? reader.Fixed<uint8_t>() : reader.Unsigned();
  out.has_augmentation = *augmentation == 'z';
  if (!out.has_augmentation && *augmentation != '\0') return false;
  if (out.has_augmentation) {
    const uint64_t bytes = reader.Unsigned();
    const uint8_t* const after = reader.at() + bytes;
    for (const char* letter = augmentation + 1; *letter != '\0'; ++letter) {
      if (*letter == 'R') {
        out.pointer_encoding = reader.Fixed<uint8_t>();
      } else if (*letter == 'P') {
        const uint8_t encoding = reader.Fixed<uint8_t>();
        reader.Encoded(encoding);
      } else if (*letter == 'L') {
        reader.Skip(1);
      } else if (*letter == 'S') {
        out.signal_frame = true;
      } else {
        return false;
      }
    }
    reader = TableReader(after);
  }
  out.initial = reader.at();
  return true;
}

bool ParseEntry(const uint8_t* entry, Description& out) {
  TableReader reader(entry);
  const uint32_t length = reader.Fixed<uint32_t>();
  if (length == 0 || length == 0xffffffff) return false;
  const uint8_t* const id_at = reader.at();
  out.program_end = id_at + length;
  if (!ParseCommon(id_at - reader.Fixed<uint32_t>(), out)) return false;
  out.start = reader.Encoded(out.pointer_encoding);
  out.size = reader.Encoded(out.pointer_encoding & kFormatMask);
  if (out.has_augmentation) reader.Skip(reader.Unsigned());
  out.program = reader.at();
  return true;
}

CodeTables::Place PlaceOf(uintptr_t pc, const CodeTables* tables) {
  if (tables != nullptr) return tables->Find(pc);
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) return {};
  return {.header = static_cast<const uint8_t*>(object.dlfo_eh_frame), .pc = pc};
}

// The header's table is sorted by start address: pairs of offsets from the header to the function
// and to its entry.
bool FindDescription(const CodeTables::Place& place, Description& out) {
  const uint8_t* const header = place.header;
  const uintptr_t pc = place.pc;
  if (header == nullptr || header[0] != 1 || header[3] != kDataRelative4Table) return false;
  TableReader reader(header + 4);
  reader.Encoded(header[1]);
  const uintptr_t count = reader.Encoded(header[2]);
  if (count == 0) return false;
  struct Row {
    int32_t start;
    int32_t entry;
  };
  const uint8_t* const table = reader.at();
  const auto row = [table](uintptr_t index) {
    return TableReader(table + index * sizeof(Row)).Fixed<Row>();
  };
  const int64_t wanted = static_cast<int64_t>(pc - reinterpret_cast<uintptr_t>(header));
  if (row(0).start > wanted) return false;
  uintptr_t low = 0;
  uintptr_t high = count;  // row(low).start <= wanted < row(high).start
  while (high - low > 1) {
    const uintptr_t middle = low + (high - low) / 2;
    (row(middle).start <= wanted ? low : high) = middle;
  }
  if (!ParseEntry(header + row(low).entry, out)) return false;
  return pc - out.start < out.size;
}

// How the caller's registers are found: the CFA, and the place of each saved one relative to it.
struct Rules {
  enum class Kind : uint8_t { kSame, kUndefined, kAtOffset, kUnsupported };
  struct Rule {
    Kind kind = Kind::kSame;
    int64_t offset = 0;
  };
  static constexpr size_t kRegisters = 17;

  std::array<Rule, kRegisters> registers{};
  uint64_t cfa_register = FrameRegisters::kRsp;
  int64_t cfa_offset = 0;
  bool cfa_unsupported = false;

  void Set(uint64_t number, Rule rule) {
    if (number < kRegisters) registers[number] = rule;  // the others hold floating-point values
  }
};

// Runs call-frame instructions (DWARF 5, 6.4.2) up to a place in the function.
class Program {
 public:
  explicit Program(const Description& description) : description_(description) {}

  // False at an instruction that is not known.
  bool Run(const uint8_t* from, const uint8_t* to, uintptr_t pc);
  void EndOfInitial() { initial_ = rules_; }
  const Rules& rules() const { return rules_; }

 private:
  static constexpr size_t kRemembered = 8;  // compilers nest these once, rarely twice

  bool Extended(uint8_t instruction, TableReader& reader);
  bool DefineCfa(uint8_t instruction, TableReader& reader);
  void AtOffset(uint64_t number, int64_t factored) {
    rules_.Set(number, {Rules::Kind::kAtOffset, factored * description_.data_align});
  }

  const Description& description_;
  Rules rules_;
  Rules initial_;
  std::array<Rules, kRemembered> remembered_;
  size_t remembered_count_ = 0;
  uintptr_t location_ = 0;
};

bool Program::Run(const uint8_t* from, const uint8_t* to, uintptr_t pc) {
  TableReader reader(from);
  location_ = description_.start;
  while (reader.at() < to) {
    const uint8_t instruction = reader.Fixed<uint8_t>();
    const uint8_t operand = instruction & 0x3f;
    uint64_t advance = 0;
    switch (instruction & 0xc0) {
      case 0x40:
        advance = operand;
        break;
      case 0x80:
        AtOffset(operand, static_cast<int64_t>(reader.Unsigned()));
        continue;
      case 0xc0:
        rules_.Set(operand,
                   operand < Rules::kRegisters ? initial_.registers[operand] : Rules::Rule{});
        continue;
      default:
        if (instruction == 0x02) {
          advance = reader.Fixed<uint8_t>();
        } else if (instruction == 0x03) {
          advance = reader.Fixed<uint16_t>();
        } else if (instruction == 0x04) {
          advance = reader.Fixed<uint32_t>();
        } else {
          if (!Extended(instruction, reader)) return false;
          continue;
        }
    }
    location_ += advance * description_.code_align;
    if (location_ > pc) return true;
  }
  return true;
}

bool Program::Extended(uint8_t instruction, TableReader& reader) {
  uint64_t number = 0;
  switch (instruction) {
    case 0x00:  // nop
      return true;
    case 0x05:  // offset_extended
      number = reader.Unsigned();
      AtOffset(number, static_cast<int64_t>(reader.Unsigned()));
      return true;
    case 0x11:  // offset_extended_sf
      number = reader.Unsigned();
      AtOffset(number, reader.Signed());
      return true;
    case 0x06:  // restore_extended
      number = reader.Unsigned();
      if (number < Rules::kRegisters) rules_.Set(number, initial_.registers[number]);
      return true;
    case 0x07:  // undefined
      rules_.Set(reader.Unsigned(), {Rules::Kind::kUndefined, 0});
      return true;
    case 0x08:  // same_value
      rules_.Set(reader.Unsigned(), {});
      return true;
    case 0x0a:  // remember_state
      if (remembered_count_ == kRemembered) return false;
      remembered_[remembered_count_++] = rules_;
      return true;
    case 0x0b:  // restore_state
      if (remembered_count_ == 0) return false;
      rules_ = remembered_[--remembered_count_];
      return true;
    case 0x2e:  // GNU_args_size
      reader.Unsigned();
      return true;
    case 0x10:  // expression
    case 0x16:  // val_expression
      rules_.Set(reader.Unsigned(), {Rules::Kind::kUnsupported, 0});
      reader.Skip(reader.Unsigned());
      return true;
    default:
      return DefineCfa(instruction, reader);
  }
}

bool Program::DefineCfa(uint8_t instruction, TableReader& reader) {
  switch (instruction) {
    case 0x0c:  // def_cfa
      rules_.cfa_register = reader.Unsigned();
      rules_.cfa_offset = static_cast<int64_t>(reader.Unsigned());
      break;
    case 0x12:  // def_cfa_sf
      rules_.cfa_register = reader.Unsigned();
      rules_.cfa_offset = reader.Signed() * description_.data_align;
      break;
    case 0x0d:  // def_cfa_register
      rules_.cfa_register = reader.Unsigned();
      return true;
    case 0x0e:  // def_cfa_offset
      rules_.cfa_offset = static_cast<int64_t>(reader.Unsigned());
      return true;
    case 0x13:  // def_cfa_offset_sf
      rules_.cfa_offset = reader.Signed() * description_.data_align;
      return true;
    case 0x0f:  // def_cfa_expression: lazy binding and signal frames, which need not be walked
      reader.Skip(reader.Unsigned());
      rules_.cfa_unsupported = true;
      return true;
    default:
      return false;
  }
  rules_.cfa_unsupported = false;
  return true;
}

}  // namespace

Step UnwindStep(FrameRegisters& frame, PcKind pc, const StackBounds& bounds,
                const CodeTables* tables) {
  // A call may be a function's last instruction: its return address belongs to the next one.
  const CodeTables::Place place = PlaceOf(frame.pc() - (pc == PcKind::kAfterCall ? 1 : 0), tables);
  Description description;
  if (!FindDescription(place, description)) return Step::kUnknown;
  if (description.return_register != FrameRegisters::kReturnAddress) return Step::kUnknown;
  Program program(description);
  if (!program.Run(description.initial, description.initial_end, UINTPTR_MAX)) {
    return Step::kUnknown;
  }
  program.EndOfInitial();
  if (!program.Run(description.program, description.program_end, place.pc)) return Step::kUnknown;
  const Rules& rules = program.rules();
  if (rules.registers[FrameRegisters::kReturnAddress].kind == Rules::Kind::kUndefined) {
    return Step::kEnd;
  }
  if (rules.cfa_unsupported || rules.cfa_register >= Rules::kRegisters) return Step::kUnknown;
  const uintptr_t cfa = frame.values[rules.cfa_register] + rules.cfa_offset;
  if (cfa <= frame.sp() || cfa > bounds.high) return Step::kUnknown;
  FrameRegisters caller = frame;
  caller.values[FrameRegisters::kRsp] = cfa;
  for (size_t number = 0; number < Rules::kRegisters; ++number) {
    const Rules::Rule& rule = rules.registers[number];
    if (rule.kind == Rules::Kind::kUnsupported) return Step::kUnknown;
    if (rule.kind != Rules::Kind::kAtOffset || number == FrameRegisters::kRsp) continue;
    const uintptr_t address = cfa + rule.offset;
    if (!bounds.HasWord(address)) return Step::kUnknown;
    caller.values[number] = StackWord(address + bounds.copy);
  }
  frame = caller;
  return frame.pc() == 0 ? Step::kEnd : Step::kCaller;
}

uintptr_t FunctionStart(uintptr_t pc) {
  Description description;
  return FindDescription(PlaceOf(pc, nullptr), description) ? description.start : 0;
}

}  // namespace grove

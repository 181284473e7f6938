// CodeImage: the code of an ELF file, for a process that does not run it: its unwind tables and
// the names of its functions.
//
// Maps the file and reads its tables; they are what a linker made, but a file may be cut short, so
// everything is checked against its size. Addresses are the file's own (before relocation).
// Constant after Open(); any thread.
#ifndef GROVE_RUNTIME_WATCH_CODE_IMAGE_H_
#define GROVE_RUNTIME_WATCH_CODE_IMAGE_H_

#include <elf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/watch/unwind_tables.h"

namespace grove {

class CodeImage {
 public:
  // kInvalidArgument: it is no 64-bit ELF file of this processor.
  static absl::StatusOr<std::unique_ptr<CodeImage>> Open(const std::string& path);
  ~CodeImage();
  CodeImage(const CodeImage&) = delete;
  CodeImage& operator=(const CodeImage&) = delete;

  // The address of the byte at `offset`, which lies in an executable segment.
  std::optional<uintptr_t> AddressOfCode(uint64_t offset) const;
  // Of a symbol that is not a function, too.
  std::optional<uintptr_t> AddressOf(std::string_view symbol) const;
  // "grove::Hub::Park()+0x84" for `place`, the function that holds it, and `pc`, the address told;
  // empty if none does.
  std::string NameOf(uintptr_t pc, uintptr_t place) const;
  // Of code at `address`; its header is null if the file has none.
  CodeTables::Place TablesOf(uintptr_t address) const;

 private:
  struct Function {
    uintptr_t start;
    uint64_t size;
    uint32_t name;  // in names_
  };

  CodeImage(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}
  absl::Status ReadSegments();
  void ReadSymbols();
  // Null if the file is too short.
  template <typename T>
  const T* At(uint64_t offset, uint64_t count = 1) const;
  const char* Name(uint32_t at) const;

  const uint8_t* const bytes_;
  const size_t size_;
  std::vector<Elf64_Phdr> segments_;
  const uint8_t* table_ = nullptr;  // .eh_frame_hdr
  intptr_t table_shift_ = 0;        // from an address to what the tables hold of it, as mapped here
  std::vector<Function> functions_;  // by start
  const Elf64_Sym* symbols_ = nullptr;
  uint64_t symbol_count_ = 0;
  std::string_view names_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_CODE_IMAGE_H_

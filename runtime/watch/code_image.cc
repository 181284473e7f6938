#include "runtime/watch/code_image.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

// Longer names, as templates have, are cut.
constexpr size_t kNameMax = 512;

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
constexpr uint16_t kMachine = EM_NONE;
#endif

std::string Demangle(const char* name) {
  int status = 0;
  char* const plain = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string text = status == 0 ? plain : name;
  free(plain);
  if (text.size() > kNameMax) text.resize(kNameMax);
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CodeImage>> CodeImage::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  struct stat file;
  if (fstat(fd, &file) != 0 || file.st_size == 0) {
    close(fd);
    return absl::InvalidArgumentError(absl::StrCat(path, ": no ELF file"));
  }
  const auto size = static_cast<size_t>(file.st_size);
  void* const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (bytes == MAP_FAILED) return ErrnoStatus(errno, path);
  std::unique_ptr<CodeImage> image(new CodeImage(static_cast<const uint8_t*>(bytes), size));
  if (absl::Status read = image->ReadSegments(); !read.ok()) return read;
  image->ReadSymbols();
  return image;
}

CodeImage::~CodeImage() {
  munmap(const_cast<uint8_t*>(bytes_), size_);
}

template <typename T>
const T* CodeImage::At(uint64_t offset, uint64_t count) const {
  if (offset > size_ || offset % alignof(T) != 0 || count > (size_ - offset) / sizeof(T)) {
    return nullptr;
  }
  return reinterpret_cast<const T*>(bytes_ + offset);
}

absl::Status CodeImage::ReadSegments() {
  const auto* header = At<Elf64_Ehdr>(0);
  if (header == nullptr || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != kMachine) {
    return absl::InvalidArgumentError("no 64-bit ELF file of this processor");
  }
  const auto* segments = At<Elf64_Phdr>(header->e_phoff, header->e_phnum);
  if (segments == nullptr) return absl::InvalidArgumentError("an ELF file that is cut short");
  segments_.assign(segments, segments + header->e_phnum);
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_GNU_EH_FRAME) continue;
    // The tables name code by its distance from themselves, in the file's addresses.
    table_ = At<uint8_t>(segment.p_offset, segment.p_filesz);
    if (table_ != nullptr) {
      table_shift_ = reinterpret_cast<intptr_t>(table_) - static_cast<intptr_t>(segment.p_vaddr);
    }
  }
  return absl::OkStatus();
}

void CodeImage::ReadSymbols() {
  const auto* header = At<Elf64_Ehdr>(0);
  const auto* sections = At<Elf64_Shdr>(header->e_shoff, header->e_shnum);
  if (sections == nullptr) return;
  const Elf64_Shdr* table = nullptr;
  for (uint16_t i = 0; i < header->e_shnum; ++i) {
    // The whole table where there is one; else what the file exports.
    if (sections[i].sh_type == SHT_SYMTAB) table = &sections[i];
    if (sections[i].sh_type == SHT_DYNSYM && table == nullptr) table = &sections[i];
  }
  if (table == nullptr || table->sh_link >= header->e_shnum) return;
  const Elf64_Shdr& names = sections[table->sh_link];
  const char* const text = At<char>(names.sh_offset, names.sh_size);
  symbol_count_ = table->sh_size / sizeof(Elf64_Sym);
  symbols_ = At<Elf64_Sym>(table->sh_offset, symbol_count_);
  if (text == nullptr || symbols_ == nullptr || names.sh_size == 0 ||
      text[names.sh_size - 1] != '\0') {
    symbol_count_ = 0;
    return;
  }
  names_ = std::string_view(text, names.sh_size);
  for (uint64_t i = 0; i < symbol_count_; ++i) {
    const Elf64_Sym& symbol = symbols_[i];
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
    functions_.push_back({symbol.st_value, symbol.st_size, symbol.st_name});
  }
  std::sort(functions_.begin(), functions_.end(),
            [](const Function& a, const Function& b) { return a.start < b.start; });
}

const char* CodeImage::Name(uint32_t at) const {
  return at < names_.size() ? names_.data() + at : "";
}

std::optional<uintptr_t> CodeImage::AddressOfCode(uint64_t offset) const {
  for (const Elf64_Phdr& segment : segments_) {
    // A mapping begins with the page that the segment's first byte lies in.
    const uint64_t first = segment.p_offset & ~uint64_t{4095};
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    if (offset < first || offset >= segment.p_offset + segment.p_filesz) continue;
    return segment.p_vaddr - segment.p_offset + offset;
  }
  return std::nullopt;
}

std::optional<uintptr_t> CodeImage::AddressOf(std::string_view symbol) const {
  for (uint64_t i = 0; i < symbol_count_; ++i) {
    if (symbols_[i].st_value != 0 && symbol == Name(symbols_[i].st_name)) {
      return symbols_[i].st_value;
    }
  }
  return std::nullopt;
}

std::string CodeImage::NameOf(uintptr_t pc, uintptr_t place) const {
  auto after = std::upper_bound(functions_.begin(), functions_.end(), place,
                                [](uintptr_t at, const Function& each) { return at < each.start; });
  if (after == functions_.begin()) return "";
  const Function& function = *std::prev(after);
  if (function.size != 0 && place - function.start >= function.size) return "";
  return absl::StrFormat("%s+0x%x", Demangle(Name(function.name)), pc - function.start);
}

CodeTables::Place CodeImage::TablesOf(uintptr_t address) const {
  return {.header = table_, .pc = address + static_cast<uintptr_t>(table_shift_)};
}

}  // namespace grove

// A library calls what lies elsewhere by way of slots (its global offset
// table), which the loader fills in, or has filled in by the first call. Which
// slot is whose stands in its relocations (elf(5)): what is done here is what
// the loader does for them, with a symbol of the program. After that the loader
// makes most tables read-only (RELRO), which is lifted for the moment of the
// write.
#include "runtime/green/green_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

constexpr const char* kCalls[] = {
    "accept",
    "accept4",
    "clock_nanosleep",
    "connect",
    "epoll_wait",
    "fdatasync",
    "fsync",
    "getaddrinfo",
    "getnameinfo",
    "nanosleep",
    "poll",
    "__poll_chk",
    "ppoll",
    "pselect",
    "pthread_cond_timedwait",
    "pthread_cond_wait",
    "pthread_mutex_lock",
    "pthread_mutex_trylock",
    "pthread_mutex_unlock",
    "read",
    "__read_chk",
    "readv",
    "recv",
    "__recv_chk",
    "recvfrom",
    "recvmsg",
    "select",
    "send",
    "sendmsg",
    "sendto",
    "sleep",
    "usleep",
    "waitpid",
    "write",
    "writev",
};

#if defined(__x86_64__)
constexpr bool kIsKnown = true;
bool IsSlot(uint64_t type) {
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
}
#elif defined(__aarch64__)
constexpr bool kIsKnown = true;
bool IsSlot(uint64_t type) {
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
}
#else
constexpr bool kIsKnown = false;
bool IsSlot(uint64_t) {
  return false;
}
#endif

// Of a library's dynamic section, where the loader has put addresses in place
// of offsets.
struct Tables {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  struct Relocations {
    const ElfW(Rela) * first = nullptr;
    size_t bytes = 0;
  };
  Relocations calls;  // of functions
  Relocations data;   // and of addresses of functions
};

Tables TablesOf(const link_map& map) {
  Tables tables;
  for (const ElfW(Dyn)* entry = map.l_ld; entry->d_tag != DT_NULL; ++entry) {
    const ElfW(Addr) address = entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        tables.symbols = reinterpret_cast<const ElfW(Sym)*>(address);
        break;
      case DT_STRTAB:
        tables.names = reinterpret_cast<const char*>(address);
        break;
      case DT_JMPREL:
        tables.calls.first = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_PLTRELSZ:
        tables.calls.bytes = entry->d_un.d_val;
        break;
      case DT_RELA:
        tables.data.first = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_RELASZ:
        tables.data.bytes = entry->d_un.d_val;
        break;
      default:
        break;
    }
  }
  return tables;
}

// Null: it is not one of these.
void* OursOf(const char* name) {
  for (const char* const call : kCalls) {
    if (strcmp(call, name) == 0) return dlsym(RTLD_DEFAULT, name);
  }
  return nullptr;
}

// What the loader has made read-only once it was filled in.
struct Sealed {
  ElfW(Addr) base;  // whose
  uintptr_t begin = 0;
  uintptr_t end = 0;
};

int FindSealed(dl_phdr_info* object, size_t, void* into) {
  auto& sealed = *static_cast<Sealed*>(into);
  if (object->dlpi_addr != sealed.base) return 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_GNU_RELRO) continue;
    sealed.begin = object->dlpi_addr + part.p_vaddr;
    sealed.end = sealed.begin + part.p_memsz;
  }
  return 1;
}

absl::Status Write(void** slot, void* value, const Sealed& sealed) {
  const auto address = reinterpret_cast<uintptr_t>(slot);
  const bool is_sealed = address >= sealed.begin && address < sealed.end;
  const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  void* const page = reinterpret_cast<void*>(address & ~(page_bytes - 1));
  if (is_sealed && mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0) {
    return ErrnoStatus(errno, "mprotect of a library's table");
  }
  __atomic_store_n(slot, value, __ATOMIC_RELEASE);
  if (is_sealed && mprotect(page, page_bytes, PROT_READ) != 0) {
    return ErrnoStatus(errno, "mprotect of a library's table");
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Redirect(const link_map& map, const Tables& tables,
                             const Tables::Relocations& relocations, const Sealed& sealed) {
  if (tables.symbols == nullptr || tables.names == nullptr || relocations.first == nullptr) {
    return 0;
  }
  int redirected = 0;
  for (size_t i = 0; i < relocations.bytes / sizeof(ElfW(Rela)); ++i) {
    const ElfW(Rela)& relocation = relocations.first[i];
    if (!IsSlot(ELF64_R_TYPE(relocation.r_info))) continue;
    const ElfW(Sym)& symbol = tables.symbols[ELF64_R_SYM(relocation.r_info)];
    // What it defines itself is its own.
    if (symbol.st_shndx != SHN_UNDEF) continue;
    void* const ours = OursOf(tables.names + symbol.st_name);
    auto** const slot = reinterpret_cast<void**>(map.l_addr + relocation.r_offset);
    if (ours == nullptr || *slot == ours) continue;
    if (absl::Status written = Write(slot, ours, sealed); !written.ok()) return written;
    ++redirected;
  }
  return redirected;
}

}  // namespace

absl::Span<const char* const> GreenedCalls() {
  return kCalls;
}

absl::StatusOr<int> GreenLibrary(void* library) {
  if (!kIsKnown) return absl::UnimplementedError("GreenLibrary: not on this processor");
  link_map* map = nullptr;
  Lmid_t space = LM_ID_BASE;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || dlinfo(library, RTLD_DI_LMID, &space) != 0) {
    return absl::InvalidArgumentError(StrCat("GreenLibrary: ", dlerror()));
  }
  if (space != LM_ID_BASE) {
    return absl::FailedPreconditionError(
        StrCat("GreenLibrary: ", map->l_name, " is in another namespace, with a libc of its own"));
  }
  const Tables tables = TablesOf(*map);
  Sealed sealed{.base = map->l_addr};
  dl_iterate_phdr(&FindSealed, &sealed);
  int redirected = 0;
  for (const Tables::Relocations* part : {&tables.calls, &tables.data}) {
    absl::StatusOr<int> some = Redirect(*map, tables, *part, sealed);
    if (!some.ok()) return some.status();
    redirected += *some;
  }
  return redirected;
}

}  // namespace grove

#include "runtime/watch/outside_fibers.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/gdb_table_words.h"
#include "runtime/hub/wait_for.h"
#include "runtime/switch/context.h"
#include "runtime/watch/stack_trace.h"

namespace grove {
namespace {

// What a damaged list may not exceed.
constexpr size_t kHubsMax = 64;
constexpr size_t kFibersMax = 10'000'000;
constexpr size_t kFiberBytesMax = 4096;
// Of a stack, what is in use; deeper ones are walked as far as this.
constexpr size_t kStackBytesMax = 256 << 10;
// Context::kSavedRegisters.
constexpr size_t kSavedMax = 64;

struct StringWords {
  uintptr_t data;
  uint64_t size;
};

// Of one fiber, as it stood at one moment.
class FiberBytes {
 public:
  explicit FiberBytes(size_t bytes) : bytes_(bytes) {}

  absl::Status Read(const ProcessMemory& memory, uintptr_t address) {
    return memory.Read(address, bytes_.data(), bytes_.size());
  }
  template <typename T>
  T Get(uint64_t offset) const {
    T value;
    memcpy(&value, bytes_.data() + offset, sizeof(value));
    return value;
  }

 private:
  std::vector<char> bytes_;
};

}  // namespace

// Where the tables of a process's code are.
class OutsideReader::Tables final : public CodeTables {
 public:
  explicit Tables(std::vector<Mapping> mappings) : mappings_(std::move(mappings)) {}

  Place Find(uintptr_t pc) const override {
    const Mapping* mapping = MappingOf(pc);
    if (mapping == nullptr || mapping->image == nullptr) return {};
    return mapping->image->TablesOf(pc - mapping->base);
  }

  std::string NameOf(uintptr_t pc, uintptr_t place) const {
    const Mapping* mapping = MappingOf(place);
    if (mapping == nullptr) return "(unknown)";
    std::string name;
    if (mapping->image != nullptr) {
      name = mapping->image->NameOf(pc - mapping->base, place - mapping->base);
    }
    if (!name.empty()) return name;
    return absl::StrFormat("(%s+0x%x)", mapping->file, pc - mapping->base);
  }

  // The address of a symbol of the program's own.
  uintptr_t AddressOf(std::string_view symbol) const {
    for (const Mapping& mapping : mappings_) {
      if (mapping.image == nullptr) continue;
      if (const auto address = mapping.image->AddressOf(symbol)) return *address + mapping.base;
      return 0;
    }
    return 0;
  }

 private:
  const Mapping* MappingOf(uintptr_t pc) const {
    for (const Mapping& mapping : mappings_) {
      if (pc >= mapping.start && pc < mapping.end) return &mapping;
    }
    return nullptr;
  }

  const std::vector<Mapping> mappings_;  // the program's own first
};

// One reading of one process.
class OutsideReader::Walk {
 public:
  Walk(pid_t pid, const Tables& tables) : memory_(pid), tables_(tables) {}

  absl::Status Begin();
  absl::StatusOr<OutsideFibers> List(uint64_t after, size_t limit, Stacks stacks);

 private:
  absl::Status AddFibersOf(uintptr_t hub, std::vector<std::pair<uint64_t, uintptr_t>>& found);
  // False if it has ended, or is in the middle of a change.
  bool Describe(uintptr_t address, uint64_t id, Stacks stacks, OutsideFiber& fiber);
  std::string TextOf(const FiberBytes& bytes, uint64_t offset) const;
  std::string WaitingFor(const FiberBytes& bytes) const;
  void AddLabel(const FiberBytes& bytes, OutsideFiber& fiber) const;
  std::vector<std::string> StackOf(const FiberBytes& bytes) const;

  const ProcessMemory memory_;
  const Tables& tables_;
  GdbTableWords table_{};
  size_t fiber_bytes_ = 0;
  std::array<int8_t, kSavedMax> saved_{};
};

absl::Status OutsideReader::Walk::Begin() {
  const uintptr_t address = tables_.AddressOf("grove_gdb_table");
  if (address == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", memory_.pid(), " has no symbol grove_gdb_table: is it stripped?"));
  }
  if (absl::Status read = memory_.Read(address, &table_, sizeof(table_)); !read.ok()) return read;
  if (table_.magic != GdbTableWords::kMagic || table_.version != GdbTableWords::kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", memory_.pid(), " is of another release"));
  }
  for (const uint64_t offset :
       {table_.fiber_id, table_.fiber_name, table_.fiber_site, table_.fiber_state,
        table_.fiber_waiting_kind, table_.fiber_waiting_fd, table_.fiber_waiting_object,
        table_.fiber_stack_pointer, table_.fiber_stack_low, table_.fiber_stack_high,
        table_.fiber_switches, table_.fiber_group, table_.fiber_label, table_.fiber_spawned_at}) {
    fiber_bytes_ = std::max<size_t>(fiber_bytes_, offset + 2 * sizeof(uint64_t));
  }
  if (fiber_bytes_ > kFiberBytesMax) return absl::FailedPreconditionError("a table of nonsense");
  return memory_.Read(table_.saved_registers, saved_.data(), saved_.size());
}

absl::StatusOr<OutsideFibers> OutsideReader::Walk::List(uint64_t after, size_t limit,
                                                        Stacks stacks) {
  std::vector<std::pair<uint64_t, uintptr_t>> found;
  uintptr_t registration = table_.first;
  for (size_t hubs = 0; registration != 0 && hubs < kHubsMax; ++hubs) {
    const auto hub = memory_.Get<uintptr_t>(registration + table_.registration_hub);
    if (!hub.ok()) return hub.status();
    if (absl::Status added = AddFibersOf(*hub, found); !added.ok()) return added;
    const auto next = memory_.Get<uintptr_t>(registration + table_.registration_next);
    if (!next.ok()) return next.status();
    registration = *next;
  }
  std::sort(found.begin(), found.end());
  OutsideFibers list;
  for (const auto& [id, address] : found) {
    if (id <= after) continue;
    if (list.fibers.size() == limit) {
      list.more = true;
      break;
    }
    OutsideFiber fiber;
    if (Describe(address, id, stacks, fiber)) list.fibers.push_back(std::move(fiber));
  }
  return list;
}

absl::Status OutsideReader::Walk::AddFibersOf(uintptr_t hub,
                                              std::vector<std::pair<uint64_t, uintptr_t>>& found) {
  struct Bounds {
    uintptr_t begin;
    uintptr_t end;
  };
  const auto bounds = memory_.Get<Bounds>(hub + table_.hub_fibers);
  if (!bounds.ok()) return bounds.status();
  if (bounds->end < bounds->begin) return absl::OkStatus();
  std::vector<uintptr_t> slots(
      std::min<size_t>((bounds->end - bounds->begin) / sizeof(uintptr_t), kFibersMax));
  absl::Status read = memory_.Read(bounds->begin, slots.data(), slots.size() * sizeof(uintptr_t));
  if (!read.ok()) return read;
  for (const uintptr_t address : slots) {
    if (address == 0) continue;
    const auto id = memory_.Get<uint64_t>(address + table_.fiber_id);
    if (id.ok() && *id != 0) found.emplace_back(*id, address);
  }
  return absl::OkStatus();
}

std::string OutsideReader::Walk::TextOf(const FiberBytes& bytes, uint64_t offset) const {
  const uint64_t size_at = 8 - table_.string_view_data;
  return memory_.Text(bytes.Get<uintptr_t>(offset + table_.string_view_data),
                      bytes.Get<uint64_t>(offset + size_at));
}

std::string OutsideReader::Walk::WaitingFor(const FiberBytes& bytes) const {
  const auto kind = static_cast<WaitFor::Kind>(bytes.Get<uint8_t>(table_.fiber_waiting_kind));
  if (kind == WaitFor::Kind::kNothing) return "";
  const std::string_view name = WaitForKindName(kind);
  const auto fd = bytes.Get<int32_t>(table_.fiber_waiting_fd);
  const auto object = bytes.Get<uintptr_t>(table_.fiber_waiting_object);
  if (kind == WaitFor::Kind::kJoin) {
    const auto id = memory_.Get<uint64_t>(object + table_.fiber_id);
    return id.ok() ? absl::StrFormat("join of fiber %d", *id) : std::string(name);
  }
  if (fd >= 0) return absl::StrFormat("%s fd %d", name, fd);
  if (object != 0) return absl::StrFormat("%s 0x%x", name, object);
  return std::string(name);
}

void OutsideReader::Walk::AddLabel(const FiberBytes& bytes, OutsideFiber& fiber) const {
  const auto label = bytes.Get<uintptr_t>(table_.fiber_label);
  if (label == 0 || table_.label_known == 0) return;
  const auto tenant = memory_.Get<StringWords>(label + table_.label_tenant);
  const auto task = memory_.Get<StringWords>(label + table_.label_task);
  if (!tenant.ok() || !task.ok()) return;
  fiber.tenant = memory_.Text(tenant->data, tenant->size);
  fiber.task = memory_.Text(task->data, task->size);
}

bool OutsideReader::Walk::Describe(uintptr_t address, uint64_t id, Stacks stacks,
                                   OutsideFiber& fiber) {
  FiberBytes bytes(fiber_bytes_);
  if (!bytes.Read(memory_, address).ok()) return false;
  const auto state = bytes.Get<uint8_t>(table_.fiber_state);
  if (bytes.Get<uint64_t>(table_.fiber_id) != id) return false;
  if (state >= static_cast<uint8_t>(FiberState::kEnded)) return false;
  fiber.id = id;
  fiber.state = static_cast<FiberState>(state);
  fiber.name = TextOf(bytes, table_.fiber_name);
  fiber.group = TextOf(bytes, table_.fiber_group);
  fiber.spawn_site = absl::StrCat(memory_.CString(bytes.Get<uintptr_t>(table_.fiber_site)), ":",
                                  bytes.Get<uint32_t>(table_.fiber_site + sizeof(uintptr_t)));
  if (fiber.state == FiberState::kParked) fiber.waiting_for = WaitingFor(bytes);
  AddLabel(bytes, fiber);
  fiber.spawned_at = bytes.Get<int64_t>(table_.fiber_spawned_at);
  fiber.switches = bytes.Get<uint64_t>(table_.fiber_switches);
  fiber.stack_bytes =
      bytes.Get<uintptr_t>(table_.fiber_stack_high) - bytes.Get<uintptr_t>(table_.fiber_stack_low);
  if (stacks == Stacks::kYes && fiber.state != FiberState::kRunning) fiber.stack = StackOf(bytes);
  return true;
}

std::vector<std::string> OutsideReader::Walk::StackOf(const FiberBytes& bytes) const {
  const auto low = bytes.Get<uintptr_t>(table_.fiber_stack_low);
  const auto high = bytes.Get<uintptr_t>(table_.fiber_stack_high);
  auto at = bytes.Get<uintptr_t>(table_.fiber_stack_pointer);
  if (at < low || at >= high || at % sizeof(uintptr_t) != 0) return {};
  std::vector<uintptr_t> words(std::min(high - at, kStackBytesMax) / sizeof(uintptr_t));
  if (!memory_.Read(at, words.data(), words.size() * sizeof(uintptr_t)).ok()) return {};
  const StackBounds bounds{
      .low = at,
      .high = at + words.size() * sizeof(uintptr_t),
      .copy = reinterpret_cast<intptr_t>(words.data()) - static_cast<intptr_t>(at)};
  FrameRegisters frame;
  for (const int8_t number : saved_) {
    if (number == Context::kEndOfSaved) break;
    if (!bounds.HasWord(at)) return {};
    if (number >= 0 && static_cast<size_t>(number) < frame.values.size()) {
      frame.values[number] = StackWord(at + bounds.copy);
    }
    at += sizeof(uintptr_t);
  }
  if (frame.pc() == 0) return {};
  frame.values[FrameRegisters::kRsp] = at;
  PcKind first = PcKind::kAfterCall;
  if (bytes.Get<uint64_t>(table_.fiber_switches) == 0) {
    // It is about to enter its first function, which the registers need not say yet.
    frame.values[FrameRegisters::kRbp] = 0;
    frame.values[FrameRegisters::kReturnAddress] = table_.context_start;
    first = PcKind::kInterrupted;
  }
  return FormatFrames(TraceFrom(frame, first, bounds, &tables_),
                      [this](uintptr_t pc, uintptr_t place) { return tables_.NameOf(pc, place); });
}

std::shared_ptr<const CodeImage> OutsideReader::ImageOf(const FileId& file,
                                                        const std::string& path) {
  if (const auto known = images_.find(file); known != images_.end()) return known->second;
  struct stat found;
  if (stat(path.c_str(), &found) != 0 || found.st_ino != file.second) return nullptr;
  if (images_.size() >= kImagesMax) images_.clear();
  absl::StatusOr<std::unique_ptr<CodeImage>> image = CodeImage::Open(path);
  std::shared_ptr<const CodeImage> kept = image.ok() ? *std::move(image) : nullptr;
  images_[file] = kept;
  return kept;
}

// The lines of /proc/PID/maps (proc(5)) that hold code:
// "55d3c0a00000-55d3c0b00000 r-xp 00200000 fe:01 1234   /usr/bin/groved".
absl::StatusOr<std::vector<OutsideReader::Mapping>> OutsideReader::MappingsOf(pid_t pid) {
  const std::string folder = absl::StrCat("/proc/", pid);
  struct stat program;
  std::ifstream maps(folder + "/maps");
  if (!maps.good()) return absl::NotFoundError(absl::StrCat("process ", pid, " is gone"));
  if (stat((folder + "/exe").c_str(), &program) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("the program of process ", pid, " may not be read"));
  }
  std::vector<Mapping> mappings;
  for (std::string line; std::getline(maps, line);) {
    uint64_t start = 0, end = 0, offset = 0, inode = 0;
    unsigned major_number = 0, minor_number = 0;
    char rights[5] = "";
    int path_at = 0;
    if (sscanf(line.c_str(), "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, rights, &offset,
               &major_number, &minor_number, &inode, &path_at) < 7) {
      continue;
    }
    if (rights[2] != 'x' || inode == 0) continue;
    const bool own = inode == program.st_ino;
    const std::string path = line.substr(static_cast<size_t>(path_at));
    Mapping mapping{.start = start, .end = end, .file = path.substr(path.rfind('/') + 1)};
    // Also of a program that was replaced since: this still leads to the one that runs.
    mapping.image = ImageOf({makedev(major_number, minor_number), inode},
                            own ? folder + "/exe" : folder + "/root" + path);
    const auto address = mapping.image != nullptr ? mapping.image->AddressOfCode(offset)
                                                  : std::optional<uintptr_t>(offset);
    mapping.base = start - address.value_or(offset);
    mappings.insert(own ? mappings.begin() : mappings.end(), std::move(mapping));
  }
  return mappings;
}

absl::StatusOr<OutsideFibers> OutsideReader::Read(pid_t pid, uint64_t after, size_t limit,
                                                  Stacks stacks) {
  const std::lock_guard lock(mutex_);
  absl::StatusOr<std::vector<Mapping>> mappings = MappingsOf(pid);
  if (!mappings.ok()) return mappings.status();
  const Tables tables(*std::move(mappings));
  Walk walk(pid, tables);
  if (absl::Status begun = walk.Begin(); !begun.ok()) return begun;
  return walk.List(after, limit, stacks);
}

}  // namespace grove

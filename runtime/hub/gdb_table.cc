#include "runtime/hub/gdb_table.h"

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "runtime/hub/gdb_table_words.h"
#include "runtime/hub/hub.h"

// The offsets are those of classes without virtual bases, which GCC and clang define.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace grove {

// Read by tools/gdb/grove_gdb.py and runtime/watch/outside_fibers.h, member by member, each 8
// bytes: as GdbTableWords.
struct GdbTable {
  uint64_t magic = GdbTableWords::kMagic;
  uint64_t version = GdbTableWords::kVersion;
  HubRegistration* first = nullptr;
  uint64_t registration_hub = offsetof(HubRegistration, hub_);
  uint64_t registration_next = offsetof(HubRegistration, next_);
  uint64_t hub_fibers = offsetof(Hub, fibers_);  // std::vector: begin, end
  uint64_t hub_running = offsetof(Hub, running_);
  uint64_t fiber_id = offsetof(Fiber, id_);
  uint64_t fiber_name = offsetof(Fiber, name_);  // std::string_view: two words
  uint64_t fiber_site = offsetof(Fiber, site_);  // SourceLocation: file, line (32 bits)
  uint64_t fiber_state = offsetof(Fiber, state_);
  uint64_t fiber_waiting_kind = offsetof(Fiber, waiting_for_) + offsetof(WaitFor, kind);
  uint64_t fiber_waiting_fd = offsetof(Fiber, waiting_for_) + offsetof(WaitFor, fd);
  uint64_t fiber_waiting_object = offsetof(Fiber, waiting_for_) + offsetof(WaitFor, object);
  uint64_t fiber_stack_pointer = offsetof(Fiber, context_) + Context::kStackPointerOffset;
  uint64_t fiber_stack_low = offsetof(Fiber, stack_) + offsetof(Stack, low);
  uint64_t fiber_stack_high = offsetof(Fiber, stack_) + offsetof(Stack, high);
#if defined(__GLIBCXX__)
  uint64_t string_view_data = 8;  // after the size
#else
  uint64_t string_view_data = 0;
#endif
  const int8_t* saved_registers = Context::kSavedRegisters;  // at a stack pointer; DWARF numbers
  uint64_t fiber_switches = offsetof(Fiber, switches_);      // 0: it has not run yet …
  void (*context_start)(void*) = &Context::Start;            // … and will begin there
  uint64_t fiber_group = offsetof(Fiber, group_);
  uint64_t fiber_spawned_at = offsetof(Fiber, spawned_at_);
  uint64_t fiber_label = offsetof(Fiber, label_);  // std::shared_ptr: begins with the address
#if defined(__GLIBCXX__)
  uint64_t label_known = 1;
#else
  uint64_t label_known = 0;
#endif
  uint64_t label_tenant = offsetof(FiberLabel, tenant);
  uint64_t label_task = offsetof(FiberLabel, task);

  void Add(HubRegistration& hub) {
    hub.next_ = first;
    hub.previous_next_ = &first;
    if (first != nullptr) first->previous_next_ = &hub.next_;
    first = &hub;
  }
  static void Remove(HubRegistration& hub) {
    *hub.previous_next_ = hub.next_;
    if (hub.next_ != nullptr) hub.next_->previous_next_ = hub.previous_next_;
  }
};

static_assert(sizeof(GdbTable) == sizeof(GdbTableWords));

}  // namespace grove

extern "C" {
// By a fixed name, for debuggers.
extern grove::GdbTable grove_gdb_table;
constinit grove::GdbTable grove_gdb_table;
}

namespace grove {
namespace {

constinit std::mutex table_mutex;

}  // namespace

HubRegistration::HubRegistration(Hub& hub) : hub_(&hub) {
  const std::lock_guard lock(table_mutex);
  grove_gdb_table.Add(*this);
}

HubRegistration::~HubRegistration() {
  const std::lock_guard lock(table_mutex);
  GdbTable::Remove(*this);
}

}  // namespace grove

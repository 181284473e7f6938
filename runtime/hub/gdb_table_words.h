// GdbTableWords: grove_gdb_table (gdb_table.h) as who reads another process finds it, word by word.
//
// Offsets are of members, from the start of their object. Addresses are of the process that has the
// table.
#ifndef GROVE_RUNTIME_HUB_GDB_TABLE_WORDS_H_
#define GROVE_RUNTIME_HUB_GDB_TABLE_WORDS_H_

#include <cstdint>

namespace grove {

struct GdbTableWords {
  static constexpr uint64_t kMagic = 0x6764625f6776'6f72;
  // A change of form or meaning raises it here and in tools/gdb/grove_gdb.py.
  static constexpr uint64_t kVersion = 3;

  uint64_t magic;
  uint64_t version;
  uint64_t first;  // HubRegistration
  uint64_t registration_hub;
  uint64_t registration_next;
  uint64_t hub_fibers;  // std::vector: begin, end
  uint64_t hub_running;
  uint64_t fiber_id;
  uint64_t fiber_name;  // std::string_view: two words
  uint64_t fiber_site;  // SourceLocation: file, line (32 bits)
  uint64_t fiber_state;
  uint64_t fiber_waiting_kind;
  uint64_t fiber_waiting_fd;
  uint64_t fiber_waiting_object;
  uint64_t fiber_stack_pointer;
  uint64_t fiber_stack_low;
  uint64_t fiber_stack_high;
  uint64_t string_view_data;
  uint64_t saved_registers;
  uint64_t fiber_switches;
  uint64_t context_start;
  uint64_t fiber_group;       // std::string_view
  uint64_t fiber_spawned_at;  // of CLOCK_MONOTONIC, in ns
  uint64_t fiber_label;       // the FiberLabel's address, or 0
  uint64_t label_known;       // 1: std::string begins with its data's address and its size
  uint64_t label_tenant;      // std::string, from the FiberLabel's address
  uint64_t label_task;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_GDB_TABLE_WORDS_H_

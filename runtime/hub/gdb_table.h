// HubRegistration: makes a hub known to debuggers, in a live process and in a core.
//
// All registered hubs hang on one table, the symbol `grove_gdb_table`, which also says where the
// members of Hub and Fiber lie: tools/gdb/grove_gdb.py reads both, and so needs neither types nor
// line tables, only the symbol table. Its form has a version: see gdb_table.cc.
// Any thread; a debugger may look at any moment.
#ifndef GROVE_RUNTIME_HUB_GDB_TABLE_H_
#define GROVE_RUNTIME_HUB_GDB_TABLE_H_

namespace grove {

class Hub;

class HubRegistration {
 public:
  explicit HubRegistration(Hub& hub);
  ~HubRegistration();
  HubRegistration(const HubRegistration&) = delete;
  HubRegistration& operator=(const HubRegistration&) = delete;

 private:
  friend struct GdbTable;

  Hub* const hub_;
  HubRegistration* next_ = nullptr;
  HubRegistration** previous_next_ = nullptr;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_GDB_TABLE_H_

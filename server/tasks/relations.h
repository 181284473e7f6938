// Relations: what a task has to do with other tasks.
//
// Few tasks have any: SpecRelations is what a spec asks for, TaskRelations how its task stands,
// each behind one pointer of its record. Plain records: holds.h, after.h and sequences.h change
// them.
#ifndef GROVE_SERVER_TASKS_RELATIONS_H_
#define GROVE_SERVER_TASKS_RELATIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/tasks/task_id.h"

namespace grove::tasks {

struct Sequence;

// Names of tasks of one tenant, each once: their queues' names seldom differ, so that a name takes
// 24 bytes. In the order in which they were added.
class TaskNames {
 public:
  // `name` may have the mark of a volatile one. Nothing else than a task's name is added.
  void Add(std::string_view name);
  void Clear();

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  TaskId id(size_t i) const { return entries_[i].id; }
  std::string NameOf(size_t i) const;
  // The name, with the mark if it has one: as the store keeps it.
  std::string MarkedNameOf(size_t i) const;
  // Whether the task was not on disk when it was named.
  bool is_volatile(size_t i) const { return entries_[i].is_volatile; }
  void MarkVolatile(size_t i) { entries_[i].is_volatile = true; }
  int64_t MemoryBytes() const;

 private:
  struct Entry {
    TaskId id;
    uint32_t queue = 0;
    bool is_volatile = false;
  };

  // "tenants/acme/queues/mail".
  std::vector<std::string> queues_;
  std::vector<Entry> entries_;
};

struct SpecRelations {
  TaskNames after;
  // Of those: it FAILS if one does not succeed.
  bool needs_success = false;
  // Empty: none.
  std::string sequence;
  // Those behind it wait while it has ended and not succeeded.
  bool halts = false;
  // Who is told of its end; empty: nobody.
  std::string webhook_url;
};

struct TaskRelations {
  // How many of the tasks that it comes after, or has suspended itself for, have not ended: as many
  // as EngineState::awaited has of it.
  size_t waiting = 0;
  // Control recovers, and has not looked for them yet.
  bool is_unresolved = false;
  // What it comes after has not all succeeded: it is about to fail.
  bool is_doomed = false;
  // That one.
  TaskId doomed_by;
  // None of the names before has an end to come: where to look for the first one that has.
  mutable size_t first_waiting = 0;
  // What its last attempt suspended itself for.
  TaskNames suspended_for;
  // While it is one of its members.
  Sequence* sequence = nullptr;
  // The task that it is another try of, by its name.
  std::string retry_of;
  // The one that tells of its end, by its name.
  std::string webhook_task;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RELATIONS_H_

// FillTasks: the `tasks` of a config as Resolve() leaves them, for tests that resolve nothing.
#ifndef GROVE_SERVER_TASKS_RESOLVED_TASKS_H_
#define GROVE_SERVER_TASKS_RESOLVED_TASKS_H_

#include "absl/strings/str_cat.h"
#include "grove/config/v1/config.pb.h"
#include "server/config/schema.h"

namespace grove::tasks {

// Every number that is 0 gets its default of the schema.
inline void FillTasks(config::v1::Tasks& tasks) {
  const auto* reflection = tasks.GetReflection();
  for (int i = 0; i < tasks.GetDescriptor()->field_count(); ++i) {
    const auto* field = tasks.GetDescriptor()->field(i);
    if (reflection->HasField(tasks, field) || field->cpp_type() == field->CPPTYPE_STRING) continue;
    const int64_t value =
        config::FindSchemaRow(absl::StrCat("tasks.", field->name()))->default_value;
    if (field->cpp_type() == field->CPPTYPE_INT32) {
      reflection->SetInt32(&tasks, field, static_cast<int32_t>(value));
    } else {
      reflection->SetInt64(&tasks, field, value);
    }
  }
  if (tasks.memory_max_bytes() == 0) tasks.set_memory_max_bytes(int64_t{1} << 30);
}

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RESOLVED_TASKS_H_

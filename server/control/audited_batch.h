// AuditedBatch: what the audit log says of the results of many spawns.
#ifndef GROVE_SERVER_CONTROL_AUDITED_BATCH_H_
#define GROVE_SERVER_CONTROL_AUDITED_BATCH_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "google/protobuf/repeated_ptr_field.h"
#include "grove/v1/task_service.pb.h"
#include "runtime/switch/abseil_text.h"

namespace grove::control {

// As many lines as a batch has tasks would be most of the log: their ids follow each other.
inline std::string AuditedBatch(
    const google::protobuf::RepeatedPtrField<v1::BatchSpawnTasksResponse::Result>& results) {
  int64_t accepted = 0;
  std::string_view first;
  std::string_view last;
  for (const auto& result : results) {
    if (result.name().empty()) continue;
    if (++accepted == 1) first = result.name();
    last = result.name();
  }
  if (accepted == 0) return "accepted 0";
  return StrCat("accepted ", accepted, ": ", first, " to ", last);
}

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_AUDITED_BATCH_H_

// CheckInputPayload: whether a spec's input_payload can be the input of its task.
#ifndef GROVE_SERVER_TASKS_INPUT_PAYLOAD_H_
#define GROVE_SERVER_TASKS_INPUT_PAYLOAD_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/payload_ledger.h"

namespace grove::tasks {

// `payloads`: null, where there are none. `whole_max`: what the function takes, INT64_MAX if it
// reads its input as a stream. INVALID_ARGUMENT (NAME_INVALID, INPUT_AMBIGUOUS, INPUT_TOO_LARGE),
// NOT_FOUND (PAYLOAD_NOT_FOUND). OK where the spec names none.
absl::Status CheckInputPayload(const PayloadLedger* payloads, std::string_view tenant,
                               const v1::TaskSpec& spec, int64_t whole_max);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_INPUT_PAYLOAD_H_

// Fingerprint: whether two specs ask for the same.
//
// The first 64 bits of SHA-256 over function, queue, content type and input, defaults filled in. A
// spawn that repeats a request_id is compared by it with the first one, whose input may have left
// the memory.
#ifndef GROVE_SERVER_TASKS_FINGERPRINT_H_
#define GROVE_SERVER_TASKS_FINGERPRINT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/tasks/engine_state.h"
#include "server/tasks/task.h"
#include "server/tasks/task_spec.h"

namespace grove::tasks {

// `queue` is a short name.
uint64_t FingerprintOf(std::string_view function, std::string_view queue, const AcceptedSpec& spec);
// Of a task that has a request_id: made when it is first asked for, and remembered. Requires that
// it was asked for before the input left the memory.
uint64_t KeepFingerprint(const EngineState& state, Task& task);
// 16 hexadecimal digits.
std::string FormatFingerprint(uint64_t fingerprint);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FINGERPRINT_H_

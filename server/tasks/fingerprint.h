// Fingerprint: whether two specs ask for the same.
//
// The first 64 bits of SHA-256 over function, queue, content type and input, defaults filled in. A
// spawn that repeats a request_id is compared by it with the first one, whose input may have left
// the memory.
#ifndef GROVE_SERVER_TASKS_FINGERPRINT_H_
#define GROVE_SERVER_TASKS_FINGERPRINT_H_

#include <cstdint>
#include <string>

#include "server/tasks/task_spec.h"

namespace grove::tasks {

uint64_t FingerprintOf(const AcceptedSpec& spec);
// 16 hexadecimal digits.
std::string FormatFingerprint(uint64_t fingerprint);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FINGERPRINT_H_

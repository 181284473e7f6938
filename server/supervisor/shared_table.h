// The workers' shared table, as the supervisor has it: made, handed on, looked at.
#ifndef GROVE_SERVER_SUPERVISOR_SHARED_TABLE_H_
#define GROVE_SERVER_SUPERVISOR_SHARED_TABLE_H_

#include <sys/types.h>

#include <optional>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "grove/internal/v1/handover.pb.h"
#include "server/metrics/table_numbers.h"
#include "server/shared/table_memory.h"

namespace grove::supervisor {

// Null: `config` wants none.
absl::StatusOr<std::optional<shared::TableMemory>> MakeTable(const config::v1::SharedTable& config);
// The one of the program before with all that is in it, whatever its size. A new one if that had
// none, or one of another layout; the log says so.
absl::StatusOr<std::optional<shared::TableMemory>> AdoptTable(
    const internal::v1::SupervisorHandover& record, const config::v1::SharedTable& config);

// After the death of a worker: of its locks.
void ReleaseLocks(std::optional<shared::TableMemory>& table, pid_t pid);
// On the scoreboard.
void TellTable(const std::optional<shared::TableMemory>& table, metrics::TableNumbers& numbers);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SHARED_TABLE_H_

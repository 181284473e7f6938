// SpawnMany: tasks of one kind in batches, and what became of them.

#ifndef GROVE_CLIENT_CLI_SPAWN_MANY_H_
#define GROVE_CLIENT_CLI_SPAWN_MANY_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "client/cli/command.h"

namespace grove::client::cli {

// Small enough for progress to move, large enough to cost no round trips worth counting.
inline constexpr size_t kBatchTasksMax = 1000;

// Beyond what any server accepts as one input: keeps a mistyped @file from filling the memory.
inline constexpr size_t kInputBytesMax = 64 * 1024 * 1024;

inline constexpr int64_t kCountMax = 1000000;

// `count` tasks like `one`, or one for each line of --inputs, up to `count` where that is given.
absl::Status SpawnMany(Command& command, const v1::SpawnTaskRequest& one,
                       std::optional<int64_t> count);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_SPAWN_MANY_H_

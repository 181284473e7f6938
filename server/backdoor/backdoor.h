// Backdoor: a Lua 5.4 prompt inside the live process, over a stream of text lines.
//
// Read-only: what a session can call hands out copies of the process' numbers, and nothing it does
// changes the process, unless what the application has added does (Application::AddCommand()).
// Each line runs within budgets of instructions, time, memory and output, and gives way to the
// other fibers all the while. Knows no insides of a worker: it asks callbacks. Hub thread only.
#ifndef GROVE_SERVER_BACKDOOR_BACKDOOR_H_
#define GROVE_SERVER_BACKDOOR_BACKDOOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/io/socket.h"

namespace grove::backdoor {

using BackdoorValue = std::variant<bool, int64_t, double, std::string>;
// Names and values of one thing.
using BackdoorRow = std::vector<std::pair<std::string, BackdoorValue>>;
using BackdoorTable = std::vector<BackdoorRow>;

// How many sessions there may be (backdoor.sessions_max) is for whoever accepts them.
struct BackdoorLimits {
  // Of each line.
  int64_t instructions_max = 10'000'000;
  absl::Duration time_max = absl::Seconds(1);
  size_t output_max_bytes = 256 * 1024;
  // Of the session's Lua heap.
  size_t memory_max_bytes = 16 << 20;
  absl::Duration idle_timeout = absl::Minutes(30);
};

// What the process tells; each call returns a fresh copy and must not park. Empty ones tell
// nothing.
struct BackdoorEnvironment {
  std::optional<int> worker;                   // its number, in a daemon
  std::function<BackdoorRow()> worker_facts;   // worker()
  std::function<BackdoorTable()> pools;        // pools()
  std::function<BackdoorTable()> application;  // app()
  // app(NAME, ARGUMENT). An error is the line's.
  std::function<absl::StatusOr<std::string>(const std::string& name, std::string_view argument)>
      ask_application;
  std::function<void(std::string_view)> audit;  // each line, before it runs
};

// Longest line, and longest chunk of several lines.
inline constexpr size_t kBackdoorChunkMaxBytes = 64 * 1024;

// Talks until quit(), the end of the stream, or the idle time-out. Requires: a fiber stack of at
// least 256 KiB. Both references must outlive the call. **Parks.**
void ServeBackdoor(Socket socket, const BackdoorLimits& limits,
                   const BackdoorEnvironment& environment);

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_BACKDOOR_H_

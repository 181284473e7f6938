// What the supervisor has told its children to do, and waits for their answers to.
#ifndef GROVE_SERVER_SUPERVISOR_CHILD_ORDERS_H_
#define GROVE_SERVER_SUPERVISOR_CHILD_ORDERS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "runtime/hub/clock.h"

namespace grove::supervisor {

// What a child has made of the config in force. kNone: it was not asked.
enum class ConfigAnswer : uint8_t { kNone, kAwaited, kTaken, kRefused };

// To take a config over, before those that cannot are replaced.
struct ConfigOrder {
  int64_t operation = 0;  // the reload; 0: that was all
  MonotonicNanos until = 0;
  bool workers = false;  // all of them are to be replaced
  bool control = false;  // it is
  // Why the application's code has refused it: it is undone.
  absl::Status refused = absl::OkStatus();
};

// To log at another level, as an operator has set it.
struct LevelOrder {
  std::string level;      // "": the config's
  int64_t operation = 0;  // 0: that was all
  MonotonicNanos until = 0;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_CHILD_ORDERS_H_

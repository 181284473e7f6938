// Exits: how the processes of one slot have ended, in shared memory.
//
// Written by the supervisor alone, when it has reaped one; read by anyone at any time. Who reads
// amid the writing sees parts of two texts, and the next time a whole one.
#ifndef GROVE_SERVER_METRICS_EXITS_H_
#define GROVE_SERVER_METRICS_EXITS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/metrics/exit_reason.h"
#include "server/wall_time.h"

namespace grove::metrics {

struct Exits {
  using Word = std::atomic<uint64_t>;

  // `text` is cut where it does not fit.
  void Count(ExitReason reason, std::string_view text, WallMicros now);
  // Empty: none has ended.
  std::string LastText() const;

  std::array<Word, kExitReasonNames.size()> counts;  // by ExitReason
  std::atomic<WallMicros> last_time_us;
  std::array<Word, 16> last_text;  // bytes, zeros behind them
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_EXITS_H_

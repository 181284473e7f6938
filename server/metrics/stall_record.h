// StallRecord: a hub that was held, as its worker writes it to the scoreboard and others read it.
//
// Pure.
#ifndef GROVE_SERVER_METRICS_STALL_RECORD_H_
#define GROVE_SERVER_METRICS_STALL_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/recent_lines.h"

namespace grove::metrics {

struct StallRecord {
  int64_t time_us = 0;  // when it was seen, since the epoch
  int64_t held_ms = 0;  // so far; once it has ended, in all
  bool ended = false;
  uint64_t fiber = 0;  // 0: outside any fiber, or nobody knows
  std::string name;
  std::string spawned_at;
  std::string tenant;
  std::string task;
  std::string call;  // "read(fd 7 pipe:[4711])", "computes"
  std::vector<std::string> stack;
};

// As a line of RecentStalls: outer frames are left out where it would be too long.
std::string EncodeStall(const StallRecord& stall);
// What EncodeStall() made. An end, which has no stack, is put into the stall that it ends.
std::vector<StallRecord> DecodeStalls(const std::vector<RecentLine>& lines);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_STALL_RECORD_H_

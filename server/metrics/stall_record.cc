#include "server/metrics/stall_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::metrics {
namespace {

// Between fields: no name, path or frame has one (LogStall's lines escape them too).
constexpr char kSeparator = '\x1f';
constexpr size_t kFields = 8;
// Of what a stall is about; function names of templates are long.
constexpr size_t kTextMax = 200;

std::string Plain(std::string_view text) {
  std::string plain(text.substr(0, kTextMax));
  std::replace(plain.begin(), plain.end(), kSeparator, ' ');
  return plain;
}

}  // namespace

std::string EncodeStall(const StallRecord& stall) {
  std::string line =
      StrCat(stall.ended ? "end" : "stall", "\x1f", stall.held_ms, "\x1f", stall.fiber);
  for (const std::string* text :
       {&stall.name, &stall.spawned_at, &stall.tenant, &stall.task, &stall.call}) {
    line += kSeparator + Plain(*text);
  }
  for (const std::string& frame : stall.stack) {
    const std::string plain = Plain(frame);
    if (line.size() + plain.size() >= RecentLog::kLineBytesMax) break;
    line += kSeparator + plain;
  }
  return line;
}

std::vector<StallRecord> DecodeStalls(const std::vector<RecentLine>& lines) {
  std::vector<StallRecord> stalls;
  for (const RecentLine& line : lines) {
    std::vector<std::string> fields = absl::StrSplit(line.text, kSeparator);
    StallRecord stall{.time_us = line.time_us, .ended = fields[0] == "end"};
    if (fields.size() < kFields || !SimpleAtoi(fields[1], &stall.held_ms) ||
        !SimpleAtoi(fields[2], &stall.fiber)) {
      continue;
    }
    if (stall.ended && !stalls.empty() && stalls.back().fiber == stall.fiber) {
      stalls.back().ended = true;
      stalls.back().held_ms = stall.held_ms;
      continue;
    }
    stall.name = std::move(fields[3]);
    stall.spawned_at = std::move(fields[4]);
    stall.tenant = std::move(fields[5]);
    stall.task = std::move(fields[6]);
    stall.call = std::move(fields[7]);
    stall.stack.assign(std::make_move_iterator(fields.begin() + kFields),
                       std::make_move_iterator(fields.end()));
    stalls.push_back(std::move(stall));
  }
  return stalls;
}

}  // namespace grove::metrics

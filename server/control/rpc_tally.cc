#include "server/control/rpc_tally.h"

#include <algorithm>
#include <atomic>

#include "runtime/switch/abseil_text.h"

namespace grove::control {

void RpcTally::Count(const MethodRow& method, absl::StatusCode code, absl::Duration took) {
  uint32_t number = 0;
  {
    const absl::MutexLock lock(&mutex_);
    auto [found, is_new] = numbers_.try_emplace({&method, code});
    if (is_new) {
      // Without the slash in front.
      found->second =
          index_.Find(StrCat(absl::StatusCodeToString(code), " ", method.method.substr(1)));
    }
    number = found->second;
  }
  auto& cells = series_.call_cells.of[number];
  cells[metrics::CallCell::kCalls].fetch_add(1, std::memory_order_relaxed);
  const int64_t micros = std::max<int64_t>(0, absl::ToInt64Microseconds(took));
  cells[metrics::CallCell::kMicros].fetch_add(static_cast<uint64_t>(micros),
                                              std::memory_order_relaxed);
}

}  // namespace grove::control

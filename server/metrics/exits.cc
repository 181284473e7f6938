#include "server/metrics/exits.h"

#include <algorithm>
#include <cstring>

namespace grove::metrics {

void Exits::Count(ExitReason reason, std::string_view text, WallMicros now) {
  std::array<uint64_t, 16> words{};
  memcpy(words.data(), text.data(), std::min(text.size(), sizeof(words) - 1));
  for (size_t i = 0; i < words.size(); ++i) {
    last_text[i].store(words[i], std::memory_order_relaxed);
  }
  last_time_us.store(now, std::memory_order_relaxed);
  counts[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
}

std::string Exits::LastText() const {
  std::array<uint64_t, 16> words{};
  for (size_t i = 0; i < words.size(); ++i) words[i] = last_text[i].load(std::memory_order_relaxed);
  std::string text(sizeof(words), '\0');
  memcpy(text.data(), words.data(), sizeof(words));
  return text.substr(0, text.find('\0'));
}

}  // namespace grove::metrics

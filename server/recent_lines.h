// RecentLines: the last lines that a process said, in memory that other processes read.
//
// A ring in shared memory, which is empty when it is all zeros. Appending takes no lock and waits
// for nobody; reading takes what stands there, also while the writer is stuck or dead, and leaves
// out what is being overwritten. One writer at a time: should two processes share a slot for a
// moment, lines that they wrote at once, and those before, may be lost to the reader.
#ifndef GROVE_SERVER_RECENT_LINES_H_
#define GROVE_SERVER_RECENT_LINES_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace grove {

struct RecentLine {
  int64_t time_us = 0;  // since the epoch
  uint32_t level = 0;   // the writer's own
  std::string text;
};

template <size_t kBytes>
class RecentLines {
 public:
  // Of a line, what is kept.
  static constexpr size_t kLineBytesMax = 2048;

  void Append(int64_t time_us, uint32_t level, std::string_view line) {
    line = line.substr(0, kLineBytesMax);
    const uint64_t words = kAround + (line.size() + 7) / 8;
    uint64_t at = ended_.load(std::memory_order_relaxed);
    begun_.store(at + words, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    Put(at++, static_cast<uint64_t>(time_us));
    Put(at++, uint64_t{level} << 32 | line.size());
    for (; !line.empty(); line.remove_prefix(std::min<size_t>(8, line.size()))) {
      uint64_t word = 0;
      memcpy(&word, line.data(), std::min<size_t>(8, line.size()));
      Put(at++, word);
    }
    // Lines are found from the last one back.
    Put(at++, words);
    ended_.store(at, std::memory_order_release);
  }

  // Oldest first; at most `most`, the last ones.
  std::vector<RecentLine> Read(size_t most = SIZE_MAX) const {
    const uint64_t end = ended_.load(std::memory_order_acquire);
    std::vector<uint64_t> copy(kWords);
    for (size_t i = 0; i < kWords; ++i) copy[i] = words_[i].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    const uint64_t begun = std::max(begun_.load(std::memory_order_relaxed), end);
    // From here on nothing was overwritten while it was copied.
    const uint64_t first = begun > kWords ? begun - kWords : 0;
    std::vector<RecentLine> lines;
    for (uint64_t at = end; lines.size() < most && at >= first + kAround;) {
      const uint64_t words = copy[(at - 1) % kWords];
      if (words < kAround || words > kLineWordsMax || at < first + words) break;
      at -= words;
      const uint64_t said = copy[(at + 1) % kWords];
      const uint64_t bytes = said & 0xffffffff;
      if (bytes > (words - kAround) * 8) break;
      RecentLine line{.time_us = static_cast<int64_t>(copy[at % kWords]),
                      .level = static_cast<uint32_t>(said >> 32),
                      .text = std::string((words - kAround) * 8, '\0')};
      for (uint64_t i = 0; i < words - kAround; ++i) {
        memcpy(line.text.data() + i * 8, &copy[(at + 2 + i) % kWords], 8);
      }
      line.text.resize(bytes);
      lines.push_back(std::move(line));
    }
    std::reverse(lines.begin(), lines.end());
    return lines;
  }

 private:
  static constexpr size_t kWords = kBytes / 8;
  static constexpr uint64_t kAround = 3;  // time, level and length; words, behind the text
  static constexpr uint64_t kLineWordsMax = kAround + kLineBytesMax / 8;
  static_assert(kWords >= kLineWordsMax);

  void Put(uint64_t at, uint64_t word) {
    words_[at % kWords].store(word, std::memory_order_relaxed);
  }

  // Counts of words since the ring was made.
  std::atomic<uint64_t> begun_;  // written, or being written
  std::atomic<uint64_t> ended_;  // written
  std::array<std::atomic<uint64_t>, kWords> words_;
};

// A process's last lines of the log: some hundred.
using RecentLog = RecentLines<32 << 10>;

// While it lives, each line of this process's log goes to `recent` too. A later one takes its
// place, as in a forked child.
class KeptRecentLog {
 public:
  explicit KeptRecentLog(RecentLog& recent);
  ~KeptRecentLog();
  KeptRecentLog(const KeptRecentLog&) = delete;
  KeptRecentLog& operator=(const KeptRecentLog&) = delete;
};

}  // namespace grove

#endif  // GROVE_SERVER_RECENT_LINES_H_

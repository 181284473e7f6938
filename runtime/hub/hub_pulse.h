// HubPulse: what a hub shows of its progress to other threads.
//
// The hub stores, a watchdog reads. `resumes` moves with every switch to a fiber, `phase` with
// every poll; while neither moves and the phase is even, one piece of code holds the hub's thread.
// Plain relaxed stores, but for one exchange when a poll returns: it pairs with `dozing`.
#ifndef GROVE_RUNTIME_HUB_HUB_PULSE_H_
#define GROVE_RUNTIME_HUB_HUB_PULSE_H_

#include <sys/eventfd.h>

#include <atomic>
#include <cstdint>

namespace grove {

struct alignas(64) HubPulse {
  std::atomic<uint64_t> resumes{0};
  // Odd: waits in its poll, or does not run.
  std::atomic<uint64_t> phase{1};
  // The watchdog waits on `wake_fd` until the hub leaves its poll, so that an idle process has no
  // thread that wakes up for nothing.
  std::atomic<bool> dozing{false};
  std::atomic<int> wake_fd{-1};

  // --- Hub thread only ---

  uint64_t Resumes() const { return resumes.load(std::memory_order_relaxed); }
  void SetResumes(uint64_t count) { resumes.store(count, std::memory_order_relaxed); }
  void Idle() { phase.store(phase.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  // Sequentially consistent: either this sees `dozing`, or who set it sees the new phase.
  void Busy() {
    phase.fetch_add(1, std::memory_order_seq_cst);
    if (!dozing.load(std::memory_order_seq_cst)) return;
    dozing.store(false, std::memory_order_relaxed);
    eventfd_write(wake_fd.load(std::memory_order_relaxed), 1);
  }
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_HUB_PULSE_H_

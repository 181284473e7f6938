// RefusedTokens: what becomes of calls that come without a right token.
//
// They are counted, said in one log line a period, and answered late, so that a client that tries
// on and on does so slowly. No thread and no fiber waits meanwhile. Secrets are too long to be
// guessed; the delay is for programs that have the wrong one.
// Any thread.
#ifndef GROVE_SERVER_CONTROL_REFUSED_TOKENS_H_
#define GROVE_SERVER_CONTROL_REFUSED_TOKENS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/line_limit.h"

namespace grove::control {

// Long for a loop, short for a person.
inline constexpr absl::Duration kRefusalDelay = absl::Seconds(1);
// Beyond it calls are refused at once: they hold memory while they wait.
inline constexpr size_t kRefusalsDelayedMax = 1'000;
inline constexpr absl::Duration kRefusalsLineEvery = absl::Seconds(10);

class RefusedTokens {
 public:
  RefusedTokens();
  // Requires: AnswerAll() has returned, or nothing was ever refused.
  ~RefusedTokens();
  RefusedTokens(const RefusedTokens&) = delete;
  RefusedTokens& operator=(const RefusedTokens&) = delete;

  // `answer` runs once, on a thread of gRPC's or on this one.
  void Refuse(std::string_view peer, std::string_view reason, std::function<void()> answer);
  // Delays nothing from now on, and returns when no answer waits. Blocks the thread.
  void AnswerAll();

  uint64_t total() const { return total_.load(std::memory_order_relaxed); }

 private:
  struct Delayed;
  // False: no place.
  bool Delay(std::function<void()>& answer);
  void Run(Delayed* delayed);

  std::atomic<uint64_t> total_{0};
  LineLimit line_{kRefusalsLineEvery};
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<Delayed*, std::shared_ptr<Delayed>> delayed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_REFUSED_TOKENS_H_

// Scoreboard: the shared memory where every worker publishes its live numbers.
//
// One MAP_SHARED slab (a memfd) made by the supervisor before it forks, inherited by the workers
// and handed to control. A slot is written by its worker alone, with relaxed atomic stores, and
// read by anyone at any time, also when that worker is stuck or dead. When a worker dies, the
// supervisor folds its counters into the slot's base and clears them, so totals never fall. The
// slab has a slot for every worker there can be, and one behind for the stand-in
// (supervisor_decisions.h); control has one of its own for its heartbeat, by which the supervisor
// watches it.
#ifndef GROVE_SERVER_METRICS_SCOREBOARD_H_
#define GROVE_SERVER_METRICS_SCOREBOARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http/message/refusal.h"
#include "runtime/hub/clock.h"
#include "server/config/limits.h"
#include "server/functions/fetch_stats.h"
#include "server/http/serving/stats.h"
#include "server/metrics/exits.h"
#include "server/metrics/operation_counts.h"
#include "server/metrics/recent_events.h"
#include "server/metrics/shared_series.h"
#include "server/metrics/table_numbers.h"
#include "server/wall_time.h"

namespace grove::metrics {

enum class SlotState : uint32_t { kEmpty, kStarting, kReady, kDraining, kDown };

// Counters: only grow while a worker lives. Shared by live and base parts of a slot.
struct WorkerCounters {
  static constexpr int kHttpCodes = 600;  // http_responses[code]
  static constexpr int kLagBuckets = 9;   // HubStats::kLagBounds and above
  using Counter = std::atomic<uint64_t>;

  Counter hub_turns;
  Counter hub_polls;
  Counter switches;
  Counter fibers_spawned;
  Counter uncaught_exceptions;
  Counter timers_fired;
  std::array<Counter, kLagBuckets> lag_counts;
  Counter lag_microseconds_sum;
  Counter hub_stalls;
  Counter hub_stall_microseconds;
  Counter http_connections;
  Counter http_accept_failures;
  Counter http_connections_full;
  Counter http_connections_evicted;
  Counter http_websockets_over_budget;
  Counter http_parse_errors;
  std::array<Counter, http::kRefusalKinds.size()> http_refusals;  // by http::RefusalKind
  Counter http_tls_handshakes;
  Counter http_tls_handshake_failures;
  Counter http_proxy_header_failures;
  Counter http_bytes_in;
  Counter http_bytes_out;
  std::array<Counter, kHttpCodes> http_responses;
  std::array<Counter, http::kDurationBounds.size() + 1> http_durations;
  Counter http_duration_microseconds;
  std::array<Counter, http::kCountedMethods.size()> http_methods;
  std::array<Counter, http::kTimedOut.size()> http_timeouts;  // by http::TimedOut
  Counter http_clients_gone;
  Counter access_log_lines;
  Counter access_log_dropped;
  Counter attempts_started;
  Counter attempts_ended;
  Counter attempt_run_microseconds;
  Counter fetches;
  Counter fetch_failures;
  std::array<Counter, functions::kFetchOutcomes.size()> fetch_outcomes;
  std::array<Counter, functions::kFetchBounds.size() + 1> fetch_durations;
  Counter fetch_duration_microseconds;
  Counter dns_lookups;
  Counter dns_failures;
  Counter dns_cache_hits;
  Counter dns_cache_misses;
  Counter dns_microseconds;
  Counter fetch_connections_made;
  Counter fetch_connections_reused;
  Counter fetch_http2_streams;
  std::array<Counter, functions::kOriginBounds.size()> origin_put_off;
  Counter origin_breaker_openings;
  Counter offload_calls;
  Counter offload_dropped;
  Counter offload_rejected;
  Counter offload_wait_microseconds;
  Counter offload_run_microseconds;
  Counter hub_io_calls;
  std::array<Counter, 3> spans;  // by tracing::SpanEnd
  Counter log_lines_dropped;
  Counter topics_published;
  Counter topics_delivered;
  Counter topics_dropped;
  Counter topics_unsent;
};

struct alignas(64) WorkerSlot {
  std::atomic<SlotState> state;
  std::atomic<int64_t> pid;
  std::atomic<uint64_t> generation;  // processes this slot has had
  std::atomic<WallMicros> start_time_us;
  std::atomic<int64_t> config_generation;  // of the config that its process has
  std::atomic<int64_t> last_turn_ns;       // CLOCK_MONOTONIC of the hub's last turn
  // Levels.
  std::atomic<int64_t> fibers;
  std::atomic<int64_t> run_queue_length;
  std::atomic<int64_t> timers;
  std::atomic<int64_t> http_connections_open;
  std::atomic<int64_t> http_connections_idle;
  std::atomic<int64_t> http_requests_running;
  std::atomic<int64_t> http_websockets;
  std::atomic<int64_t> attempts_running;
  std::atomic<int64_t> offload_queued;
  std::atomic<int64_t> offload_running;
  std::atomic<int64_t> fetches_running;
  std::atomic<int64_t> fetches_waiting;
  std::atomic<int64_t> fetch_connections;
  std::atomic<int64_t> fetch_connections_idle;
  std::atomic<int64_t> fetch_http2_connections;
  std::atomic<int64_t> stacks;
  std::atomic<int64_t> stack_bytes;
  std::atomic<int64_t> hub_descriptors;
  std::atomic<int64_t> backdoor_sessions;
  // The supervisor's.
  std::atomic<uint64_t> restarts;     // after a crash (exit code or signal)
  std::atomic<int64_t> quick_deaths;  // in a row, until one has served for a while
  std::atomic<int64_t> due_ns;        // CLOCK_MONOTONIC of the next start; 0: it waits for none
  WorkerCounters live;                // of the process that has the slot now
  WorkerCounters base;                // of all its dead predecessors
  Exits exits;                        // of all of them; the supervisor's
};

struct alignas(64) ControlSlot {
  // Control's.
  std::atomic<int64_t> last_turn_ns;  // CLOCK_MONOTONIC of the hub's last turn, at first its start
  std::atomic<uint64_t> log_lines_dropped;
  std::atomic<uint64_t> connections_refused;
  std::atomic<uint64_t> tokens_refused;
  std::atomic<uint64_t> calls_refused;
  std::atomic<uint64_t> admin_tokens_refused;
  // The supervisor's.
  std::atomic<uint64_t> restarts;  // after a crash
  // By control's dead predecessors, as above.
  std::atomic<uint64_t> log_lines_dropped_before;
  std::atomic<uint64_t> connections_refused_before;
  std::atomic<uint64_t> tokens_refused_before;
  std::atomic<uint64_t> calls_refused_before;
  std::atomic<uint64_t> admin_tokens_refused_before;
  std::atomic<uint64_t> supervisor_log_lines_dropped;  // by itself
  std::atomic<int64_t> config_generation;              // of the config in force
  Exits exits;                                         // of control
  OperationCounts operations;
  TableNumbers table;
  // Processes that could not be started.
  std::atomic<uint64_t> worker_start_failures;
  std::atomic<uint64_t> control_start_failures;
};

// Whether the worker serves or drains and its hub has not turned for longer than `stuck`: nothing
// new is to be given to it. One that boots is not stuck; the supervisor bounds that on its own.
// Neither is one that has told no turn yet.
bool IsStuck(const WorkerSlot& slot, MonotonicNanos now, absl::Duration stuck);

// Of runtime.stuck_ms.
inline constexpr absl::Duration kStuckDefault = absl::Seconds(5);

class Scoreboard {
 public:
  static constexpr uint32_t kMagic = 0x67726f76;
  static constexpr uint32_t kVersion = 19;

  // The slot of whoever stands in for a worker, behind all workers'.
  static constexpr int kStandIn = config::kWorkersMax;

  // A new slab of zeroed slots, `workers` of them in use, all of which are stuck after the same
  // time. It has memory only for slots that were ever written.
  static absl::StatusOr<Scoreboard> Create(int workers, absl::Duration stuck = kStuckDefault);
  // Maps an inherited one; kFailedPrecondition if it is not a scoreboard of this version.
  static absl::StatusOr<Scoreboard> Open(int fd);

  Scoreboard(Scoreboard&& other) noexcept;
  Scoreboard& operator=(Scoreboard&&) = delete;
  ~Scoreboard();

  int fd() const { return fd_; }  // CLOEXEC
  // Slots that a worker has or had: those of workers that were scaled away count, since their
  // totals stay, and are kEmpty. Without the stand-in.
  int workers() const;
  // Supervisor, before the first worker of a slot beyond. Requires: at most kWorkersMax.
  void Grow(int workers);
  WorkerSlot& slot(int worker);
  const WorkerSlot& slot(int worker) const;
  WorkerSlot& stand_in() { return slot(kStandIn); }
  const WorkerSlot& stand_in() const { return slot(kStandIn); }
  ControlSlot& control();
  const ControlSlot& control() const;
  // Of a slot's process, control or the supervisor.
  static constexpr int kControlEvents = kStandIn + 1;
  static constexpr int kSupervisorEvents = kStandIn + 2;
  RecentEvents& recent(int whose);
  const RecentEvents& recent(int whose) const;
  // By label (shared_series.h).
  SharedSeries& series();
  const SharedSeries& series() const;
  WorkerSeries& worker_series(int worker);
  const WorkerSeries& worker_series(int worker) const;
  // As the function above, by this daemon's time.
  bool IsStuck(int worker, MonotonicNanos now) const { return IsStuck(slot(worker), now); }
  bool IsStuck(const WorkerSlot& slot, MonotonicNanos now) const;

  // Calls `body` with each slot of workers(), then the stand-in's.
  template <typename F>
  void ForEachSlot(F body) const {
    for (int worker = 0; worker < workers(); ++worker) body(slot(worker));
    body(stand_in());
  }

  // Supervisor, after the slot's process has died: adds live to base, clears live and the levels.
  // The stand-in's counters go to the first worker's base. Its series go to those of the dead.
  void Fold(int worker);
  // The same after control's death.
  void FoldControl();
  // live + base.
  static uint64_t Total(const WorkerSlot& slot, WorkerCounters::Counter WorkerCounters::*counter);

 private:
  struct Header;
  struct Layout;
  static size_t Bytes();
  Layout& layout() const;
  Scoreboard(int fd, Header* header, size_t bytes) : fd_(fd), header_(header), bytes_(bytes) {}

  int fd_;
  Header* header_;
  size_t bytes_;  // mapped: of a foreign one any number
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_SCOREBOARD_H_

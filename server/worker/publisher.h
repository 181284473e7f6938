// Publisher: copies a worker's live numbers into its slot of the scoreboard.
//
// Called at the end of every hub turn: relaxed stores of numbers that are at hand, no system call.
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_PUBLISHER_H_
#define GROVE_SERVER_WORKER_PUBLISHER_H_

#include <vector>

#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/watch/watchdog.h"
#include "server/access_log/line_writer.h"
#include "server/functions/fetch.h"
#include "server/http/serving/stats.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/work_pool_cells.h"
#include "server/topics/exchange_stats.h"
#include "server/tracing/span_end.h"
#include "server/work_pools.h"
#include "server/worker/attempts.h"

namespace grove::worker {

// The part that a stuck hub cannot publish itself. Any thread.
void PublishStalls(const StallStats& stats, metrics::WorkerCounters& live);

class Publisher {
 public:
  // All must outlive it.
  Publisher(metrics::WorkerSlot& slot, const http::ServerStats& http, const Attempts& attempts,
            const functions::FetchClient& fetch, const OffloadPool& offload,
            const Watchdog& watchdog)
      : slot_(slot),
        http_(http),
        attempts_(attempts),
        fetch_(fetch),
        offload_(offload),
        watchdog_(watchdog) {}

  void Publish(Hub& hub);
  // `stats` must outlive it.
  void set_access_log(const access_log::LineWriterStats& stats) { access_log_ = &stats; }
  // As above.
  void set_topics(const topics::ExchangeStats& stats) { topics_ = &stats; }
  // Both must outlive it. After WorkPools::Open().
  void set_work_pools(const WorkPools& pools, metrics::WorkPoolCells& cells);
  // `spans` must outlive it.
  void set_spans(const tracing::SpanCounts& spans) { spans_ = &spans; }
  void set_backdoor_sessions(int64_t sessions) { backdoor_sessions_ = sessions; }

 private:
  void PublishHub(const HubStats& stats);
  void PublishHttp();
  void PublishAnswers();
  void PublishFetches();
  void PublishOffload();
  void PublishWorkPools();

  metrics::WorkerSlot& slot_;
  const http::ServerStats& http_;
  const Attempts& attempts_;
  const functions::FetchClient& fetch_;
  const OffloadPool& offload_;
  const Watchdog& watchdog_;
  const access_log::LineWriterStats* access_log_ = nullptr;  // null: there is none
  const topics::ExchangeStats* topics_ = nullptr;            // null: there are none
  const WorkPools* work_pools_ = nullptr;                    // null: there are none
  const tracing::SpanCounts* spans_ = nullptr;               // null: nothing is traced
  std::vector<metrics::WorkPoolCells::Cells> pool_cells_;    // in the order of Visit()
  int64_t backdoor_sessions_ = 0;
  uint64_t answered_ = 0;
  // What was published last, fetches and those put off, and whether none was under way then.
  uint64_t fetches_ = 0;
  bool fetches_settled_ = true;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_PUBLISHER_H_

// SharedOrigins: the OriginGate of a worker, together with all other workers.
//
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_SHARED_ORIGINS_H_
#define GROVE_SERVER_WORKER_SHARED_ORIGINS_H_

#include <cstdint>
#include <string_view>

#include "server/functions/origin_gate.h"
#include "server/metrics/scoreboard.h"
#include "server/worker/origin_rules.h"

namespace grove::worker {

class SharedOrigins final : public functions::OriginGate {
 public:
  // `scoreboard` must outlive it.
  SharedOrigins(metrics::Scoreboard& scoreboard, int worker, const config::v1::Fetch& config)
      : scoreboard_(scoreboard), worker_(worker), book_(config) {}

  Entry Enter(std::string_view tenant, const http::Url& url) override;
  void Leave(const Pass& pass, const functions::OriginAnswer& answer) override;
  functions::OriginStats stats() const override { return stats_; }

 private:
  OriginAsker asker() const { return {.worker = worker_, .workers = scoreboard_.workers()}; }

  metrics::Scoreboard& scoreboard_;
  const int worker_;
  const OriginBook book_;
  functions::OriginStats stats_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_SHARED_ORIGINS_H_

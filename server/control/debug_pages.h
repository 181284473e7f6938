// DebugPages: what the admin port's /debug says.
//
// Each page is made when it is asked for, of the scoreboard, the engine and what the workers tell;
// all of them also while every worker is stuck. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_DEBUG_PAGES_H_
#define GROVE_SERVER_CONTROL_DEBUG_PAGES_H_

#include <vector>

#include "grove/config/v1/config.pb.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "server/admin/pages.h"
#include "server/control/engine_driver.h"
#include "server/control/fiber_reading.h"
#include "server/control/operation_calls.h"
#include "server/control/worker_links.h"
#include "server/metrics/scoreboard.h"
#include "server/wall_time.h"

namespace grove::control {

// Rows of one answer, unless ?limit= says less or more.
inline constexpr int kFiberRowsDefault = 1'000;
inline constexpr int kFiberRowsMax = 10'000;
inline constexpr int kStackRowsDefault = 200;
inline constexpr int kStackRowsMax = 1'000;
inline constexpr int kEventRowsDefault = 100;
inline constexpr int kEventRowsMax = 2'000;
inline constexpr int kQueueRowsMax = 1'000;
inline constexpr int kGreenRowsDefault = 200;
inline constexpr int kGreenRowsMax = 1'000;

// All must outlive the pages.
struct DebugInput {
  Hub& hub;
  OperationCalls& operations;
  const metrics::Scoreboard& scoreboard;
  const EngineDriver& driver;
  const WorkerLinks& links;
  FiberReading& fibers;
  OffloadPool& offload;
  // Of control.
  WallMicros started_at = 0;
};

std::vector<admin::DebugPage> DebugPages(const DebugInput& input);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_DEBUG_PAGES_H_

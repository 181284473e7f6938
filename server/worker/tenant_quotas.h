// TenantQuotas: what a worker holds of its tenants' quotas: HTTP requests and fetches, together
// with all other workers.
//
// Control says what the bounds are, over the link; what is used of them stands on the scoreboard
// (server/metrics/tenant_cells.h). A tenant without bounds costs a look at whether there are any.
// Until the first link there are the config's tenants and bounds; who asks for others waits for it.
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_TENANT_QUOTAS_H_
#define GROVE_SERVER_WORKER_TENANT_QUOTAS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "grove/config/v1/config.pb.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/sync/event.h"
#include "runtime/sync/mutex.h"
#include "server/functions/fetch_turns.h"
#include "server/http/handler/tenant_gate.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/series.h"
#include "server/metrics/tenant_cells.h"
#include "server/tenancy/quotas.h"

namespace grove::worker {

// How long a request of a tenant that is not the config's waits for the first link.
inline constexpr absl::Duration kToldMax = absl::Seconds(1);
// When to come again while as many requests run as may: what runs ends when it likes.
inline constexpr absl::Duration kFullRetry = absl::Seconds(1);
// How often the first of a worker's waiting fetches looks whether another worker's has ended, which
// nobody tells it.
inline constexpr absl::Duration kFetchLook = absl::Milliseconds(10);
// Turns that one worker takes in a row while fetches of another wait; then it stands back for two
// looks.
inline constexpr int kFetchTurnsInRow = 8;

class TenantQuotas final : public http::TenantGate, public functions::FetchTurns {
 public:
  using Bounds = google::protobuf::RepeatedPtrField<internal::v1::TenantBounds>;

  // `scoreboard` must outlive it.
  TenantQuotas(metrics::Scoreboard& scoreboard, int worker);

  // What the config says of its tenants.
  void Begin(const config::v1::Config& config);
  // The first frame of a link: there is no more than this.
  void TakeAll(const Bounds& bounds);
  // Those that have changed.
  void Take(const Bounds& bounds);

  Known Knows(std::string_view tenant) override;
  http::TenantPass Enter(std::string_view tenant) override;

  absl::StatusOr<Line*> Await() override;
  void End(Line* line) override;
  int64_t waiting() const override { return waiting_; }

 private:
  // What holds for a tenant that has bounds; stays where it is once made, as fibers wait in it.
  struct Held : Line {
    tenancy::HttpQuotas bounds;
    tenancy::Rate rate;
    metrics::TenantCells* cells = nullptr;
    // Of one that found no place on the scoreboard.
    std::unique_ptr<metrics::TenantCells> own;
    // The first of those that wait for a turn holds it.
    Mutex line;
    Event freed;
    int turns_in_row = 0;
  };
  struct Entry {
    bool from_control = false;
    std::unique_ptr<Held> held;
  };

  void Take(const internal::v1::TenantBounds& bounds);
  void Bind(const std::string& tenant, Entry& entry, const tenancy::HttpQuotas& bounds);
  // Null: it has no bounds.
  Held* Find(std::string_view tenant) const;
  // How long until the rate lets one in; 0: it was let in.
  static int64_t TakeRate(Held& held, int64_t now_ns);
  // Whether fetches of other workers wait, and this one has had its part.
  bool StandsBack(const Held& held) const;
  bool OthersWait(const Held& held) const;
  bool TryTurn(Held& held);
  absl::Status AwaitTurn(Held& held);

  metrics::Scoreboard& scoreboard_;
  const int worker_;
  metrics::SeriesIndex names_;
  absl::flat_hash_map<std::string, Entry> tenants_;
  // Those that have bounds; of one that has none any more the rest stays.
  int64_t bound_ = 0;
  Event told_;
  int64_t waiting_ = 0;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_TENANT_QUOTAS_H_

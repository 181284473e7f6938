// LivePayloads: control's payloads, in its memory and on its disk.
//
// Owns the folder and the threads that read and write it; the ledger says what there is. Whole ones
// come from clients (PayloadUpload) and from workers, whose ends with an output go through
// TakeOutputs() before the engine sees them: a task never names what is not on disk. What is to go
// is removed by Run(). Hub thread only.
#ifndef GROVE_SERVER_CONTROL_LIVE_PAYLOADS_H_
#define GROVE_SERVER_CONTROL_LIVE_PAYLOADS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/config/v1/config.pb.h"
#include "grove/internal/v1/link.pb.h"
#include "grove/v1/payload_service.pb.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/event.h"
#include "server/control/payload_tally.h"
#include "server/metrics/prometheus.h"
#include "server/payloads/payload_file.h"
#include "server/payloads/payload_folder.h"
#include "server/tasks/payload_ledger.h"
#include "server/tenancy/directory.h"
#include "server/wall_time.h"

namespace grove::control {

// How often what is over is looked for, and what dead writers have left.
inline constexpr absl::Duration kPayloadsLook = absl::Seconds(1);
inline constexpr absl::Duration kPayloadsSweep = absl::Seconds(10);
// What an upload reserves at a time, where it does not say its size.
inline constexpr int64_t kReserveBytes = int64_t{4} << 20;

class PayloadUpload;

class LivePayloads {
 public:
  using IsOnDisk = std::function<bool(uint64_t ticket)>;
  using WallClock = std::function<WallMicros()>;

  // All must outlive it.
  LivePayloads(const config::v1::Config& config, const tenancy::Directory& directory,
               metrics::SharedSeries& series, WallClock wall = WallNow);
  ~LivePayloads();

  // For the engine. Constant.
  tasks::PayloadLedger& ledger() { return ledger_; }
  const tasks::PayloadLedger& ledger() const { return ledger_; }

  // Makes the folder, sweeps it and reads what is there. Blocks; before the hub runs.
  absl::Status Load();
  // Before Run(): of TaskEngine.
  void set_is_on_disk(IsOnDisk is_on_disk) { is_on_disk_ = std::move(is_on_disk); }
  // Removes what is to go, until cancelled. **Parks.**
  absl::Status Run();
  // One look of Run()'s. **Parks.**
  void Look();
  // Waits for what its threads do. After the hub.
  void Stop() { offload_.Stop(); }
  // The folder is to be swept soon.
  void SweepSoon();

  // --- Clients

  // Of the first message. Refusals: INVALID_ARGUMENT, NOT_FOUND (no such tenant),
  // FAILED_PRECONDITION (TENANT_DRAINING), RESOURCE_EXHAUSTED, UNAVAILABLE. **Parks.**
  absl::StatusOr<std::unique_ptr<PayloadUpload>> Begin(std::string_view parent,
                                                       const v1::Payload& wanted);
  // NOT_FOUND (PAYLOAD_NOT_FOUND), DATA_LOSS (PAYLOAD_LOST). **Parks.**
  absl::StatusOr<std::unique_ptr<payloads::PayloadReader>> Open(std::string_view name);
  // **Parks.**
  absl::StatusOr<std::string> ReadAt(const payloads::PayloadReader& reader, int64_t offset,
                                     size_t max);
  absl::StatusOr<v1::Payload> Get(std::string_view name) const;
  // FAILED_PRECONDITION (PAYLOAD_IN_USE). Requires that Get() finds it.
  absl::Status Remove(std::string_view name);
  // The tenant is gone.
  void RemoveAllOf(std::string_view tenant);
  v1::Payload View(const tasks::PayloadRecord& record) const;
  // By tenant, for metrics.
  std::vector<metrics::HeldPayloads> Held() const;

  // --- Workers

  // What bounds their payloads.
  internal::v1::PayloadBounds Bounds() const;
  // Takes over the outputs that the frame's ends have; an end whose output cannot be taken becomes
  // a failure, or an interruption where the worker is gone. Their names. **Parks.**
  std::vector<std::string> TakeOutputs(internal::v1::WorkerFrame& frame);
  // After the engine has seen the frame: those that no task has taken go.
  void DropUntaken(const std::vector<std::string>& outputs);

 private:
  friend class PayloadUpload;

  struct TenantOf {
    std::string name;
    int64_t bytes_max = 0;
  };
  absl::StatusOr<TenantOf> FindTenant(std::string_view parent) const;
  // Its name.
  absl::StatusOr<std::string> TakeOutput(const std::string& id);
  // Into the ledger, from a file's head.
  absl::Status AddRecord(std::string_view id, const v1::Payload& head);
  absl::Status OnThread(absl::FunctionRef<absl::Status()> work);
  // What an upload or output of the tenant's comes to: counts it, if there was no room.
  absl::Status Counted(std::string_view tenant, absl::Status status);
  // Removes what nobody writes any more, but for `spared`.
  absl::Status Sweep(const std::vector<std::string>& spared);

  const config::v1::Tasks limits_;
  const tenancy::Directory& directory_;
  const WallClock wall_;
  const payloads::PayloadFolder folder_;
  const bool usable_;  // there is a state_dir
  IsOnDisk is_on_disk_ = [](uint64_t) { return true; };

  tasks::PayloadLedger ledger_;
  PayloadTally tally_;
  // Not to be swept: their worker may be gone before they have their last names.
  std::vector<std::string> adopting_;
  Event look_;
  bool sweeps_ = false;
  WallMicros swept_us_ = 0;
  // Reads and writes of payloads alone: what else control leaves to threads must not wait for them.
  OffloadPool offload_{{.threads = 4}};
};

// One payload that a client sends. Until it is finished nobody sees it; given up, it is swept.
class PayloadUpload {
 public:
  ~PayloadUpload();
  PayloadUpload(const PayloadUpload&) = delete;
  PayloadUpload& operator=(const PayloadUpload&) = delete;

  // RESOURCE_EXHAUSTED: PAYLOAD_TOO_LARGE, QUOTA_PAYLOAD_BYTES, PAYLOADS_FULL, STORE_FULL.
  // **Parks.**
  absl::Status Write(std::string_view data);
  // It is on disk. INVALID_ARGUMENT (PAYLOAD_MISMATCH). **Parks.**
  absl::StatusOr<v1::Payload> Finish();

 private:
  friend class LivePayloads;

  PayloadUpload(LivePayloads& payloads, LivePayloads::TenantOf tenant, const v1::Payload& wanted)
      : payloads_(payloads), tenant_(std::move(tenant)), wanted_(wanted) {}
  // What Begin() is.
  absl::Status Open();
  absl::Status Reserve(int64_t bytes);
  absl::Status WriteData(std::string_view data);
  absl::Status CheckWanted(const v1::Payload& head) const;

  LivePayloads& payloads_;
  const LivePayloads::TenantOf tenant_;
  const v1::Payload wanted_;
  std::string id_;
  std::unique_ptr<payloads::PayloadWriter> writer_;
  int64_t reserved_ = 0;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_LIVE_PAYLOADS_H_

// PayloadCalls: what clients ask about payloads, but for their bytes (payload_service.h).
//
// A tenant's caller names its own alone: admit.h has seen to that. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_PAYLOAD_CALLS_H_
#define GROVE_SERVER_CONTROL_PAYLOAD_CALLS_H_

#include "absl/status/statusor.h"
#include "grove/v1/payload_service.pb.h"
#include "server/control/live_payloads.h"
#include "server/tenancy/principal.h"

namespace grove::control {

class PayloadCalls {
 public:
  // Both must outlive it.
  PayloadCalls(const tenancy::Directory& directory, LivePayloads& payloads)
      : directory_(directory), payloads_(payloads) {}

  absl::StatusOr<v1::GetPayloadResponse> Get(const tenancy::Principal& who,
                                             const v1::GetPayloadRequest& request) const;
  absl::StatusOr<v1::ListPayloadsResponse> List(const tenancy::Principal& who,
                                                const v1::ListPayloadsRequest& request) const;
  absl::StatusOr<v1::DeletePayloadResponse> Delete(const tenancy::Principal& who,
                                                   const v1::DeletePayloadRequest& request);

 private:
  const tenancy::Directory& directory_;
  LivePayloads& payloads_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_PAYLOAD_CALLS_H_

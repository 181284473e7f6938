// OwnAudit: lines of the audit log about what control does without a call: runs of schedules, what
// code in a worker spawns, what a program's code declares, and how operations end.
#ifndef GROVE_SERVER_CONTROL_OWN_AUDIT_H_
#define GROVE_SERVER_CONTROL_OWN_AUDIT_H_

#include "grove/v1/operation_service.pb.h"
#include "server/audit/audit_log.h"
#include "server/control/authorizer.h"
#include "server/control/declared_schedules.h"
#include "server/control/inside_calls.h"
#include "server/control/live_schedules.h"

namespace grove::control {

class OwnAudit {
 public:
  // Both must outlive it.
  OwnAudit(const audit::AuditLog& log, const Authorizer& authorizer)
      : log_(log), authorizer_(authorizer) {}

  // As of spawns over gRPC (admit.h): not in the daemon's log, where nobody has a name.
  void Scheduled(const ScheduledSpawn& spawn) const;
  void Inside(const InsideSpawns& spawns) const;
  void Declared(const DeclaredChange& change) const;
  // Of what nobody called for here: a signal, a worker's recycling.
  void Ended(const v1::Operation& operation) const;

 private:
  bool LeavesSpawnsOut() const { return !log_.has_file() && !authorizer_.requires_tokens(); }

  const audit::AuditLog& log_;
  const Authorizer& authorizer_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_OWN_AUDIT_H_

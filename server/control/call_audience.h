// CallAudience: what a call's answer may say of the daemon as a whole.
#ifndef GROVE_SERVER_CONTROL_CALL_AUDIENCE_H_
#define GROVE_SERVER_CONTROL_CALL_AUDIENCE_H_

#include "server/control/call.h"
#include "server/tasks/engine.h"

namespace grove::control {

inline tasks::Audience AudienceOf(const Call& call) {
  return call.principal().is_operator() ? tasks::Audience::kOperators : tasks::Audience::kTenant;
}

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CALL_AUDIENCE_H_

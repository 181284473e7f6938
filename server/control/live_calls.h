// LiveCalls: the calls under way that came with a token, so that they end with it.
//
// A call enters when it reaches the hub and leaves when it is answered, both in constant time; that
// a token is revoked is rare, and looks at all of them. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_LIVE_CALLS_H_
#define GROVE_SERVER_CONTROL_LIVE_CALLS_H_

#include <utility>

#include "server/tasks/intrusive_list.h"
#include "server/tenancy/principal.h"

namespace grove::control {

class LiveCall {
 public:
  virtual ~LiveCall() = default;

 private:
  friend class LiveCalls;
  // Finishes the call with TokenRevoked(), which takes it off the list.
  virtual void EndRevoked() = 0;

  tenancy::PrincipalPtr principal_;  // null: it is on no list
  bool ends_ = false;                // on which of the two
  tasks::ListHook<LiveCall> hook_;
};

class LiveCalls {
 public:
  LiveCalls() = default;
  LiveCalls(const LiveCalls&) = delete;
  LiveCalls& operator=(const LiveCalls&) = delete;

  // False: its token was revoked before it came here; it is not on the list. A call without a token
  // never is.
  bool Add(LiveCall& call, const tenancy::PrincipalPtr& principal);
  // Also of a call that is not on the list.
  void Remove(LiveCall& call);
  // All that came as `principal`.
  void End(const tenancy::PrincipalPtr& principal);

 private:
  using List = tasks::IntrusiveList<LiveCall, &LiveCall::hook_>;

  List calls_;
  // Those that End() has found and not yet ended.
  List ending_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_LIVE_CALLS_H_

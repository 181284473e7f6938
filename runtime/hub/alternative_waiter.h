// AlternativeWaiter: a waiter that may stand in several lists at once, to be served by one of them.
//
// The alternatives of one fiber form a ring. Whoever serves one takes the others off their lists in
// the same step, before anybody else can serve them: so nothing is handed to a fiber that has made
// its choice. Hub thread only.
#ifndef GROVE_RUNTIME_HUB_ALTERNATIVE_WAITER_H_
#define GROVE_RUNTIME_HUB_ALTERNATIVE_WAITER_H_

#include "runtime/hub/wait_list.h"

namespace grove {

struct AlternativeWaiter : Waiter {
  WaitList* list = nullptr;                  // where it stands; set if it has alternatives
  AlternativeWaiter* alternative = nullptr;  // the next in the ring; null: it waits here only
};

// As WaitList::Grant(), for a list that holds AlternativeWaiters only.
inline Waiter* GrantAlternative(WaitList& list) {
  Waiter* const first = list.Grant();
  if (first == nullptr) return nullptr;
  AlternativeWaiter* other = static_cast<AlternativeWaiter*>(first)->alternative;
  for (; other != nullptr && other != first; other = other->alternative) {
    other->list->Remove(*other);
  }
  return first;
}

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_ALTERNATIVE_WAITER_H_

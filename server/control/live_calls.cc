#include "server/control/live_calls.h"

namespace grove::control {

bool LiveCalls::Add(LiveCall& call, const tenancy::PrincipalPtr& principal) {
  if (principal->token.empty()) return true;
  if (principal->revoked.load()) return false;
  call.principal_ = principal;
  calls_.PushBack(&call);
  return true;
}

void LiveCalls::Remove(LiveCall& call) {
  if (call.principal_ == nullptr) return;
  call.principal_ = nullptr;
  (call.ends_ ? ending_ : calls_).Remove(&call);
}

void LiveCalls::End(const tenancy::PrincipalPtr& principal) {
  for (LiveCall* call = calls_.front(); call != nullptr;) {
    LiveCall* const next = List::Next(call);
    if (call->principal_ == principal) {
      calls_.Remove(call);
      call->ends_ = true;
      ending_.PushBack(call);
    }
    call = next;
  }
  // One that ends may end others.
  while (LiveCall* call = ending_.front()) {
    Remove(*call);
    call->EndRevoked();
  }
}

}  // namespace grove::control

#include "runtime/hub/signal_handler_scope.h"

#include "runtime/hub/hub.h"

namespace grove {

SignalHandlerScope::SignalHandlerScope() : hub_(Hub::Current()) {
  if (hub_ != nullptr) hub_->park_bans().EnterSignalHandler();
}

SignalHandlerScope::~SignalHandlerScope() {
  if (hub_ != nullptr) hub_->park_bans().LeaveSignalHandler();
}

}  // namespace grove

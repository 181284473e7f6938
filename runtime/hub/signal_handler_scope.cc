#include "runtime/hub/signal_handler_scope.h"

#include "runtime/hub/hub.h"

namespace grove {

SignalHandlerScope::SignalHandlerScope() : hub_(Hub::Current()) {
  if (hub_ != nullptr) hub_->signal_handlers_ = hub_->signal_handlers_ + 1;
}

SignalHandlerScope::~SignalHandlerScope() {
  if (hub_ != nullptr) hub_->signal_handlers_ = hub_->signal_handlers_ - 1;
}

}  // namespace grove

// SignalHandlerScope: says that a signal handler runs, in which nothing may park.
//
// The first thing in a handler that may run on a hub's thread. A handler on the alternate stack
// (SA_ONSTACK) is recognized without it, by where its stack is. Async-signal-safe.
#ifndef GROVE_RUNTIME_HUB_SIGNAL_HANDLER_SCOPE_H_
#define GROVE_RUNTIME_HUB_SIGNAL_HANDLER_SCOPE_H_

namespace grove {

class Hub;

class SignalHandlerScope {
 public:
  SignalHandlerScope();
  ~SignalHandlerScope();
  SignalHandlerScope(const SignalHandlerScope&) = delete;
  SignalHandlerScope& operator=(const SignalHandlerScope&) = delete;

 private:
  Hub* const hub_;  // of this thread; null if it runs none
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_SIGNAL_HANDLER_SCOPE_H_

// ParkBans: what a hub's thread is in the middle of that no fiber may park in, beside C++
// exceptions.
//
// Counted by ThreadMutex and SignalHandlerScope, asked at every park. Hub thread only; handlers of
// signals run on it.
#ifndef GROVE_RUNTIME_HUB_PARK_BANS_H_
#define GROVE_RUNTIME_HUB_PARK_BANS_H_

namespace grove {

class ParkBans {
 public:
  void TakeLock() { ++locks_; }
  void DropLock() { --locks_; }
  void EnterSignalHandler() { handlers_ = handlers_ + 1; }
  void LeaveSignalHandler() { handlers_ = handlers_ - 1; }

  // ThreadMutexes that the thread holds.
  int locks() const { return locks_; }
  int signal_handlers() const { return handlers_; }

 private:
  int locks_ = 0;
  volatile int handlers_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_PARK_BANS_H_

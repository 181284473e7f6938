// SignalSafeLine: a line of bounded length for stderr, put together in a signal handler.
//
// Without a heap and without locks: all that a handler may use. What does not fit is cut.
#ifndef GROVE_SERVER_PROCESS_SIGNAL_SAFE_LINE_H_
#define GROVE_SERVER_PROCESS_SIGNAL_SAFE_LINE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/hub/clock.h"

namespace grove::process {

class SignalSafeLine {
 public:
  SignalSafeLine& Add(std::string_view text);
  SignalSafeLine& Add(uint64_t number);
  // With its end. Waits for whoever reads until `deadline` (CLOCK_MONOTONIC); false: it did not
  // take it by then.
  bool Write(MonotonicNanos deadline = kNever);

 private:
  char text_[1024];
  size_t size_ = 0;
};

// As Clock::Monotonic(), without a virtual call on an object that may be damaged.
MonotonicNanos SignalSafeNow();

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_SIGNAL_SAFE_LINE_H_

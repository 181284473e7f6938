// A first program: two fibers take turns on one thread.
#include <cstdio>

#include "runtime/hub/hub.h"

int main() {
  absl::StatusOr<std::unique_ptr<grove::Hub>> hub = grove::Hub::Create();
  if (!hub.ok()) return 1;
  const absl::Status status = (*hub)->Run([]() -> absl::Status {
    absl::StatusOr<grove::FiberHandle> counter = grove::Spawn("counter", [] {
      for (int i = 1; i <= 3; ++i) {
        std::printf("counter: %d\n", i);
        (void)grove::Sleep(absl::Milliseconds(1));  // the others run meanwhile
      }
    });
    if (!counter.ok()) return counter.status();
    std::puts("main: the counter has not run yet");
    return counter->Join();
  });
  std::puts(status.ok() ? "main: it has ended" : status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

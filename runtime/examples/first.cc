// A first program: two fibers take turns on one thread.
#include <cstdio>

#include "runtime/runtime.h"

void Count() {
  for (int i = 1; i <= 3; ++i) {
    std::printf("counter: %d\n", i);
    (void)grove::Sleep(absl::Milliseconds(1));  // the others run meanwhile
  }
}

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, [] {
    GROVE_ASSIGN_OR_RETURN(grove::FiberHandle counter, grove::Spawn("counter", Count));
    std::puts("main: the counter has not run yet");
    GROVE_RETURN_IF_ERROR(counter.Join());
    std::puts("main: it has ended");
    return absl::OkStatus();
  });
}

// green_thread: a fiber beside the main one, which waits for its end.
//
// eventlet's (9 lines): spawns a function that prints and sleeps five times, waits for its end, and
// prints.
#include <iostream>

#include "runtime/runtime.h"

absl::Status Count() {
  for (int number = 1; number <= 5; ++number) {
    std::cout << "count " << number << '\n';
    GROVE_RETURN_IF_ERROR(grove::Sleep(absl::Milliseconds(100)));
  }
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, [] {
    GROVE_ASSIGN_OR_RETURN(grove::FiberHandle counter, grove::Spawn("counter", Count));
    GROVE_RETURN_IF_ERROR(counter.Join());
    std::cout << "the counter has ended\n";
    return absl::OkStatus();
  });
}

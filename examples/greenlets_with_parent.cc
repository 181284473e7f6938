// greenlets_with_parent: bodies that return to who resumed them, with a value each way.
//
// greenlet's (14 lines): task(name, times) prints and returns to its parent each time; the main
// program switches into two of them, with values. A Coroutine is that: it knows no other way than
// back to its parent.
#include <iostream>

#include "runtime/runtime.h"

// Is given how many times to print, and says after each which one that was.
using Task = grove::Coroutine<int, int>;

Task MakeTask(std::string name) {
  return Task({}, [name](int times, Task::Yielder& parent) -> absl::Status {
    for (int time = 1; time <= times; ++time) {
      std::cout << name << ' ' << time << " of " << times << '\n';
      GROVE_RETURN_IF_ERROR(parent.Yield(time));
    }
    return absl::OkStatus();
  });
}

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, [] {
    Task one = MakeTask("one"), two = MakeTask("two");
    for (Task* task : {&one, &two, &one}) {
      GROVE_ASSIGN_OR_RETURN(const int time, task->Resume(2));
      std::cout << "back in the main program, after time " << time << '\n';
    }
    return absl::OkStatus();
  });
}

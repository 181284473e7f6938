// greenlets: two coroutines that switch to each other by name.
//
// greenlet's (12 lines): test1 prints 12 and switches to test2, which prints 56 and switches back;
// test1 prints 34 and ends, which returns to the first caller. What test2 would print next is never
// printed. Here its switch returns kCancelled when it is dropped, in place of GreenletExit.
#include <iostream>

#include "runtime/runtime.h"

using Greenlet = grove::SymmetricCoroutine<int>;

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, [] {
    Greenlet root = Greenlet::OfThisFiber(), test2;
    auto test1 = Greenlet::Make({}, root, [&](int, Greenlet& self) -> absl::StatusOr<int> {
      std::cout << 12 << '\n';
      GROVE_RETURN_IF_ERROR(self.SwitchTo(test2, 0));
      std::cout << 34 << '\n';
      return 0;
    });
    test2 = Greenlet::Make({}, root, [&](int, Greenlet& self) -> absl::StatusOr<int> {
      std::cout << 56 << '\n';
      GROVE_RETURN_IF_ERROR(self.SwitchTo(test1, 0));
      std::cout << 78 << '\n';
      return 0;
    });
    return root.SwitchTo(test1, 0).status();
  });
}

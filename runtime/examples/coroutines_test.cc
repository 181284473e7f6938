// What docs/runtime.md shows of coroutines.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/coroutine/coroutine.h"
#include "runtime/coroutine/symmetric_coroutine.h"
#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using CoroutinesExample = HubTest;

TEST_F(CoroutinesExample, Generators) {
  Run([] {
    // [generator]
    using Squares = Generator<int>;
    Squares squares({.name = "squares"}, [](Squares::Yielder& yielder) -> absl::Status {
      for (int i = 1;; ++i) {
        if (absl::Status asked = yielder.Yield(i * i); !asked.ok()) return asked;
      }
    });
    EXPECT_EQ(*squares.Next(), 1);
    EXPECT_EQ(*squares.Next(), 4);
    EXPECT_EQ(*squares.Next(), 9);
    // [/generator]
  });
}

TEST_F(CoroutinesExample, Asymmetric) {
  Run([] {
    // [coroutine]
    using Sum = Coroutine<int, std::string>;
    Sum sum({.name = "sum"}, [](int first, Sum::Yielder& yielder) -> absl::Status {
      for (int total = first;;) {
        absl::StatusOr<int> next = yielder.Yield(absl::StrCat("so far ", total));
        if (!next.ok()) return next.status();
        total += *next;
      }
    });
    EXPECT_EQ(*sum.Resume(1), "so far 1");
    EXPECT_EQ(*sum.Resume(41), "so far 42");
    EXPECT_TRUE(sum.Close().ok());
    // [/coroutine]
  });
}

TEST_F(CoroutinesExample, Symmetric) {
  Run([] {
    // [symmetric]
    using Coro = SymmetricCoroutine<int>;
    Coro root = Coro::OfThisFiber();
    Coro twice = Coro::Make({}, root, [](int in, Coro&) { return 2 * in; });  // ends: to its parent
    Coro plus =
        Coro::Make({}, root, [&](int in, Coro& self) { return self.SwitchTo(twice, in + 1); });
    EXPECT_EQ(*root.SwitchTo(plus, 20), 42);
    EXPECT_TRUE(twice.ended());
    EXPECT_TRUE(plus.active());  // nobody has switched back to it; dropped, it is cancelled
    // [/symmetric]
  });
}

}  // namespace
}  // namespace grove

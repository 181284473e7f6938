#include "runtime/coroutine/coroutine.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using CoroutineTest = HubTest;
using GeneratorTest = HubTest;
using Doubler = Coroutine<int, int>;

absl::Status Double(int in, Doubler::Yielder& yielder) {
  while (in != 0) {
    absl::StatusOr<int> next = yielder.Yield(2 * in);
    if (!next.ok()) return next.status();
    in = *next;
  }
  return absl::OkStatus();
}

TEST_F(CoroutineTest, PassesValuesBothWaysAndThenItsEnd) {
  Run([] {
    Doubler doubler({}, Double);
    EXPECT_FALSE(doubler.started());
    EXPECT_EQ(*doubler.Resume(4), 8);
    EXPECT_EQ(*doubler.Resume(5), 10);
    EXPECT_TRUE(absl::IsOutOfRange(doubler.Resume(0).status()));
    EXPECT_TRUE(doubler.ended());
    EXPECT_TRUE(absl::IsOutOfRange(doubler.Resume(1).status()));
  });
}

TEST_F(CoroutineTest, DeliversItsFailureAndItsException) {
  Run([] {
    Doubler failing({}, [](int, Doubler::Yielder&) { return absl::NotFoundError("nothing"); });
    EXPECT_EQ(failing.Resume(1).status(), absl::NotFoundError("nothing"));
    Doubler throwing(
        {}, [](int, Doubler::Yielder&) -> absl::Status { throw std::runtime_error("broken"); });
    EXPECT_THROW((void)throwing.Resume(1), std::runtime_error);
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 0u);
}

TEST_F(CoroutineTest, DroppingASuspendedOneCancelsIt) {
  Run([] {
    absl::Status seen;
    {
      Doubler doubler({}, [&seen](int in, Doubler::Yielder& yielder) {
        return seen = yielder.Yield(in).status();
      });
      EXPECT_EQ(*doubler.Resume(1), 1);
    }
    Yield();
    EXPECT_TRUE(absl::IsCancelled(seen));
  });
}

TEST_F(CoroutineTest, CloseWaitsForTheEndAlsoInACancelledFiber) {
  Run([] {
    bool body_ended = false;
    auto closer = *Spawn("closer", [&] {
      Doubler doubler({}, [&](int in, Doubler::Yielder& yielder) {
        (void)yielder.Yield(in);
        for (int i = 0; i < 3; ++i) Yield();
        body_ended = true;
        return absl::OkStatus();
      });
      (void)doubler.Resume(1);
      (void)Sleep(absl::Hours(1));
      EXPECT_TRUE(doubler.Close().ok());
      EXPECT_TRUE(body_ended);
      EXPECT_TRUE(doubler.ended());
    });
    (void)Sleep(absl::Seconds(1));
    closer.Cancel();
    EXPECT_TRUE(closer.Join().ok());
  });
}

TEST_F(CoroutineTest, AnInterruptedResumeLosesNothing) {
  Run([] {
    Doubler slow({}, [](int in, Doubler::Yielder& yielder) {
      (void)Sleep(absl::Seconds(2));
      return yielder.Yield(2 * in).status();
    });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(slow.Resume(4).status()));
    }
    EXPECT_TRUE(absl::IsFailedPrecondition(slow.Resume(5).status()));
    EXPECT_EQ(*slow.Await(), 8);
    EXPECT_TRUE(absl::IsFailedPrecondition(slow.Await().status()));
    EXPECT_TRUE(slow.Close().ok());
  });
}

TEST_F(CoroutineTest, AnInterruptedYieldLosesNothing) {
  Run([] {
    Doubler doubler({}, [](int in, Doubler::Yielder& yielder) {
      {
        Timeout timeout(absl::Seconds(1));
        EXPECT_TRUE(absl::IsDeadlineExceeded(yielder.Yield(in).status()));
      }
      EXPECT_TRUE(absl::IsFailedPrecondition(yielder.Yield(in).status()));
      EXPECT_EQ(*yielder.Await(), 2);
      return absl::OkStatus();
    });
    EXPECT_EQ(*doubler.Resume(1), 1);
    (void)Sleep(absl::Seconds(2));
    EXPECT_TRUE(absl::IsOutOfRange(doubler.Resume(2).status()));
  });
}

TEST_F(CoroutineTest, CantResumeItself) {
  Run([] {
    Doubler* self = nullptr;
    Doubler doubler({}, [&self](int, Doubler::Yielder&) { return self->Resume(1).status(); });
    self = &doubler;
    EXPECT_TRUE(absl::IsFailedPrecondition(doubler.Resume(1).status()));
  });
}

TEST_F(GeneratorTest, YieldsItsValuesInOrderAndOnlyWhenAsked) {
  Run([] {
    int made = 0;
    Generator<std::string> letters({}, [&](Generator<std::string>::Yielder& yielder) {
      for (const char* letter : {"a", "b"}) {
        ++made;
        if (absl::Status status = yielder.Yield(letter); !status.ok()) return status;
      }
      return absl::OkStatus();
    });
    EXPECT_EQ(*letters.Next(), "a");
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(made, 1);
    EXPECT_EQ(*letters.Next(), "b");
    EXPECT_TRUE(absl::IsOutOfRange(letters.Next().status()));
  });
}

}  // namespace
}  // namespace grove

// What docs/runtime.md shows of fibers, groups and fiber-local values.
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/group/fiber_group.h"
#include "runtime/group/spawn_after.h"
#include "runtime/group/spawn_value.h"
#include "runtime/hub/fiber_local.h"
#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using FibersExample = HubTest;

// [local]
FiberLocal<std::string, Inheritance::kCopied> request_id;

void Handle(std::string id) {
  request_id.Set(std::move(id));
  (void)Spawn("child", [] { EXPECT_EQ(request_id.Get(), "r-17"); });  // a copy, as of the spawn
  request_id.Set("r-18");                                             // the child doesn't see that
}
// [/local]

TEST_F(FibersExample, Spawn) {
  Run([] {
    // [spawn]
    absl::StatusOr<FiberHandle> fetch = Spawn("fetch", []() -> absl::Status {
      if (absl::Status slept = Sleep(absl::Seconds(1)); !slept.ok()) return slept;
      return absl::NotFoundError("no such page");
    });
    if (!fetch.ok()) return;  // kResourceExhausted: at the fiber limit, or no memory

    EXPECT_TRUE(absl::IsNotFound(fetch->Join()));  // any number of fibers may join,
    EXPECT_TRUE(absl::IsNotFound(fetch->Join()));  // also after the end

    (void)Spawn("detached", [] {});  // without a handle nobody waits for it
    // [/spawn]
    Yield();
  });
}

TEST_F(FibersExample, Values) {
  Run([] {
    // [values]
    auto length = SpawnValue("length", []() -> absl::StatusOr<size_t> { return 42; });
    auto fails = SpawnValue("fails", []() -> int { throw std::runtime_error("no luck"); });

    EXPECT_EQ(*length->Join(), 42u);
    const absl::Status thrown = fails->Join().status();
    EXPECT_EQ(thrown.code(), absl::StatusCode::kUnknown);          // with the text of what()
    EXPECT_THROW((void)fails->JoinOrThrow(), std::runtime_error);  // or as it was thrown
    // [/values]
  });
}

TEST_F(FibersExample, Cancel) {
  Run([] {
    // [cancel]
    auto fiber = *Spawn("worker", []() -> absl::Status {
      for (;;) {
        // From the cancellation on this and every later park of this fiber returns kCancelled.
        if (absl::Status slept = Sleep(absl::Seconds(1)); !slept.ok()) return slept;
      }
    });
    auto unlucky = *Spawn("unlucky", [] { ADD_FAILURE() << "its body never runs"; });
    unlucky.Cancel();

    (void)Sleep(absl::Seconds(5));
    fiber.Cancel();
    EXPECT_TRUE(absl::IsCancelled(fiber.Join()));
    EXPECT_TRUE(absl::IsCancelled(unlucky.Join()));
    // [/cancel]
  });
}

TEST_F(FibersExample, LinksAndDelays) {
  Run([] {
    // [links]
    auto job = *Spawn("job", [] { return absl::AbortedError("gave up"); });
    FiberLinkId link = job.Link([](const Fiber& fiber, const absl::Status& result) {
      EXPECT_EQ(fiber.name(), "job");
      EXPECT_TRUE(absl::IsAborted(result));
    });
    (void)job.Join();
    EXPECT_FALSE(job.Unlink(link));  // it has been called
    // [/links]
    // [after]
    auto later = *SpawnAfter(absl::Seconds(10), {.name = "later"}, [] { return absl::OkStatus(); });
    EXPECT_TRUE(later.CancelBeforeStart());
    {
      auto local = *SpawnAfterLocal(absl::Seconds(10), {.name = "local"}, []() -> absl::Status {
        ADD_FAILURE() << "the spawner has left the scope before";
        return absl::OkStatus();
      });
      EXPECT_FALSE(local->started());
    }  // cancelled here
    // [/after]
    (void)Sleep(absl::Seconds(20));
  });
}

TEST_F(FibersExample, Groups) {
  Run([] {
    // [group]
    std::vector<int> rows(2);
    FiberGroup group(FiberGroup::OnFailure::kCancelRest);
    (void)group.Spawn("left", [&] {
      rows[0] = 1;
      return absl::UnavailableError("the left one is down");
    });
    (void)group.Spawn("right", [&] { return Sleep(absl::Hours(1)); });  // is cancelled
    // Returns when no child is left, whatever happens to this fiber: they use `rows`.
    EXPECT_TRUE(absl::IsUnavailable(group.Join()));
    // [/group]
  });
}

TEST_F(FibersExample, Locals) {
  Run([] {
    Handle("r-17");
    Yield();
  });
}

}  // namespace
}  // namespace grove

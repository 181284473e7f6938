#include "runtime/sync/event.h"

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using EventTest = HubTest;

TEST_F(EventTest, LetsAllWaitersThroughAndLaterOnesToo) {
  int through = 0;
  Run([&] {
    Event event;
    for (int i = 0; i < 3; ++i) (void)Spawn("waiter", [&] { through += event.Wait().ok(); });
    Yield();
    EXPECT_EQ(event.waiting(), 3u);
    event.Set();
    EXPECT_TRUE(event.Wait().ok());
    Yield();
  });
  EXPECT_EQ(through, 3);
}

TEST_F(EventTest, AResetOneIsWaitedForAgainAndThoseLetThroughStayThrough) {
  Run([] {
    Event event;
    auto waiter = *Spawn("waiter", [&] { EXPECT_TRUE(event.Wait().ok()); });
    Yield();
    event.Set();
    event.Reset();
    EXPECT_FALSE(event.ready());
    EXPECT_TRUE(waiter.Join().ok());
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(event.Wait()));
  });
}

}  // namespace
}  // namespace grove

#include "server/http/middleware/time_limit.h"

#include "runtime/hub/hub_fixture.h"
#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

class TimeLimitTest : public MiddlewareFixture {
 protected:
  // Of a handler that says `before`, sleeps so long and says "done"; on invented time.
  Answered AskSleeping(absl::Duration nap, std::string_view before = "") {
    Answered answered;
    FakeClock clock;
    auto hub = *Hub::Create({.clock = &clock, .poller = std::make_unique<FakePoller>(clock)});
    RunOn(*hub, [&] {
      answered =
          Ask(TimeLimit(absl::Seconds(2), 504), [&](Request&, Response& response) -> absl::Status {
            EXPECT_TRUE(before.empty() || response.Write(before).ok());
            if (absl::Status slept = Sleep(nap); !slept.ok()) return slept;
            return response.Write("done");
          });
      EXPECT_TRUE(Sleep(absl::Seconds(10)).ok()) << "the limit outlives its handler";
    });
    return answered;
  }
};

TEST_F(TimeLimitTest, LeavesAHandlerAloneThatIsInTime) {
  const Answered answered = AskSleeping(absl::Milliseconds(1999));
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.Body(), "done");
}

TEST_F(TimeLimitTest, AnswersForOneThatIsLate) {
  const Answered answered = AskSleeping(absl::Milliseconds(2001));
  EXPECT_TRUE(answered.result.ok());
  EXPECT_EQ(answered.status, 504);
  EXPECT_TRUE(answered.finished);
}

TEST_F(TimeLimitTest, CutsAResponseThatHasBegun) {
  const Answered answered = AskSleeping(absl::Milliseconds(2001), "begun");
  EXPECT_TRUE(absl::IsDeadlineExceeded(answered.result));
  EXPECT_EQ(answered.Body(), "begun");
  EXPECT_FALSE(answered.finished);
}

}  // namespace
}  // namespace grove::http

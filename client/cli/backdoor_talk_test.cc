#include "client/cli/backdoor_talk.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/client.h"
#include "client/fake_grove.h"

namespace grove::client::cli {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

class BackdoorTalkTest : public testing::Test {
 protected:
  FakeGrove server_;
  const std::unique_ptr<Client> client_ = *Client::Create({server_.address()});
  const std::unique_ptr<BackdoorSession> session_ = client_->OpenBackdoor("workers/0");
  BackdoorTalk talk_{*session_};
};

TEST_F(BackdoorTalkTest, TakesThePromptsOut) {
  EXPECT_EQ(talk_.Next(kLong, -1)->text, "grove worker 0, pid 1. Lua 5.4\n");
  talk_.Send("hub()");
  EXPECT_EQ(talk_.Next(kLong, -1)->text, "hub()\n");
  talk_.Send("do");
  EXPECT_TRUE(talk_.Next(kLong, -1)->incomplete);
}

TEST_F(BackdoorTalkTest, DropsWhatNobodyWaitsFor) {
  ASSERT_TRUE(talk_.Next(kLong, -1).ok());
  talk_.Send("first");
  talk_.Abandon();
  talk_.Send("second");
  EXPECT_EQ(talk_.Next(kLong, -1)->text, "second\n");
}

TEST_F(BackdoorTalkTest, AbandonsAStatementThatWasToGoOn) {
  ASSERT_TRUE(talk_.Next(kLong, -1).ok());
  talk_.Send("do");
  ASSERT_TRUE(talk_.Next(kLong, -1)->incomplete);
  talk_.Abandon();
  talk_.Send("next");
  EXPECT_EQ(talk_.Next(kLong, -1)->text, "next\n");
  // Also one that turns out to go on after it was given up.
  talk_.Send("do");
  talk_.Abandon();
  talk_.Send("after");
  EXPECT_EQ(talk_.Next(kLong, -1)->text, "after\n");
}

TEST_F(BackdoorTalkTest, AWaitForAnAnswerIsBoundedAndInterrupted) {
  ASSERT_TRUE(talk_.Next(kLong, -1).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(talk_.Next(absl::Milliseconds(5), -1).status()));
  const int interrupt = eventfd(1, 0);
  EXPECT_TRUE(absl::IsCancelled(talk_.Next(kLong, interrupt).status()));
  close(interrupt);
}

TEST_F(BackdoorTalkTest, EndsWithTheSession) {
  ASSERT_TRUE(talk_.Next(kLong, -1).ok());
  talk_.Close(kLong);
  EXPECT_TRUE(talk_.Poll());
  EXPECT_TRUE(talk_.Next(kLong, -1)->ended);
}

TEST(SplitError, TakesTheErrorFromWhatWasPrinted) {
  EXPECT_EQ(SplitError("42\n").text, "42\n");
  EXPECT_EQ(SplitError("42\n").error, "");
  EXPECT_EQ(SplitError("error: no\n").error, "no");
  EXPECT_EQ(SplitError("a\nerror: b\nc\n").text, "a\n");
  EXPECT_EQ(SplitError("a\nerror: b\nc\n").error, "b\nc");
  EXPECT_EQ(SplitError("an error: b\n").error, "");
}

TEST(AbandonLine, ClosesEveryLongBracket) {
  EXPECT_EQ(AbandonLine("for i = 1, 2 do\n"), " = =");
  EXPECT_EQ(AbandonLine("x = [[a\n"), "]] = =");
  EXPECT_EQ(AbandonLine("x = [===[a [[\n"), "]]]===] = =");
}

}  // namespace
}  // namespace grove::client::cli

#include "server/control/live_calls.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace grove::control {
namespace {

tenancy::PrincipalPtr Caller(const std::string& token) {
  auto principal = std::make_shared<tenancy::Principal>();
  principal->token = token;
  return principal;
}

class Seen final : public LiveCall {
 public:
  int ended = 0;
  // Ends when this one does.
  Seen* other = nullptr;
  LiveCalls* calls = nullptr;

 private:
  void EndRevoked() override {
    ++ended;
    if (other != nullptr) calls->Remove(*other);
  }
};

TEST(LiveCalls, EndsThoseOfOneTokenAndNoOthers) {
  LiveCalls calls;
  const auto a = Caller("a");
  const auto b = Caller("b");
  std::vector<Seen> seen(4);
  EXPECT_TRUE(calls.Add(seen[0], a));
  EXPECT_TRUE(calls.Add(seen[1], b));
  EXPECT_TRUE(calls.Add(seen[2], a));
  EXPECT_TRUE(calls.Add(seen[3], a));
  calls.Remove(seen[3]);
  calls.End(a);
  calls.End(a);
  EXPECT_EQ(seen[0].ended, 1);
  EXPECT_EQ(seen[1].ended, 0);
  EXPECT_EQ(seen[2].ended, 1);
  EXPECT_EQ(seen[3].ended, 0);
  calls.Remove(seen[1]);
}

TEST(LiveCalls, OneMayTakeAnotherAlong) {
  LiveCalls calls;
  const auto a = Caller("a");
  std::vector<Seen> seen(2);
  for (Seen& each : seen) {
    each.calls = &calls;
    ASSERT_TRUE(calls.Add(each, a));
  }
  seen[0].other = &seen[1];
  calls.End(a);
  EXPECT_EQ(seen[0].ended, 1);
  EXPECT_EQ(seen[1].ended, 0);
}

TEST(LiveCalls, OneThatComesAfterTheRevocationIsNotTaken) {
  LiveCalls calls;
  const auto a = Caller("a");
  a->revoked.store(true);
  Seen seen;
  EXPECT_FALSE(calls.Add(seen, a));
  calls.End(a);
  EXPECT_EQ(seen.ended, 0);
}

TEST(LiveCalls, WhoCameWithoutATokenIsNoneOfItsBusiness) {
  LiveCalls calls;
  Seen seen;
  EXPECT_TRUE(calls.Add(seen, tenancy::LocalPrincipal()));
  calls.End(tenancy::LocalPrincipal());
  EXPECT_EQ(seen.ended, 0);
}

}  // namespace
}  // namespace grove::control

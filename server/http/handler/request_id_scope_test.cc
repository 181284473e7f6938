#include "server/http/handler/request_id_scope.h"

#include "runtime/hub/hub_fixture.h"

namespace grove::http {
namespace {

using RequestIdScopeTest = HubTest;

TEST_F(RequestIdScopeTest, AFiberHasTheIdOfTheScopeAroundIt) {
  Run([] {
    EXPECT_EQ(RequestIdScope::Current(), "");
    {
      const RequestIdScope outer("one");
      EXPECT_EQ(RequestIdScope::Current(), "one");
      {
        const RequestIdScope inner("two");
        EXPECT_EQ(RequestIdScope::Current(), "two");
      }
      EXPECT_EQ(RequestIdScope::Current(), "one");
    }
    EXPECT_EQ(RequestIdScope::Current(), "");
  });
  EXPECT_EQ(RequestIdScope::Current(), "");
}

TEST_F(RequestIdScopeTest, AFiberInheritsItAsOfTheSpawn) {
  Run([] {
    FiberHandle child;
    {
      const RequestIdScope scope("one");
      child = *Spawn("child", [] { EXPECT_EQ(RequestIdScope::Current(), "one"); });
    }
    EXPECT_TRUE(child.Join().ok());
  });
}

}  // namespace
}  // namespace grove::http

#include "server/tenancy/resource_name.h"

#include <string>

#include "gtest/gtest.h"

namespace grove::tenancy {
namespace {

TEST(ShortName, HasLettersAndDigitsAtBothEnds) {
  EXPECT_TRUE(IsShortName("a"));
  EXPECT_TRUE(IsShortName("0"));
  EXPECT_TRUE(IsShortName("a-b_c.d9"));
  EXPECT_FALSE(IsShortName(""));
  EXPECT_FALSE(IsShortName("-a"));
  EXPECT_FALSE(IsShortName("a."));
  EXPECT_FALSE(IsShortName("A"));
  EXPECT_FALSE(IsShortName("a/b"));
  EXPECT_FALSE(IsShortName("a b"));
}

TEST(ShortName, IsAtMost63Long) {
  EXPECT_TRUE(IsShortName(std::string(63, 'a')));
  EXPECT_FALSE(IsShortName(std::string(64, 'a')));
}

TEST(ResourceName, ParsesWhatItFormats) {
  EXPECT_EQ(*ParseTenantName(FormatTenantName("acme")), "acme");
  const std::string queue = FormatQueueName("acme", "mail");
  EXPECT_EQ(queue, "tenants/acme/queues/mail");
  EXPECT_EQ(ParseQueueName(queue)->tenant, "acme");
  EXPECT_EQ(ParseQueueName(queue)->queue, "mail");
  const std::string pool = FormatPoolName("acme", "small");
  EXPECT_EQ(pool, "tenants/acme/pools/small");
  EXPECT_EQ(ParsePoolName(pool)->pool, "small");
  const std::string schedule = FormatScheduleName("acme", "nightly");
  EXPECT_EQ(schedule, "tenants/acme/schedules/nightly");
  EXPECT_EQ(ParseScheduleName(schedule)->tenant, "acme");
  EXPECT_EQ(ParseScheduleName(schedule)->schedule, "nightly");
  const std::string payload = "tenants/acme/payloads/01M8";
  EXPECT_EQ(ParsePayloadName(payload)->tenant, "acme");
  EXPECT_EQ(ParsePayloadName(payload)->payload, "01M8");
}

TEST(ResourceName, ParsesTaskNames) {
  const auto name = ParseTaskName("tenants/acme/queues/mail/tasks/01J");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->tenant, "acme");
  EXPECT_EQ(name->queue, "mail");
  EXPECT_EQ(name->task, "01J");
}

TEST(ResourceName, RefusesOtherForms) {
  for (const char* name : {"", "tenants", "tenants/", "tenants/A", "tenants/a/", "tenant/a",
                           "/tenants/a", "tenants/a/b"}) {
    EXPECT_EQ(ParseTenantName(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  for (const char* name :
       {"tenants/a", "tenants/a/queues", "tenants/a/queues/", "tenants//queues/q",
        "tenants/a/pools/q", "tenants/a/queues/q/tasks", "tenants/a/queues/q/"}) {
    EXPECT_FALSE(ParseQueueName(name).ok()) << name;
  }
  EXPECT_FALSE(ParsePoolName("tenants/a/queues/q").ok());
  EXPECT_FALSE(ParseScheduleName("tenants/a/queues/q").ok());
  EXPECT_FALSE(ParsePayloadName("tenants/a/payloads/").ok());
  EXPECT_FALSE(ParsePayloadName("tenants/a/payloads/1/2").ok());
  for (const char* name :
       {"tenants/a/queues/q", "tenants/a/queues/q/tasks/", "tenants/a/queues/q/tasks/x/y"}) {
    EXPECT_FALSE(ParseTaskName(name).ok()) << name;
  }
}

TEST(ResourceName, QuotesABadNameWithoutItsControlCharacters) {
  const std::string message(ParseTenantName("tenants/\x1b[31m").status().message());
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_NE(message.find("tenants/TENANT"), std::string::npos);
}

TEST(ResourceName, TokensAreATenantsOrTheOperators) {
  const auto acme = ParseTokenName("tenants/acme/tokens/ci");
  ASSERT_TRUE(acme.ok());
  EXPECT_EQ(acme->tenant, "acme");
  EXPECT_EQ(acme->token, "ci");
  const auto operators = ParseTokenName("operators/tokens/ci.2");
  ASSERT_TRUE(operators.ok());
  EXPECT_EQ(operators->tenant, "");
  EXPECT_EQ(operators->token, "ci.2");
  for (const char* bad : {"operators/tokens/", "operators/tokens/A", "operators/tokens/a/b",
                          "operators", "tenants/tokens/ci", "tenants/acme/tokens", "tokens/ci"}) {
    EXPECT_FALSE(ParseTokenName(bad).ok()) << bad;
  }
  EXPECT_EQ(FormatPayloadName("acme", "01M8"), "tenants/acme/payloads/01M8");
  EXPECT_EQ(FormatTokenName("acme", "ci"), "tenants/acme/tokens/ci");
  EXPECT_EQ(FormatTokenName("", "ci"), "operators/tokens/ci");
  EXPECT_EQ(*ParseTokenParent("tenants/acme"), "acme");
  EXPECT_EQ(*ParseTokenParent("operators"), "");
  EXPECT_FALSE(ParseTokenParent("").ok());
  EXPECT_FALSE(ParseTokenParent("tenants/-").ok());
}

}  // namespace
}  // namespace grove::tenancy

#include "server/tenancy/token_book.h"

#include <set>

#include "gtest/gtest.h"

namespace grove::tenancy {
namespace {

constexpr WallMicros kNow = 1'000'000;

TokenEntry Entry(std::string name, std::string tenant, std::string_view secret) {
  return {.name = name,
          .title = "token " + name,
          .tenant = tenant,
          .roles = {Role::kWriter},
          .digest = DigestOf(secret)};
}

TEST(TokenBookTest, FindsWhoseASecretIs) {
  TokenBook book;
  ASSERT_TRUE(book.Add(Entry("a", "acme", "secret of a")).ok());
  ASSERT_TRUE(book.Add(Entry("b", "", "secret of b")).ok());
  const TokenBook::Found found = book.Find("secret of a", kNow);
  ASSERT_NE(found.principal, nullptr);
  EXPECT_EQ(found.principal->tenant, "acme");
  EXPECT_TRUE(book.Find("secret of b", kNow).principal->is_operator());
  EXPECT_EQ(book.Find("secret of c", kNow).trouble, TokenBook::Trouble::kUnknown);
  EXPECT_EQ(book.Find("", kNow).principal, nullptr);
}

TEST(TokenBookTest, RefusesDoubles) {
  TokenBook book;
  ASSERT_TRUE(book.Add(Entry("a", "", "one")).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(book.Add(Entry("a", "", "two"))));
  EXPECT_EQ(book.Find("two", kNow).principal, nullptr);
  const absl::Status same = book.Add(Entry("b", "", "one"));
  EXPECT_EQ(same.message(), "b has the same secret as a");
  EXPECT_EQ(book.size(), 1u);
}

TEST(TokenBookTest, ARevocationHoldsAtOnceAndReachesWhoCameWithIt) {
  TokenBook book;
  ASSERT_TRUE(book.Add(Entry("a", "", "one")).ok());
  const PrincipalPtr caller = book.Find("one", kNow).principal;
  std::vector<std::string> told;
  book.set_on_revoked([&](const PrincipalPtr& who) { told.push_back(who->token); });
  EXPECT_TRUE(book.Revoke("a"));
  EXPECT_FALSE(book.Revoke("a"));
  EXPECT_EQ(book.Find("one", kNow).trouble, TokenBook::Trouble::kUnknown);
  EXPECT_TRUE(caller->revoked);
  EXPECT_EQ(told, std::vector<std::string>{"a"});
  EXPECT_EQ(book.Named("a"), nullptr);
  EXPECT_TRUE(book.Add(Entry("a", "", "one")).ok()) << "its name is free again";
}

TEST(TokenBookTest, ATenantsTokensGoTogether) {
  TokenBook book;
  ASSERT_TRUE(book.Add(Entry("a", "acme", "one")).ok());
  ASSERT_TRUE(book.Add(Entry("b", "other", "two")).ok());
  book.RevokeAllOf("acme");
  EXPECT_EQ(book.Find("one", kNow).principal, nullptr);
  EXPECT_NE(book.Find("two", kNow).principal, nullptr);
}

TEST(TokenBookTest, ATokenExpires) {
  TokenBook book;
  TokenEntry entry = Entry("a", "", "one");
  entry.expires_us = kNow + 1;
  ASSERT_TRUE(book.Add(entry).ok());
  const PrincipalPtr caller = book.Find("one", kNow).principal;
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(book.Find("one", kNow + 1).trouble, TokenBook::Trouble::kExpired);
  EXPECT_TRUE(book.Expire("a", kNow + 5));
  EXPECT_NE(book.Find("one", kNow + 1).principal, nullptr);
  book.EndExpired(kNow + 4);
  EXPECT_FALSE(caller->revoked);
  book.EndExpired(kNow + 5);
  EXPECT_TRUE(caller->revoked);
  EXPECT_FALSE(book.Expire("a", 0));
  EXPECT_EQ(book.Find("one", kNow + 6).trouble, TokenBook::Trouble::kExpired);
  ASSERT_TRUE(book.Add(Entry("a", "", "one")).ok());
  EXPECT_NE(book.Find("one", kNow + 6).principal, nullptr);
}

TEST(TokenBookTest, SecretsAreLongAndNeverTheSame) {
  std::set<std::string> made;
  for (int i = 0; i < 100; ++i) made.insert(MakeSecret());
  EXPECT_EQ(made.size(), 100u);
  for (const std::string& secret : made) {
    EXPECT_EQ(secret.size(), 4u + 43u) << secret;
    EXPECT_EQ(secret.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789-_"),
              secret.npos);
  }
}

}  // namespace
}  // namespace grove::tenancy

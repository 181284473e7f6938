#include "server/tenancy/config_tokens.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::tenancy {
namespace {

using config::v1::Token;
using testing::HasSubstr;

class ConfigTokensTest : public testing::Test {
 protected:
  Token& AddToken(const std::string& name, const std::string& secret) {
    const std::string path = testing::TempDir() + "/secret-" + name;
    std::ofstream(path) << secret << "\n";
    chmod(path.c_str(), 0600);
    Token& token = *config_.add_tokens();
    token.set_name(name);
    token.set_role(Token::ROLE_WRITER);
    token.set_secret_file(path);
    return token;
  }
  // Into the book.
  std::string Error() {
    const absl::Status added = AddConfigTokens("control.tokens", config_.tokens(), book_);
    return std::string(added.message());
  }

  config::v1::Control config_;
  TokenBook book_;
};

TEST_F(ConfigTokensTest, SayWhoseTheyAreAndForHowLong) {
  AddToken("ci", "operators-secret-0123456789");
  Token& theirs = AddToken("theirs", "tenants-secret-0123456789");
  theirs.set_tenant("acme");
  theirs.set_expire_time("1970-01-01T00:00:01Z");
  ASSERT_EQ(Error(), "");
  const PrincipalPtr ours = book_.Find("operators-secret-0123456789", 0).principal;
  ASSERT_NE(ours, nullptr);
  EXPECT_EQ(ours->name, "token ci");
  EXPECT_EQ(ours->token, "operators/tokens/ci");
  EXPECT_TRUE(ours->is_operator());
  EXPECT_EQ(ours->roles, RoleSet{Role::kWriter});
  const PrincipalPtr tenants = book_.Find("tenants-secret-0123456789", 999'999).principal;
  ASSERT_NE(tenants, nullptr);
  EXPECT_EQ(tenants->token, "tenants/acme/tokens/theirs");
  EXPECT_EQ(tenants->tenant, "acme");
  EXPECT_EQ(book_.Find("tenants-secret-0123456789", 1'000'000).trouble,
            TokenBook::Trouble::kExpired);
}

TEST_F(ConfigTokensTest, MayHaveSeveralRoles) {
  Token& beside = AddToken("beside", "one-secret-0123456789");
  beside.add_roles(Token::ROLE_DEBUG);
  Token& instead = AddToken("instead", "two-secret-0123456789");
  instead.clear_role();
  instead.add_roles(Token::ROLE_VIEWER);
  instead.add_roles(Token::ROLE_OPERATOR);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(book_.Find("one-secret-0123456789", 0).principal->roles,
            (RoleSet{Role::kWriter, Role::kDebug}));
  EXPECT_EQ(book_.Find("two-secret-0123456789", 0).principal->roles,
            (RoleSet{Role::kViewer, Role::kOperator}));
}

TEST_F(ConfigTokensTest, SayWhatIsWrongWithWhich) {
  AddToken("a", "one-secret-0123456789");
  AddToken("b", "one-secret-0123456789");
  EXPECT_THAT(Error(), HasSubstr("control.tokens: token 'b': operators/tokens/b has the same"));
  config_.clear_tokens();
  AddToken("c", "two-secret-0123456789").set_expire_time("soon");
  EXPECT_THAT(Error(), HasSubstr("token 'c': 'soon' is no time"));
  config_.clear_tokens();
  AddToken("d", "two-secret-0123456789").clear_role();
  EXPECT_THAT(Error(), HasSubstr("token 'd': has no role"));
  config_.clear_tokens();
  AddToken("e", "short");
  EXPECT_THAT(Error(), HasSubstr("token 'e': "));
}

}  // namespace
}  // namespace grove::tenancy

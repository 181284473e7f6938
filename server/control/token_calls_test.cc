#include "server/control/token_calls.h"

#include "gmock/gmock.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/tenancy_fixture.h"

namespace grove::control {
namespace {

using tenancy::Principal;
using tenancy::Role;
using ::testing::ElementsAre;
using ::testing::StartsWith;

class TokenCallsTest : public TenancyTest {
 protected:
  TokenCallsTest() { Begin(); }

  absl::StatusOr<v1::CreateTokenResponse> Create(
      const Principal& who, const std::string& parent, const std::string& id,
      const std::vector<v1::Token::Role>& roles = {v1::Token::ROLE_ADMIN}, int64_t holds_us = 0) {
    v1::CreateTokenRequest request;
    request.set_parent(parent);
    request.set_token_id(id);
    for (const v1::Token::Role role : roles) request.mutable_token()->add_roles(role);
    if (holds_us != 0) {
      proto::SetMicros(WallNow() + holds_us, request.mutable_token()->mutable_expire_time());
    }
    return tokens_->Create(who, request);
  }
  absl::StatusOr<v1::RotateTokenResponse> Rotate(const Principal& who, const std::string& name,
                                                 int64_t overlap_s = 0) {
    v1::RotateTokenRequest request;
    request.set_name(name);
    request.mutable_overlap()->set_seconds(overlap_s);
    return tokens_->Rotate(who, request);
  }
  absl::StatusOr<v1::RevokeTokenResponse> Revoke(const Principal& who, const std::string& name) {
    v1::RevokeTokenRequest request;
    request.set_name(name);
    return tokens_->Revoke(who, request);
  }
  absl::StatusOr<v1::Token> Get(const Principal& who, const std::string& name) {
    v1::GetTokenRequest request;
    request.set_name(name);
    auto response = tokens_->Get(who, request);
    if (!response.ok()) return response.status();
    return response->token();
  }
  std::vector<std::string> List(const Principal& who, const std::string& parent, bool all = false,
                                int page_size = 0) {
    std::vector<std::string> names;
    v1::ListTokensRequest request;
    request.set_parent(parent);
    request.set_with_revoked(all);
    request.set_page_size(page_size);
    do {
      const auto page = tokens_->List(who, request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const v1::Token& token : page->tokens()) names.push_back(token.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }
  bool Holds(const std::string& secret) {
    return book_.Find(secret, WallNow()).principal != nullptr;
  }
  // An operators' administrator, without whom no other token can be made.
  void AddRoot() { ASSERT_TRUE(Create(Operator(), "operators", "root").ok()); }
};

TEST_F(TokenCallsTest, TheSecretLetsInAndIsNowhereKept) {
  Drive([&] {
    EXPECT_FALSE(requires_tokens_);
    const auto made = Create(Operator(), "operators", "root");
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_TRUE(requires_tokens_);
    EXPECT_THAT(made->secret(), StartsWith("grv_"));
    EXPECT_EQ(made->token().name(), "operators/tokens/root");
    EXPECT_EQ(made->token().display_prefix(), made->secret().substr(0, 8));
    EXPECT_EQ(made->token().created_by(), "token root");
    EXPECT_FALSE(made->token().has_last_use_time());
    const auto found = book_.Find(made->secret(), WallNow());
    ASSERT_NE(found.principal, nullptr);
    EXPECT_TRUE(found.principal->is_operator());
    EXPECT_TRUE(found.principal->roles.Has(Role::kAdmin));
    EXPECT_TRUE(Get(Operator(), "operators/tokens/root")->has_last_use_time());
    const tenancy::TokenRecord* kept = registry_store_.kept.FindToken({"", "root"});
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(kept->digest, tenancy::DigestOf(made->secret()));
  });
}

TEST_F(TokenCallsTest, TheFirstOneIsTheOperatorsWayIn) {
  Drive([&] {
    ASSERT_TRUE(CreateTenant("acme").ok());
    EXPECT_EQ(ReasonOf(Create(Operator(), "tenants/acme", "ci")), "FIRST_TOKEN_NOT_ADMIN");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "x", {v1::Token::ROLE_DEBUG})),
              "FIRST_TOKEN_NOT_ADMIN");
    AddRoot();
    EXPECT_TRUE(Create(Operator(), "tenants/acme", "ci").ok());
  });
}

TEST_F(TokenCallsTest, NobodyHandsOutARoleThatHeLacks) {
  Drive([&] {
    AddRoot();
    ASSERT_TRUE(CreateTenant("acme").ok());
    const Principal writer = Of("acme", Role::kWriter);
    EXPECT_EQ(ReasonOf(Create(writer, "tenants/acme", "a", {v1::Token::ROLE_ADMIN})),
              "ROLE_INSUFFICIENT");
    EXPECT_EQ(ReasonOf(Create(writer, "tenants/acme", "a", {v1::Token::ROLE_DEBUG})),
              "ROLE_INSUFFICIENT");
    EXPECT_TRUE(Create(writer, "tenants/acme", "a", {v1::Token::ROLE_VIEWER}).ok());
    ASSERT_TRUE(Create(Of("acme"), "tenants/acme", "b", {v1::Token::ROLE_ADMIN}).ok());
    EXPECT_EQ(ReasonOf(Rotate(writer, "tenants/acme/tokens/b")), "ROLE_INSUFFICIENT");
  });
}

TEST_F(TokenCallsTest, ATenantCaresForItsOwnAlone) {
  Drive([&] {
    AddRoot();
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(CreateTenant("beta").ok());
    ASSERT_TRUE(Create(Of("acme"), "tenants/acme", "ci").ok());
    ASSERT_TRUE(Create(Operator(), "tenants/beta", "ci").ok());
    EXPECT_THAT(List(Of("acme"), "tenants/acme"), ElementsAre("tenants/acme/tokens/ci"));
    EXPECT_EQ(ReasonOf(Create(Of("acme"), "tenants/beta", "x")), "TENANT_NOT_FOUND");
    EXPECT_EQ(ReasonOf(Create(Of("acme"), "operators", "x")), "TOKEN_NOT_FOUND");
    for (const char* others : {"tenants/beta/tokens/ci", "operators/tokens/root",
                               "tenants/beta/tokens/none", "tenants/none/tokens/ci"}) {
      EXPECT_EQ(ReasonOf(Get(Of("acme"), others)), "TOKEN_NOT_FOUND") << others;
      EXPECT_EQ(ReasonOf(Rotate(Of("acme"), others)), "TOKEN_NOT_FOUND") << others;
      EXPECT_EQ(ReasonOf(Revoke(Of("acme"), others)), "TOKEN_NOT_FOUND") << others;
      EXPECT_EQ(Get(Of("acme"), others).status().message(), StrCat("there is no ", others));
    }
    EXPECT_EQ(book_.Named("tenants/acme/tokens/ci")->tenant, "acme");
  });
}

TEST_F(TokenCallsTest, RefusesWhatIsWrong) {
  Drive([&] {
    AddRoot();
    EXPECT_EQ(Create(Operator(), "", "left-out")->token().name(), "operators/tokens/left-out");
    EXPECT_EQ(ReasonOf(Create(Of("acme"), "", "x")), "NAME_INVALID") << "scope_check.h fills it in";
    EXPECT_EQ(ReasonOf(Create(Operator(), "acme", "x")), "NAME_INVALID");
    EXPECT_EQ(ReasonOf(Create(Operator(), "tenants/acme", "x")), "TENANT_NOT_FOUND");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "X")), "NAME_INVALID");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "root")), "TOKEN_EXISTS");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "x", {})), "ROLE_MISSING");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "x", {v1::Token::ROLE_UNSPECIFIED})),
              "ROLE_INVALID");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "x", {v1::Token::ROLE_VIEWER}, -1)),
              "EXPIRE_TIME_PAST");
    EXPECT_EQ(ReasonOf(Rotate(Operator(), "operators/tokens/root", -1)), "OVERLAP_OUT_OF_RANGE");
    EXPECT_EQ(ReasonOf(Rotate(Operator(), "operators/tokens/root", 31 * 86400)),
              "OVERLAP_OUT_OF_RANGE");
    registry_store_.fails = absl::UnavailableError("gone");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "x")), "REGISTRY_UNAVAILABLE");
    EXPECT_EQ(book_.Named("operators/tokens/x"), nullptr);
  });
}

TEST_F(TokenCallsTest, ANameIsMadeUpWhereNoneIsGiven) {
  Drive([&] {
    const std::string one = Create(Operator(), "operators", "")->token().name();
    const std::string two = Create(Operator(), "operators", "")->token().name();
    EXPECT_THAT(one, StartsWith("operators/tokens/t-"));
    EXPECT_NE(one, two);
  });
}

TEST_F(TokenCallsTest, RotationHasBothHoldForAWhile) {
  Drive([&] {
    const std::string old_secret = Create(Operator(), "operators", "root")->secret();
    const auto rotated = Rotate(Operator(), "operators/tokens/root", 3600);
    ASSERT_TRUE(rotated.ok()) << rotated.status();
    EXPECT_EQ(rotated->token().name(), "operators/tokens/root.2");
    EXPECT_THAT(rotated->token().roles(), ElementsAre(v1::Token::ROLE_ADMIN));
    EXPECT_TRUE(Holds(old_secret));
    EXPECT_TRUE(Holds(rotated->secret()));
    EXPECT_EQ(book_.Find(old_secret, WallNow() + int64_t{3601} * 1'000'000).trouble,
              tenancy::TokenBook::Trouble::kExpired);
    EXPECT_EQ(Get(Operator(), "operators/tokens/root")->rotated_to(), "operators/tokens/root.2");
    const auto again = Rotate(Operator(), "operators/tokens/root.2");
    EXPECT_EQ(again->token().name(), "operators/tokens/root.3");
    EXPECT_FALSE(Holds(rotated->secret())) << "without an overlap it is over at once";
    EXPECT_TRUE(Holds(again->secret()));
    EXPECT_EQ(ReasonOf(Rotate(Operator(), "operators/tokens/root.2")), "TOKEN_ENDED");
  });
}

TEST_F(TokenCallsTest, ARotatedOneHoldsAsLongAsTheOldOneWasTo) {
  Drive([&] {
    AddRoot();
    constexpr int64_t kDay = int64_t{86400} * 1'000'000;
    ASSERT_TRUE(Create(Operator(), "operators", "ci", {v1::Token::ROLE_VIEWER}, 10 * kDay).ok());
    const auto rotated = Rotate(Operator(), "operators/tokens/ci", 20 * 86400);
    const int64_t expires_us = proto::ToMicros(rotated->token().expire_time());
    EXPECT_NEAR(static_cast<double>(expires_us - WallNow()), 10.0 * kDay, 60e6);
    // The overlap makes nothing hold longer.
    const int64_t old_us = proto::ToMicros(Get(Operator(), "operators/tokens/ci")->expire_time());
    EXPECT_NEAR(static_cast<double>(old_us - WallNow()), 10.0 * kDay, 60e6);
  });
}

TEST_F(TokenCallsTest, ARevocationHoldsAtOnce) {
  Drive([&] {
    AddRoot();
    const std::string secret = Create(Operator(), "operators", "ci")->secret();
    const tenancy::PrincipalPtr caller = book_.Find(secret, WallNow()).principal;
    const auto revoked = Revoke(Operator(), "operators/tokens/ci");
    ASSERT_TRUE(revoked.ok()) << revoked.status();
    EXPECT_TRUE(revoked->token().has_revoke_time());
    EXPECT_FALSE(Holds(secret));
    EXPECT_TRUE(caller->revoked);
    EXPECT_TRUE(Revoke(Operator(), "operators/tokens/ci").ok()) << "again changes nothing";
    EXPECT_THAT(List(Operator(), "operators"), ElementsAre("operators/tokens/root"));
    EXPECT_THAT(List(Operator(), "operators", true, 1),
                ElementsAre("operators/tokens/ci", "operators/tokens/root"));
  });
}

TEST_F(TokenCallsTest, ADiskThatFailsKeepsNobodyIn) {
  Drive([&] {
    AddRoot();
    const std::string secret = Create(Operator(), "operators", "ci")->secret();
    registry_store_.fails = absl::UnavailableError("gone");
    EXPECT_EQ(ReasonOf(Revoke(Operator(), "operators/tokens/ci")), "REGISTRY_UNAVAILABLE");
    EXPECT_FALSE(Holds(secret));
    registry_store_.fails = absl::OkStatus();
    EXPECT_TRUE(Revoke(Operator(), "operators/tokens/ci").ok());
    EXPECT_NE(registry_store_.kept.FindToken({"", "ci"})->revoked_us, 0);
  });
}

TEST_F(TokenCallsTest, TheLastAdministratorStays) {
  Drive([&] {
    AddRoot();
    ASSERT_TRUE(CreateTenant("acme").ok());
    ASSERT_TRUE(Create(Operator(), "tenants/acme", "admin").ok());
    ASSERT_TRUE(Create(Operator(), "operators", "viewer", {v1::Token::ROLE_VIEWER}).ok());
    EXPECT_EQ(ReasonOf(Revoke(Operator(), "operators/tokens/root")), "LAST_ADMIN_TOKEN");
    ASSERT_TRUE(Create(Operator(), "operators", "root2").ok());
    EXPECT_TRUE(Revoke(Operator(), "operators/tokens/root").ok());
    EXPECT_EQ(ReasonOf(Revoke(Operator(), "operators/tokens/root2")), "LAST_ADMIN_TOKEN");
    EXPECT_TRUE(Rotate(Operator(), "operators/tokens/root2").ok());
  });
}

TEST_F(TokenCallsTest, TheConfigsAreShownAndNotChanged) {
  ASSERT_TRUE(book_
                  .Add({.name = "operators/tokens/root",
                        .title = "token root",
                        .roles = {Role::kAdmin},
                        .digest = {1},
                        .expires_us = 2'000'000'000'000'000})
                  .ok());
  Begin();
  Drive([&] {
    const auto token = Get(Operator(), "operators/tokens/root");
    ASSERT_TRUE(token.ok()) << token.status();
    EXPECT_TRUE(token->from_config());
    EXPECT_EQ(token->expire_time().seconds(), 2'000'000'000);
    EXPECT_THAT(List(Operator(), "operators"), ElementsAre("operators/tokens/root"));
    EXPECT_EQ(ReasonOf(Revoke(Operator(), "operators/tokens/root")), "TOKEN_FROM_CONFIG");
    EXPECT_EQ(ReasonOf(Rotate(Operator(), "operators/tokens/root")), "TOKEN_FROM_CONFIG");
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "root")), "TOKEN_EXISTS");
    ASSERT_TRUE(Create(Operator(), "operators", "other").ok());
    EXPECT_TRUE(Revoke(Operator(), "operators/tokens/other").ok()) << "the config's stays";
  });
}

TEST_F(TokenCallsTest, WhatHoldsIsThereAgain) {
  std::string holds, revoked, homeless;
  Drive([&] {
    holds = Create(Operator(), "operators", "root")->secret();
    revoked = Create(Operator(), "operators", "gone")->secret();
    ASSERT_TRUE(Revoke(Operator(), "operators/tokens/gone").ok());
  });
  registry_store_.kept.Apply(
      {.put_tokens = {{{"nowhere", "ci"},
                       {.roles = {Role::kAdmin}, .digest = tenancy::DigestOf("homeless")}}}});
  tenancy::TokenBook book;
  LiveRegistry registry(*hub_, registry_store_, registry_store_.kept);
  bool requires_tokens = false;
  const TokenCalls tokens(directory_, registry, book, [&] { requires_tokens = true; });
  EXPECT_TRUE(requires_tokens);
  EXPECT_NE(book.Find(holds, WallNow()).principal, nullptr);
  EXPECT_EQ(book.Find(revoked, WallNow()).principal, nullptr);
  EXPECT_EQ(book.Find("homeless", WallNow()).principal, nullptr);
}

TEST_F(TokenCallsTest, LastUsesAreWrittenDown) {
  Drive([&] {
    const std::string secret = Create(Operator(), "operators", "root")->secret();
    EXPECT_TRUE(tokens_->TidyUp().ok());
    EXPECT_EQ(registry_store_.writes, 1) << "there was none";
    const WallMicros now_us = WallNow() + 5;
    book_.Find(secret, now_us);
    EXPECT_TRUE(tokens_->TidyUp().ok());
    EXPECT_EQ(registry_store_.kept.FindToken({"", "root"})->last_use_us, now_us);
  });
}

TEST_F(TokenCallsTest, WhatEndedLongAgoIsForgotten) {
  constexpr int64_t kDay = int64_t{86400} * 1'000'000;
  const auto ended = [](int64_t days) {
    return tenancy::TokenRecord{.roles = {Role::kViewer},
                                .digest = {static_cast<unsigned char>(days)},
                                .revoked_us = WallNow() - days * kDay};
  };
  registry_store_.kept.Apply(
      {.put_tokens = {{{"", "long-ago"}, ended(31)}, {{"", "lately"}, ended(29)}}});
  Begin();
  Drive([&] {
    EXPECT_TRUE(tokens_->TidyUp().ok());
    EXPECT_EQ(registry_store_.kept.FindToken({"", "long-ago"}), nullptr);
    EXPECT_NE(registry_store_.kept.FindToken({"", "lately"}), nullptr);
  });
}

TEST_F(TokenCallsTest, ThatThereEverWasOneIsNotForgotten) {
  registry_store_.kept.Apply(
      {.put_tokens = {{{"", "root"}, {.roles = {Role::kAdmin}, .digest = {1}, .expires_us = 1}}}});
  Begin();
  Drive([&] {
    EXPECT_TRUE(tokens_->TidyUp().ok());
    EXPECT_EQ(registry_store_.kept.tokens().size(), 1u);
    EXPECT_TRUE(requires_tokens_);
  });
}

TEST_F(TokenCallsTest, ThereIsABoundAndEndedOnesMakeRoom) {
  tenancy::RegistryChange many;
  for (size_t i = 0; i < kTokensMax; ++i) {
    tenancy::TokenRecord record{.roles = {Role::kAdmin}, .digest = {}};
    record.digest[0] = static_cast<unsigned char>(i);
    record.digest[1] = static_cast<unsigned char>(i >> 8);
    many.put_tokens.push_back({{"", StrCat("t", i)}, record});
  }
  registry_store_.kept.Apply(many);
  Begin();
  Drive([&] {
    EXPECT_EQ(ReasonOf(Create(Operator(), "operators", "more")), "TOO_MANY_TOKENS");
    ASSERT_TRUE(Revoke(Operator(), "operators/tokens/t7").ok());
    EXPECT_TRUE(Create(Operator(), "operators", "more").ok());
    EXPECT_EQ(registry_store_.kept.FindToken({"", "t7"}), nullptr);
  });
}

}  // namespace
}  // namespace grove::control

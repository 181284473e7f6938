#include "server/tenancy/sqlite_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/synchronization/notification.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tenancy {
namespace {

using ::testing::HasSubstr;

TokenRecord SomeToken(std::string_view secret) {
  TokenRecord token;
  token.roles = {Role::kWriter, Role::kDebug};
  token.digest = DigestOf(secret);
  token.prefix = std::string(secret.substr(0, 4));
  token.created_us = 11;
  token.expires_us = 12;
  token.revoked_us = 13;
  token.last_use_us = 14;
  token.created_by = "token ci";
  token.rotated_to = "tenants/acme/tokens/next";
  return token;
}

class SqliteRegistryTest : public ::testing::Test {
 protected:
  SqliteRegistryTest() {
    char pattern[] = "/tmp/registry-XXXXXX";
    folder_ = mkdtemp(pattern);
    Open();
  }
  ~SqliteRegistryTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string File(const std::string& name = "registry.db") const { return folder_ + "/" + name; }

  void Open() {
    store_.reset();
    auto opened = SqliteRegistry::Open(folder_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  absl::Status Write(RegistryChange change) {
    absl::Status written;
    absl::Notification done;
    store_->Write(std::move(change), [&](absl::Status status) {
      written = std::move(status);
      done.Notify();
    });
    done.WaitForNotification();
    return written;
  }

  Registry Loaded() {
    auto loaded = store_->Load();
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : Registry();
  }

  void Execute(const std::string& sql) {
    const auto other = sqlite::Connection::Open(File(), sqlite::Connection::Missing::kRefuse);
    ASSERT_TRUE(other.ok()) << other.status();
    const absl::Status executed = other->Execute(sql);
    ASSERT_TRUE(executed.ok()) << executed;
  }

  std::string folder_;
  std::unique_ptr<SqliteRegistry> store_;
};

TEST_F(SqliteRegistryTest, WhatWasWrittenIsThereAgain) {
  const TenantRecord acme{
      .draining = true, .version = 7, .created_us = 1, .updated_us = 2, .settings = "a\0b"};
  const TokenRecord token = SomeToken("secret of acme");
  ASSERT_TRUE(Write({.put_tenants = {{"acme", acme}, {"beta", {}}},
                     .put_tokens = {{{"acme", "ci"}, token}, {{"", "root"}, SomeToken("root")}}})
                  .ok());
  Open();
  const Registry registry = Loaded();
  ASSERT_EQ(registry.tenants().size(), 2);
  EXPECT_EQ(*registry.FindTenant("acme"), acme);
  ASSERT_EQ(registry.tokens().size(), 2);
  EXPECT_EQ(*registry.FindToken({"acme", "ci"}), token);
  EXPECT_EQ(registry.FindToken({"", "ci"}), nullptr);
}

TEST_F(SqliteRegistryTest, IsOnDiskBeforeItIsAnswered) {
  ASSERT_TRUE(Write({.put_tenants = {{"acme", {}}}}).ok());
  const auto other = SqliteRegistry::Open(folder_);
  ASSERT_TRUE(other.ok());
  EXPECT_NE((*other)->Load()->FindTenant("acme"), nullptr);
}

TEST_F(SqliteRegistryTest, AChangeTakesTheOldOnesPlace) {
  TokenRecord token = SomeToken("secret");
  ASSERT_TRUE(Write({.put_tokens = {{{"acme", "ci"}, token}}}).ok());
  token.last_use_us = 99;
  ASSERT_TRUE(Write({.put_tokens = {{{"acme", "ci"}, token}}}).ok());
  EXPECT_EQ(Loaded().FindToken({"acme", "ci"})->last_use_us, 99);
  ASSERT_TRUE(Write({.drop_tokens = {{"acme", "ci"}}}).ok());
  EXPECT_TRUE(Loaded().tokens().empty());
}

TEST_F(SqliteRegistryTest, ATenantGoesWithItsTokensAlone) {
  ASSERT_TRUE(Write({.put_tenants = {{"a", {}}, {"ab", {}}},
                     .put_tokens = {{{"a", "x"}, SomeToken("1")}, {{"ab", "x"}, SomeToken("2")}}})
                  .ok());
  RegistryChange drop{.drop_tenants = {"a"}};
  Registry registry = Loaded();
  registry.Apply(drop);
  ASSERT_TRUE(Write(std::move(drop)).ok());
  for (const Registry& after : {Loaded(), registry}) {
    EXPECT_EQ(after.FindTenant("a"), nullptr);
    EXPECT_NE(after.FindTenant("ab"), nullptr);
    EXPECT_EQ(after.FindToken({"a", "x"}), nullptr);
    EXPECT_NE(after.FindToken({"ab", "x"}), nullptr);
  }
}

TEST_F(SqliteRegistryTest, LimitsLastAndGoWithTheirTenant) {
  const LimitRecord few{.updated_us = 5, .settings = "few"};
  ASSERT_TRUE(Write({.put_tenants = {{"a", {}}},
                     .put_limits = {{{"a", "*"}, few}, {{"a", "x/*"}, {}}, {{"ab", "*"}, few}}})
                  .ok());
  Open();
  ASSERT_EQ(Loaded().limits().size(), 3);
  EXPECT_EQ(*Loaded().FindLimit({"a", "*"}), few);
  const LimitRecord more{.updated_us = 6, .settings = "more"};
  ASSERT_TRUE(Write({.put_limits = {{{"a", "*"}, more}}, .drop_limits = {{"a", "x/*"}}}).ok());
  EXPECT_EQ(*Loaded().FindLimit({"a", "*"}), more);
  EXPECT_EQ(Loaded().FindLimit({"a", "x/*"}), nullptr);
  RegistryChange drop{.drop_tenants = {"a"}};
  Registry registry = Loaded();
  registry.Apply(drop);
  ASSERT_TRUE(Write(std::move(drop)).ok());
  for (const Registry& after : {Loaded(), registry}) {
    EXPECT_EQ(after.FindLimit({"a", "*"}), nullptr);
    EXPECT_EQ(*after.FindLimit({"ab", "*"}), few);
  }
}

TEST_F(SqliteRegistryTest, AFileWithoutLimitsGetsATableOfThem) {
  store_.reset();
  Execute("DROP TABLE limits");
  Open();
  EXPECT_TRUE(Loaded().limits().empty());
  EXPECT_TRUE(Write({.put_limits = {{{"a", "*"}, {}}}}).ok());
}

TEST_F(SqliteRegistryTest, AllOfAChangeOrNothing) {
  ASSERT_TRUE(Write({.put_tokens = {{{"", "a"}, SomeToken("same")}}}).ok());
  // Two tokens cannot have one secret.
  EXPECT_FALSE(
      Write({.put_tenants = {{"new", {}}}, .put_tokens = {{{"", "b"}, SomeToken("same")}}}).ok());
  EXPECT_EQ(Loaded().FindTenant("new"), nullptr);
  EXPECT_TRUE(Write({.put_tenants = {{"new", {}}}}).ok());
}

TEST_F(SqliteRegistryTest, IsItsOwnersToReadAlone) {
  struct stat file {};
  ASSERT_EQ(stat(File().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600);
}

TEST_F(SqliteRegistryTest, RefusesWhatItDoesNotRead) {
  Execute("PRAGMA user_version = 2");
  const absl::Status newer = SqliteRegistry::Open(folder_).status();
  EXPECT_EQ(newer.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(newer.message(), HasSubstr("registry.db has schema version 2, this program reads "
                                         "version 1; use the program that wrote it"));
  Execute("PRAGMA user_version = 1; PRAGMA application_id = 5");
  const absl::Status foreign = SqliteRegistry::Open(folder_).status();
  EXPECT_EQ(foreign.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(foreign.message(), HasSubstr("is a database of another program"));
}

TEST_F(SqliteRegistryTest, ATokenThatCannotBeReadIsNotPassedOver) {
  ASSERT_TRUE(Write({.put_tokens = {{{"", "a"}, SomeToken("a")}}}).ok());
  Execute("UPDATE tokens SET roles = 'emperor'");
  EXPECT_EQ(store_->Load().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SqliteRegistryTest, WritesNothingIntoAFileWithoutItsName) {
  std::filesystem::rename(File(), File("away"));
  const absl::Status gone = Write({.put_tenants = {{"acme", {}}}});
  EXPECT_EQ(gone.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(gone.message(), HasSubstr("registry.db was taken away while it was open"));
  std::filesystem::rename(File("away"), File());
  EXPECT_TRUE(Write({.put_tenants = {{"acme", {}}}}).ok());
}

TEST_F(SqliteRegistryTest, StopWritesWhatIsPending) {
  int written = 0;
  for (int i = 0; i < 20; ++i) {
    store_->Write({.put_tenants = {{StrCat("t", i), {}}}},
                  [&](absl::Status status) { written += status.ok(); });
  }
  store_->Stop();
  EXPECT_EQ(written, 20);
  Open();
  EXPECT_EQ(Loaded().tenants().size(), 20);
}

}  // namespace
}  // namespace grove::tenancy

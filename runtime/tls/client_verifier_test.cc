#include "runtime/tls/client_verifier.h"

#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/tls/fixture.h"

namespace grove {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class ClientVerifierTest : public testing::Test {
 protected:
  std::unique_ptr<const ClientVerifier> Verifier(const std::string& crl_file) {
    auto created = ClientVerifier::Create(authority_.ca_file(), crl_file);
    EXPECT_TRUE(created.ok()) << created.status();
    return *std::move(created);
  }
  // What is wrong with the client's certificate; empty: nothing.
  static std::string Why(const ClientVerifier& verifier, const TlsCertificateFiles& files) {
    return std::string(verifier.Check(Text(files.chain)).message());
  }

  TestAuthority authority_{"clients"};
  TlsCertificateFiles good_ = authority_.Issue("good", {.common_name = "good"});
  TlsCertificateFiles bad_ = authority_.Issue("bad", {.common_name = "bad"});
};

TEST_F(ClientVerifierTest, RefusesWhatIsOnTheList) {
  const auto verifier = Verifier(authority_.Revoke("list", {bad_}));
  EXPECT_EQ(Why(*verifier, good_), "");
  EXPECT_EQ(Why(*verifier, bad_), "certificate \"CN=bad\" at depth 0: certificate revoked");
  EXPECT_THAT(verifier->Warnings(absl::Now()), IsEmpty());
  EXPECT_TRUE(absl::IsPermissionDenied(verifier->Check(Text(bad_.chain))));
  EXPECT_TRUE(absl::IsUnauthenticated(verifier->Check("no certificate")));
  const auto old = authority_.Issue("old", {.common_name = "old", .valid_until = -absl::Hours(1)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(verifier->Check(Text(old.chain))));
}

TEST_F(ClientVerifierTest, RefusesAllWhoseListIsOutOfDate) {
  const auto late = Verifier(authority_.Revoke("late", {bad_}, -absl::Hours(1)));
  EXPECT_THAT(Why(*late, good_), HasSubstr("CRL has expired"));
  EXPECT_THAT(late->Warnings(absl::Now()), ElementsAre(HasSubstr("was to be renewed by")));
  EXPECT_THAT(late->Warnings(absl::Now() - absl::Hours(2)), IsEmpty());
  const auto early = Verifier(authority_.Revoke("early", {}, absl::Hours(2), absl::Hours(1)));
  EXPECT_THAT(Why(*early, good_), HasSubstr("CRL is not yet valid"));
}

TEST_F(ClientVerifierTest, ListsOfOthersSayNothing) {
  // By its name it is the same authority, but the key is another.
  TestAuthority forger("clients");
  const auto forged = Verifier(forger.Revoke("list", {bad_}));
  EXPECT_THAT(Why(*forged, good_), HasSubstr("CRL signature failure"));
  TestAuthority other("other");
  const auto lacking = Verifier(other.Revoke("list", {}));
  EXPECT_THAT(Why(*lacking, good_), HasSubstr("unable to get certificate CRL"));
  // All may be in one file.
  const auto both = Verifier(authority_.WriteFile(
      "both", Text(other.Revoke("theirs", {})) + Text(authority_.Revoke("ours", {bad_}))));
  EXPECT_EQ(Why(*both, good_), "");
  EXPECT_THAT(Why(*both, bad_), HasSubstr("certificate revoked"));
}

TEST_F(ClientVerifierTest, NamesTheFileThatIsWrong) {
  const auto error = [this](const std::string& ca, const std::string& crl) {
    return std::string(ClientVerifier::Create(ca, crl).status().message());
  };
  const std::string list = authority_.Revoke("list", {});
  const std::string empty = authority_.WriteFile("empty", "");
  const std::string cut = authority_.WriteFile("cut", Text(list) + "-----BEGIN X509 CRL-----\nAA");
  EXPECT_THAT(error(empty, list), HasSubstr(empty + ": no PEM certificates of authorities"));
  EXPECT_THAT(error(authority_.ca_file(), empty), HasSubstr(empty + ": no PEM lists"));
  EXPECT_THAT(error(authority_.ca_file(), good_.chain), HasSubstr(good_.chain + ": no PEM lists"));
  EXPECT_THAT(error(authority_.ca_file(), cut), HasSubstr(cut + ": no PEM lists"));
  EXPECT_THAT(error(authority_.ca_file(), "/none"), HasSubstr("/none"));
}

}  // namespace
}  // namespace grove

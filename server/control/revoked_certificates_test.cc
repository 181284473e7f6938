#include "server/control/revoked_certificates.h"

#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/tls/fixture.h"
#include "server/control/authorizer.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/token_book.h"

namespace grove::control {
namespace {

std::string Text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class RevokedCertificatesTest : public HubTest {
 protected:
  void SetUp() override {
    HubTest::SetUp();
    tls_.set_client_ca_file(authority_.ca_file());
    tls_.set_client_crl_file(authority_.Revoke("list", {bad_}));
    auto opened = RevokedCertificates::Open(tls_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    revoked_ = *std::move(opened);
  }
  std::string ReasonOf(const TlsCertificateFiles& shown) const {
    const absl::Status status = revoked_->Check(Text(shown.chain));
    EXPECT_TRUE(status.ok() || absl::IsUnauthenticated(status)) << status;
    return tasks::RefusalReason(status);
  }

  TestAuthority authority_{"clients"};
  const TlsCertificateFiles good_ = authority_.Issue("good", {.common_name = "good"});
  const TlsCertificateFiles bad_ = authority_.Issue("bad", {.common_name = "bad"});
  config::v1::ControlTls tls_;
  std::unique_ptr<RevokedCertificates> revoked_;
};

TEST_F(RevokedCertificatesTest, ReasonsTellWhatIsWrongWithACertificate) {
  EXPECT_EQ(ReasonOf(good_), "");
  EXPECT_EQ(ReasonOf(bad_), "CERTIFICATE_REVOKED");
  EXPECT_EQ(ReasonOf(bad_), "CERTIFICATE_REVOKED") << "as it is remembered";
  EXPECT_EQ(
      ReasonOf(authority_.Issue("old", {.common_name = "good", .valid_until = -absl::Hours(1)})),
      "CERTIFICATE_EXPIRED");
  TestAuthority other("others");
  EXPECT_EQ(ReasonOf(other.Issue("good", {.common_name = "good"})), "CERTIFICATE_UNKNOWN");
}

TEST_F(RevokedCertificatesTest, ATokenDoesNotMakeUpForIt) {
  tenancy::TokenBook tokens;
  const Authorizer authorizer(tokens, nullptr, false, revoked_.get());
  const auto reason = [&](const TlsCertificateFiles& files) {
    const std::string pem = Text(files.chain);
    return tasks::RefusalReason(authorizer
                                    .Authorize(FindMethod("/grove.v1.TaskService/GetTask"),
                                               {.authorization = "Bearer any", .certificate = pem},
                                               0)
                                    .status());
  };
  EXPECT_EQ(reason(good_), "") << "no tokens are asked for";
  EXPECT_EQ(reason(bad_), "CERTIFICATE_REVOKED");
}

TEST_F(RevokedCertificatesTest, ANewListHoldsFromTheNextLookOn) {
  Run([&] {
    OffloadPool offload({.threads = 1});
    EXPECT_EQ(ReasonOf(good_), "");
    // Another length: it is seen however coarse the file system's time is.
    authority_.Revoke("list", {good_, authority_.Issue("third", {.common_name = "third"})});
    ASSERT_TRUE(revoked_->Renew(offload).ok());
    EXPECT_EQ(ReasonOf(good_), "CERTIFICATE_REVOKED");
    EXPECT_EQ(ReasonOf(bad_), "");
    // One that is wrong changes nothing.
    authority_.WriteFile("list", "no list");
    ASSERT_TRUE(revoked_->Renew(offload).ok());
    EXPECT_EQ(ReasonOf(good_), "CERTIFICATE_REVOKED");
  });
}

TEST_F(RevokedCertificatesTest, WithoutListsThereIsNothingToLookAt) {
  tls_.clear_client_crl_file();
  const auto none = RevokedCertificates::Open(tls_);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(*none, nullptr);
}

}  // namespace
}  // namespace grove::control

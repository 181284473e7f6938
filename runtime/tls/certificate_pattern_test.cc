#include "runtime/tls/certificate_pattern.h"

#include <string>

#include "gtest/gtest.h"

namespace grove {
namespace {

const std::string kDigits(64, 'a');

TlsCertificate Acme() {
  return {.common_name = "acme",
          .names = {"DNS:Api.Example.org", "URI:spiffe://example.org/tenant/acme"},
          .fingerprint = kDigits};
}

TEST(CertificatePattern, NamesOfEveryKindFit) {
  EXPECT_EQ(MatchCertificate("CN:acme", Acme()), "acme");
  EXPECT_EQ(MatchCertificate("CN:*", Acme()), "acme");
  EXPECT_EQ(MatchCertificate("URI:spiffe://example.org/tenant/*", Acme()), "acme");
  EXPECT_EQ(MatchCertificate("SHA256:" + kDigits, Acme()), kDigits);
}

TEST(CertificatePattern, CaseCountsButInHostNames) {
  EXPECT_TRUE(MatchCertificate("DNS:api.example.org", Acme()).has_value());
  EXPECT_EQ(MatchCertificate("DNS:*.EXAMPLE.org", Acme()), "Api");
  EXPECT_FALSE(MatchCertificate("CN:Acme", Acme()).has_value());
}

TEST(CertificatePattern, AStarStandsForOneCharacterAtLeast) {
  EXPECT_EQ(MatchCertificate("CN:a*e", Acme()), "cm");
  EXPECT_FALSE(MatchCertificate("CN:acme*", Acme()).has_value());
  EXPECT_FALSE(MatchCertificate("CN:*", TlsCertificate()).has_value());
}

TEST(CertificatePattern, AKindFitsNoOther) {
  EXPECT_FALSE(MatchCertificate("DNS:acme", Acme()).has_value());
  EXPECT_FALSE(MatchCertificate("URI:*", {.names = {"DNS:a"}}).has_value());
}

TEST(CertificatePattern, SaysWhatIsNone) {
  for (const char* wrong : {"", "acme", "CN:", "cn:acme", "IP:10.0.0.1", "CN:*a*", "SHA256:abc"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckCertificatePattern(wrong))) << wrong;
  }
  for (const std::string& right :
       {std::string("CN:acme"), std::string("DNS:*.a"), "SHA256:" + kDigits}) {
    EXPECT_TRUE(CheckCertificatePattern(right).ok()) << right;
  }
}

}  // namespace
}  // namespace grove

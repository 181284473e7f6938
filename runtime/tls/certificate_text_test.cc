#include "runtime/tls/certificate_text.h"

#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/tls/fixture.h"

namespace grove {
namespace {

std::string Text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(CertificateText, SaysWhatTheFirstOneSays) {
  TestAuthority authority("text");
  const TlsCertificateFiles files =
      authority.Issue("ci", {.common_name = "ci", .names = "URI:spiffe://example.org/ci"});
  const absl::StatusOr<TlsCertificate> read =
      ReadCertificate(Text(files.chain) + Text(authority.ca_file()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->common_name, "ci");
  EXPECT_THAT(read->names, testing::ElementsAre("URI:spiffe://example.org/ci"));
  EXPECT_EQ(read->fingerprint.size(), 64);
}

TEST(CertificateText, IsNoneWithoutOne) {
  EXPECT_TRUE(absl::IsInvalidArgument(ReadCertificate("").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadCertificate("-----BEGIN CERTIFICATE-----\nAA").status()));
}

}  // namespace
}  // namespace grove

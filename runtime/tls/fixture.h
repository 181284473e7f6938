// TestAuthority: certificates made up on the spot, so that no test has one that expires.
#ifndef GROVE_RUNTIME_TLS_FIXTURE_H_
#define GROVE_RUNTIME_TLS_FIXTURE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "runtime/tls/certificate.h"

struct x509_st;      // OpenSSL's X509
struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace grove {

struct TestCertificateOptions {
  std::string common_name = "test";
  std::string second_common_name;  // empty: none
  // As OpenSSL's configuration has them: "DNS:example.org,IP:127.0.0.1"; empty: none.
  std::string names;
  // From now.
  absl::Duration valid_from = -absl::Hours(24);
  absl::Duration valid_until = absl::Hours(24);
  enum class Key { kP256, kRsa2048 } key = Key::kP256;
};

class TestAuthority {
 public:
  // PEM files, in a directory of their own below the test's, are removed with it.
  explicit TestAuthority(std::string_view name);
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  // Its own certificate.
  const std::string& ca_file() const { return ca_file_; }
  // Issues one into files named after `file`; a second time replaces them.
  TlsCertificateFiles Issue(std::string_view file, const TestCertificateOptions& options);
  // A list of what it has revoked, in a file named after `file`. Times from now.
  std::string Revoke(std::string_view file, const std::vector<TlsCertificateFiles>& revoked,
                     absl::Duration valid_until = absl::Hours(24),
                     absl::Duration valid_from = -absl::Hours(24));
  // A file with that content.
  std::string WriteFile(std::string_view file, std::string_view content);

 private:
  std::string directory_;
  std::string ca_file_;
  evp_pkey_st* key_;
  x509_st* certificate_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_FIXTURE_H_

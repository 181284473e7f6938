// RevocationLists: what authorities have revoked, of a PEM file. Internal to the TLS modules.
//
// Who checks certificates with them wants a valid list of every authority in the chain (RFC 5280,
// 6.3), so that one that is missing or out of date refuses all of that authority's certificates.
#ifndef GROVE_RUNTIME_TLS_REVOCATION_LISTS_H_
#define GROVE_RUNTIME_TLS_REVOCATION_LISTS_H_

#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/tls/openssl.h"

namespace grove {

class RevocationLists {
 public:
  RevocationLists() = default;
  // Of a file, and of what it holds. kInvalidArgument names it and what is wrong with it;
  // kNotFound, … if it can't be read.
  static absl::StatusOr<RevocationLists> Read(const std::string& path);
  static absl::StatusOr<RevocationLists> Parse(const std::string& path, std::string_view pem);

  // Certificates that are checked by `store` from now on must not be on them.
  void AddTo(X509_STORE* store) const;
  // Those that are out of date, or not valid yet, a line each.
  std::vector<std::string> Warnings(absl::Time now) const;

 private:
  using List = std::unique_ptr<X509_CRL, OpensslFree<X509_CRL_free>>;

  std::string path_;
  std::vector<List> lists_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_REVOCATION_LISTS_H_

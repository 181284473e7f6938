// Sha256: a hash of what comes piece by piece.
#ifndef GROVE_SERVER_FUNCTIONS_SHA256_H_
#define GROVE_SERVER_FUNCTIONS_SHA256_H_

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace grove::functions {

class Sha256 {
 public:
  Sha256();

  void Add(std::string_view piece);
  // 64 hexadecimal digits. Once.
  std::string Hex();

 private:
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  // OpenSSL has it, and has not failed.
  bool ok_;
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_SHA256_H_

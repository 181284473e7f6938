#include "server/functions/sha256.h"

#include <array>

#include "absl/strings/escaping.h"
#include "runtime/hub/check.h"

namespace grove::functions {

Sha256::Sha256()
    : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free),
      ok_(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1) {}

void Sha256::Add(std::string_view piece) {
  ok_ = ok_ && EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) == 1;
}

std::string Sha256::Hex() {
  std::array<unsigned char, 32> digest = {};
  ok_ = ok_ && EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1;
  GROVE_CHECK(ok_, "SHA-256 is not to be had");
  const std::string bytes(digest.begin(), digest.end());
  return absl::BytesToHexString(bytes);
}

}  // namespace grove::functions

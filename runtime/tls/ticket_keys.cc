#include "runtime/tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstring>

#include "absl/strings/str_format.h"
#include "runtime/tls/openssl.h"

namespace grove {
namespace {

bool SetMac(EVP_MAC_CTX* mac, const std::array<unsigned char, 32>& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.data()),
                                        key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

}  // namespace

absl::StatusOr<TlsTicketKeys> TlsTicketKeys::Parse(std::string_view keys) {
  const size_t count = keys.size() / kKeyBytes;
  if (keys.size() % kKeyBytes != 0 || count < 1 || count > kKeysMax) {
    return absl::InvalidArgumentError(
        absl::StrFormat("ticket keys of %d bytes; 1 to %d keys of %d bytes each are expected",
                        keys.size(), kKeysMax, kKeyBytes));
  }
  TlsTicketKeys parsed;
  parsed.keys_.resize(count);
  std::memcpy(parsed.keys_.data(), keys.data(), keys.size());
  return parsed;
}

absl::StatusOr<std::string> TlsTicketKeys::Generate() {
  std::string key(kKeyBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), kKeyBytes) != 1) {
    return absl::UnavailableError("no random bytes: " + TakeTlsErrors("RAND_bytes"));
  }
  return key;
}

int TlsTicketKeys::Seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac) const {
  const Key& key = keys_.front();
  if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  std::memcpy(name, key.name.data(), key.name.size());
  if (EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key.cipher.data(), iv, nullptr) != 1) {
    return -1;
  }
  return SetMac(mac, key.mac) ? 1 : -1;
}

int TlsTicketKeys::Open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac) const {
  for (const Key& key : keys_) {
    if (std::memcmp(name, key.name.data(), key.name.size()) != 0) continue;
    if (!SetMac(mac, key.mac)) return -1;
    if (EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key.cipher.data(), iv, nullptr) != 1) {
      return -1;
    }
    return &key == &keys_.front() ? 1 : 2;
  }
  return 0;
}

}  // namespace grove

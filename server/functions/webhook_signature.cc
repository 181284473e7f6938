#include "server/functions/webhook_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"

namespace grove::functions {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";

std::string HmacSha256(std::string_view key, std::string_view text) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  return std::string(reinterpret_cast<const char*>(mac), size);
}

}  // namespace

absl::StatusOr<std::string> WebhookKey(std::string_view secret) {
  if (!secret.starts_with(kSecretPrefix)) return std::string(secret);
  std::string key;
  if (absl::Base64Unescape(Abseil(secret.substr(kSecretPrefix.size())), &key) && !key.empty()) {
    return key;
  }
  return absl::InvalidArgumentError("the webhooks' secret: no base64 follows whsec_");
}

std::string WebhookSignature(std::string_view key, std::string_view id, int64_t unix_seconds,
                             std::string_view body) {
  const std::string signed_text = StrCat(id, ".", unix_seconds, ".", body);
  return StrCat("v1,", absl::Base64Escape(HmacSha256(key, signed_text)));
}

std::string BodySignature(std::string_view key, std::string_view body) {
  return StrCat("sha256=", absl::BytesToHexString(HmacSha256(key, body)));
}

}  // namespace grove::functions

// TlsTicketKeys: the keys that session tickets are sealed with (RFC 5077), the newest first.
//
// Workers that share them resume each other's sessions. To rotate: put a new key in front, drop the
// oldest after a session's lifetime. A key file has nginx's form, 80 random bytes a key.
#ifndef GROVE_RUNTIME_TLS_TICKET_KEYS_H_
#define GROVE_RUNTIME_TLS_TICKET_KEYS_H_

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// OpenSSL's.
struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

namespace grove {

class TlsTicketKeys {
 public:
  static constexpr size_t kKeyBytes = 80;
  static constexpr size_t kKeysMax = 16;

  // kInvalidArgument: not 1 to kKeysMax keys of kKeyBytes.
  static absl::StatusOr<TlsTicketKeys> Parse(std::string_view keys);
  // One new key.
  static absl::StatusOr<std::string> Generate();

  // What SSL_CTX_set_tlsext_ticket_key_evp_cb expects of its callback: 0 unknown key, 1 go on,
  // 2 go on and renew the ticket, negative an error.
  int Seal(unsigned char* name, unsigned char* iv, evp_cipher_ctx_st* cipher,
           evp_mac_ctx_st* mac) const;
  int Open(const unsigned char* name, const unsigned char* iv, evp_cipher_ctx_st* cipher,
           evp_mac_ctx_st* mac) const;

 private:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> mac;
    std::array<unsigned char, 32> cipher;
  };
  static_assert(sizeof(Key) == kKeyBytes);

  std::vector<Key> keys_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_TICKET_KEYS_H_

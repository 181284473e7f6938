// TlsVersion, and the defaults of ciphers and groups, of servers and clients alike.
#ifndef GROVE_RUNTIME_TLS_VERSION_H_
#define GROVE_RUNTIME_TLS_VERSION_H_

namespace grove {

// Older ones are deprecated (RFC 8996).
enum class TlsVersion { k12, k13 };

// For TLS 1.2, in OpenSSL's notation: Mozilla's "intermediate" list, version 5.7, without its DHE
// suites: they let a client make the server compute far more than itself (CVE-2002-20001), and
// whoever knows them knows ECDHE. TLS 1.3 has only good suites; OpenSSL's default set is used.
inline constexpr char kTlsCiphersDefault[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

// For the key exchange, the dearest to us first. Of those that TLS knows the ones that cost some
// 0.1 to 1 ms; with the larger ones (ffdhe8192: 114 ms) nine handshakes a second stop a hub.
inline constexpr const char* kTlsGroupsDefault[] = {"X25519", "P-256", "P-384"};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_VERSION_H_

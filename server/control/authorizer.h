// Authorizer: who calls, and whether they may call which method.
//
// While nobody has to show anything everybody may call everything. Once there was a token, or the
// config gives certificates roles, a call names a token in its `authorization: Bearer …` metadata,
// or comes over a connection whose client has shown a certificate; either must be of somebody whom
// the method is for and whose roles cover it. A token beats the certificate. Any thread.
#ifndef GROVE_SERVER_CONTROL_AUTHORIZER_H_
#define GROVE_SERVER_CONTROL_AUTHORIZER_H_

#include <atomic>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/control/method_table.h"
#include "server/control/revoked_certificates.h"
#include "server/tenancy/certificate_book.h"
#include "server/tenancy/token_book.h"
#include "server/wall_time.h"

namespace grove::control {

// What a call shows of who makes it.
struct Shown {
  std::string_view authorization;  // the metadata's value, empty if there is none
  std::string_view certificate;    // the client's, in PEM form; empty: none that was checked
  std::string_view chain;          // the same, and those that it came with
};

class Authorizer {
 public:
  // The books must outlive it; all but `tokens` may be null.
  Authorizer(const tenancy::TokenBook& tokens, const tenancy::CertificateBook* certificates,
             bool requires_tokens, const RevokedCertificates* revoked = nullptr)
      : tokens_(tokens),
        certificates_(certificates),
        revoked_(revoked),
        requires_tokens_(requires_tokens || reads_certificates()) {}

  // For good: that the last token is gone opens nothing.
  void RequireTokens() { requires_tokens_.store(true, std::memory_order_relaxed); }
  bool requires_tokens() const { return requires_tokens_.load(std::memory_order_relaxed); }
  // Whether a client's certificate says anything here.
  bool reads_certificates() const { return certificates_ != nullptr && !certificates_->empty(); }
  // Whether one that is revoked is nobody's, whatever else the call shows.
  bool checks_certificates() const { return revoked_ != nullptr; }

  // Who calls; never null. UNAUTHENTICATED, PERMISSION_DENIED.
  absl::StatusOr<tenancy::PrincipalPtr> Authorize(const MethodRow& method, const Shown& shown,
                                                  WallMicros now_us = WallNow()) const;

 private:
  absl::StatusOr<tenancy::PrincipalPtr> Find(const Shown& shown, WallMicros now_us) const;
  absl::StatusOr<tenancy::PrincipalPtr> ByCertificate(std::string_view certificate,
                                                      WallMicros now_us) const;

  const tenancy::TokenBook& tokens_;
  const tenancy::CertificateBook* const certificates_;
  const RevokedCertificates* const revoked_;
  std::atomic<bool> requires_tokens_;
};

// What a call gets that is under way when its token ends.
absl::Status TokenRevoked();

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_AUTHORIZER_H_

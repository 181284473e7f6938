// ClientVerifier: whether a client's certificate that came as text stands the check of its
// authorities, and of the lists of what these have revoked.
//
// For servers whose handshakes look at no lists. Constant; any thread.
#ifndef GROVE_RUNTIME_TLS_CLIENT_VERIFIER_H_
#define GROVE_RUNTIME_TLS_CLIENT_VERIFIER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grove {

class ClientVerifier {
 public:
  // PEM files of authorities, and of their lists. kInvalidArgument names the file and what is wrong
  // with it; kNotFound, … if it can't be read. Reads on this thread.
  static absl::StatusOr<std::unique_ptr<const ClientVerifier>> Create(const std::string& ca_file,
                                                                      const std::string& crl_file);
  ~ClientVerifier();
  ClientVerifier(const ClientVerifier&) = delete;
  ClientVerifier& operator=(const ClientVerifier&) = delete;

  // `pem`: the certificate, and intermediate ones behind it. Says which of them is refused and why,
  // "certificate revoked": kPermissionDenied, one is on a list; kDeadlineExceeded, one has expired;
  // kUnauthenticated, all else. Some 100 us.
  absl::Status Check(std::string_view pem) const;
  // Lists that are out of date, a line each.
  std::vector<std::string> Warnings(absl::Time now) const;

 private:
  struct State;
  explicit ClientVerifier(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_CLIENT_VERIFIER_H_

// CURVE: who talks is known by its key, and what is said is secret (CurveZMQ, RFC 26).
//
// Keys are texts of 40 characters in Z85. A server has a secret key, whose public half its clients
// must know; a client has a pair of its own. Any client that knows the server's key is let in, but
// where an Authenticator says whose keys are.
#ifndef GROVE_ZEROMQ_CURVE_H_
#define GROVE_ZEROMQ_CURVE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::zeromq {

struct CurveKeys {
  std::string public_key;
  std::string secret_key;

  // kUnimplemented: this libzmq was built without.
  static absl::StatusOr<CurveKeys> Generate();
  // The pair of a secret key. kInvalidArgument: it is none.
  static absl::StatusOr<CurveKeys> OfSecret(std::string_view secret_key);
};

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_CURVE_H_

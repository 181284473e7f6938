#include "zeromq/curve.h"

#include <zmq.h>

#include <cerrno>

#include "zeromq/zmq_error.h"

namespace grove::zeromq {
namespace {

constexpr size_t kKeyChars = 40;

absl::Status Failed(int error) {
  if (error == ENOTSUP) return absl::UnimplementedError("zeromq: libzmq was built without CURVE");
  return ZmqStatus(error, "zeromq: a CURVE key");
}

}  // namespace

absl::StatusOr<CurveKeys> CurveKeys::Generate() {
  char public_key[kKeyChars + 1];
  char secret_key[kKeyChars + 1];
  if (zmq_curve_keypair(public_key, secret_key) != 0) return Failed(errno);
  return CurveKeys{public_key, secret_key};
}

absl::StatusOr<CurveKeys> CurveKeys::OfSecret(std::string_view secret_key) {
  if (secret_key.size() != kKeyChars) {
    return absl::InvalidArgumentError("zeromq: a CURVE key has 40 characters of Z85");
  }
  char public_key[kKeyChars + 1];
  CurveKeys keys{.public_key = {}, .secret_key = std::string(secret_key)};
  if (zmq_curve_public(public_key, keys.secret_key.c_str()) != 0) return Failed(errno);
  keys.public_key = public_key;
  return keys;
}

}  // namespace grove::zeromq

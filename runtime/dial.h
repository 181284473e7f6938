// Dial: connects with a chosen source, and to the first of several addresses that answers.
//
// DialAny races them as RFC 8305 ("happy eyeballs") says: families alternate, the next attempt
// starts when the last has failed or after a delay, the first success wins and the others are
// cancelled. Names are resolved elsewhere. Hub thread only.
#ifndef GROVE_RUNTIME_DIAL_H_
#define GROVE_RUNTIME_DIAL_H_

#include <cstddef>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/socket.h"

namespace grove {

struct DialOptions {
  // The own address of the connection; port 0: one that is free. With DialAny it is used for the
  // addresses of its family, and the others are left out.
  std::optional<SocketAddress> bind;
  // Between two attempts; RFC 8305 section 5 recommends 250 ms.
  absl::Duration attempt_delay = absl::Milliseconds(250);
};

// More answers of a resolver than this are of no use to anyone.
inline constexpr size_t kDialAddressesMax = 64;

// As Socket::Connect; errors of the bind name its address. **Parks.**
absl::StatusOr<Socket> Dial(const SocketAddress& address, const DialOptions& options = {});

// kInvalidArgument: no address, or too many. If none answers: the code that all attempts share,
// else kUnavailable; the message names each address with its error. **Parks.**
absl::StatusOr<Socket> DialAny(std::span<const SocketAddress> addresses,
                               const DialOptions& options = {});

}  // namespace grove

#endif  // GROVE_RUNTIME_DIAL_H_

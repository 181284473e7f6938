// Dial: connects to the first of several addresses that answers.
//
// It races them as RFC 8305 ("happy eyeballs") says: families alternate, the next attempt
// starts when the last has failed or after a delay, the first success wins and the others are
// cancelled. One address: Socket::Connect; a name: dial_host.h. Hub thread only.
#ifndef GROVE_RUNTIME_IO_DIAL_H_
#define GROVE_RUNTIME_IO_DIAL_H_

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/io/socket.h"

namespace grove {

struct DialOptions {
  // Of each attempt. With an own address (`bind`) only the addresses of its family are tried.
  ConnectOptions connect = {};
  // Between two attempts; RFC 8305 section 5 recommends 250 ms.
  absl::Duration attempt_delay = absl::Milliseconds(250);
};

// More answers of a resolver than this are of no use to anyone.
inline constexpr size_t kDialAddressesMax = 64;

// kInvalidArgument: no address, or too many. If none answers: the code that all attempts share,
// else kUnavailable; the message names each address with its error. **Parks.**
absl::StatusOr<Socket> DialAny(std::span<const SocketAddress> addresses,
                               const DialOptions& options = {});

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_DIAL_H_

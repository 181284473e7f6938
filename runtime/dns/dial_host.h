// Dial by name: the first address of a host that answers.
//
// Resolves, then races the addresses (dial.h). Hub thread only.
#ifndef GROVE_RUNTIME_DNS_DIAL_HOST_H_
#define GROVE_RUNTIME_DNS_DIAL_HOST_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/dns/resolver.h"
#include "runtime/io/dial.h"

namespace grove {

// `host` as Resolver::Resolve takes it. With an own address (`options.connect.bind`) only addresses
// of its family are asked for. Errors: those of Resolve(), else of DialAny() with the host in
// front.
// **Parks.**
absl::StatusOr<Socket> DialHost(Resolver& resolver, std::string_view host, uint16_t port,
                                const DialOptions& options = {});

}  // namespace grove

#endif  // GROVE_RUNTIME_DNS_DIAL_HOST_H_

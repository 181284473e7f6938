// RealClient: whose request it is when proxies stand between: sets request.context.client and
// .scheme.
//
// The chain of addresses is walked from the right, which the nearest proxy wrote, as long as
// trusted proxies vouch for it: the first address that is none of them is the client. What stands
// left of it anybody may have written. Without a trusted peer nothing is believed.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_REAL_CLIENT_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_REAL_CLIENT_H_

#include <string>
#include <string_view>
#include <vector>

#include "server/http/handler/middleware.h"
#include "server/http/middleware/trusted_addresses.h"

namespace grove::http {

// Proxies in a row; what is further left is not looked at.
inline constexpr size_t kHopsMax = 32;

struct RealClientOptions {
  // One alone: a proxy that sets one passes on whatever the client put into the other.
  enum class Source { kXForwardedFor, kForwarded };
  Source source = Source::kXForwardedFor;
  TrustedAddresses trusted;
};

// An address as a proxy saw it; empty where it told none ("unknown", "_hidden", nonsense).
struct Hop {
  std::string address;
  std::string scheme;  // "http", "https" or empty
};

// Rightmost first, at most kHopsMax.
std::vector<Hop> ParseXForwardedFor(std::string_view value);
// RFC 7239, 4. None if it is malformed anywhere: then no part of it can be told from another.
std::vector<Hop> ParseForwarded(std::string_view value);

// The client, given the address that is connected and what it and its peers said; the peer itself
// has no scheme.
Hop FindClient(std::string_view peer, std::span<const Hop> hops, const TrustedAddresses& trusted);

// What `options` make of whom `request` is connected to: the client, and the scheme that it used,
// if a trusted proxy says so. The peer itself, without a scheme, if that is none.
Hop ResolveClient(const RealClientOptions& options, const Request& request);

Middleware RealClient(RealClientOptions options);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_REAL_CLIENT_H_

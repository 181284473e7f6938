// BearerAuth: answers 401 unless the request carries one of the known tokens (RFC 6750).
//
// The name of the token it carries becomes request.context.token.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_BEARER_AUTH_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_BEARER_AUTH_H_

#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/http/handler/middleware.h"

namespace grove::http {

// Secrets are kept as digests: a dump of the process holds none.
class BearerTokens {
 public:
  void Add(std::string name, std::string_view secret);
  // The token's name, or nullptr; in a time that depends neither on secrets nor on their order.
  const std::string* Find(std::string_view secret) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest DigestOf(std::string_view secret);

  std::vector<std::pair<Digest, std::string>> tokens_;
};

// Called before a refusal is answered; may park.
using OnRefusedToken = std::function<void(const Request&)>;

// Whether the secret is that of a known token; then says in request.context whose it is.
using AcceptToken = std::function<bool(std::string_view secret, Request&)>;

// `realm`: what the client is asked to log in to; without '"' and '\'.
Middleware BearerAuth(BearerTokens tokens, std::string realm, OnRefusedToken on_refused = {});
// Of tokens that are kept elsewhere.
Middleware BearerAuth(AcceptToken accept, std::string realm, OnRefusedToken on_refused = {});

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_BEARER_AUTH_H_

#include "server/http/middleware/bearer_auth.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <memory>

#include "http/message/scan.h"

namespace grove::http {
namespace {

struct State {
  AcceptToken accept;
  std::string challenge;
  OnRefusedToken on_refused;
};

// The secret in "Bearer SECRET"; empty if it has another form (RFC 9110, 11.4; RFC 6750, 2.1).
std::string_view SecretOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!EqualsIgnoreCase(authorization.substr(0, kScheme.size()), kScheme)) return {};
  return TrimBlanks(authorization.substr(kScheme.size()));
}

absl::Status Refuse(const State& state, std::string_view error, const Request& request,
                    Response& response) {
  if (state.on_refused) state.on_refused(request);
  response.Add("WWW-Authenticate", state.challenge + std::string(error));
  return response.Send(401, "text/plain", "Unauthorized\r\n");
}

}  // namespace

BearerTokens::Digest BearerTokens::DigestOf(std::string_view secret) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
  return digest;
}

void BearerTokens::Add(std::string name, std::string_view secret) {
  tokens_.emplace_back(DigestOf(secret), std::move(name));
}

const std::string* BearerTokens::Find(std::string_view secret) const {
  const Digest digest = DigestOf(secret);
  const std::string* found = nullptr;
  for (const auto& [known, name] : tokens_) {
    if (CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0) found = &name;
  }
  return found;
}

Middleware BearerAuth(BearerTokens tokens, std::string realm, OnRefusedToken on_refused) {
  // The token's name lives here as long as the middleware.
  auto accept = [tokens = std::make_shared<const BearerTokens>(std::move(tokens))](
                    std::string_view secret, Request& request) {
    const std::string* name = tokens->Find(secret);
    if (name != nullptr) request.context.token = *name;
    return name != nullptr;
  };
  return BearerAuth(AcceptToken(std::move(accept)), std::move(realm), std::move(on_refused));
}

Middleware BearerAuth(AcceptToken accept, std::string realm, OnRefusedToken on_refused) {
  const auto state = std::make_shared<const State>(
      State{std::move(accept), "Bearer realm=\"" + std::move(realm) + "\"", std::move(on_refused)});
  return [state](Request& request, Response& response, const Handler& next) {
    const auto authorization = request.Get("authorization");
    // Without credentials no error is told (RFC 6750, 3.1).
    if (!authorization.has_value()) return Refuse(*state, "", request, response);
    const std::string_view secret = SecretOf(*authorization);
    if (secret.empty() || !state->accept(secret, request)) {
      return Refuse(*state, ", error=\"invalid_token\"", request, response);
    }
    return next(request, response);
  };
}

}  // namespace grove::http

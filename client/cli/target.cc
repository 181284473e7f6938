#include "client/cli/target.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "client/cli/contexts.h"

namespace grove::client::cli {
namespace {

constexpr size_t kTokenBytesMax = 64 * 1024;

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  absl::StatusOr<std::string> text = ReadWholeFile(path, kTokenBytesMax);
  if (!text.ok()) return text.status();
  return std::string(absl::StripAsciiWhitespace(*text));
}

// Empty where no context counts.
absl::StatusOr<Context> ContextOf(const Arguments& arguments, const Environment& environment) {
  const auto typed = arguments.Value("context");
  const bool elsewhere =
      arguments.Value("address") || !environment("GROVE_ADDRESS").value_or("").empty();
  if (!typed && elsewhere) return Context();
  absl::StatusOr<std::string> path = ContextsPath(environment);
  // A daemon's container has no HOME, and no contexts either.
  if (!path.ok()) return typed ? absl::StatusOr<Context>(path.status()) : Context();
  absl::StatusOr<Contexts> contexts = ReadContexts(*path);
  if (!contexts.ok()) return contexts.status();
  if (!typed && contexts->current.empty()) return Context();
  return FindContext(*contexts, typed.value_or(contexts->current), *path);
}

}  // namespace

absl::StatusOr<Target> FindTarget(const Arguments& arguments, const Environment& environment) {
  absl::StatusOr<Context> context = ContextOf(arguments, environment);
  if (!context.ok()) return context.status();
  Target target;
  target.address = context->address;
  if (target.address.empty()) target.address = environment("GROVE_ADDRESS").value_or("");
  if (target.address.empty()) target.address = kDefaultAddress;
  target.address = arguments.ValueOr("address", target.address);
  target.ca_cert = arguments.ValueOr("ca_cert", context->ca_cert);
  target.client_cert = arguments.ValueOr("client_cert", context->client_cert);
  target.client_key = arguments.ValueOr("client_key", context->client_key);
  if (const auto token = arguments.Value("token")) {
    target.token = *token;
    return target;
  }
  const std::string token_file = arguments.ValueOr("token_file", context->token_file);
  if (token_file.empty()) {
    target.token = environment("GROVE_TOKEN").value_or("");
    return target;
  }
  absl::StatusOr<std::string> token = ReadToken(token_file);
  if (!token.ok()) return token.status();
  target.token = *std::move(token);
  return target;
}

}  // namespace grove::client::cli

#include "database/redis/client.h"

#include <openssl/evp.h>

#include <array>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "database/redis/error_reply.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove::redis {

Script::Script(std::string source) : source_(std::move(source)) {
  std::array<char, 20> digest{};
  const int hashed =
      EVP_Digest(source_.data(), source_.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 nullptr, EVP_sha1(), nullptr);
  GROVE_CHECK(hashed == 1, "OpenSSL has no SHA-1");
  sha1_ = absl::BytesToHexString(Abseil({digest.data(), digest.size()}));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  if (options.pipeline.depth_max < 1 || options.connections_max < 1) {
    return absl::InvalidArgumentError("redis: depth_max and connections_max begin at 1");
  }
  absl::StatusOr<std::shared_ptr<Dialer>> dialer = Dialer::Create(std::move(options.server));
  if (!dialer.ok()) return dialer.status();
  return std::unique_ptr<Client>(new Client(options, *std::move(dialer)));
}

Client::Client(const ClientOptions& options, std::shared_ptr<Dialer> dialer)
    : dialer_(std::move(dialer)),
      pipeline_(std::make_shared<Pipeline>(options.pipeline, dialer_)),
      connections_({
          .max = options.connections_max,
          .idle_max = options.idle_max,
          .create = [dialer = dialer_]() -> absl::StatusOr<Connection> {
            absl::StatusOr<std::unique_ptr<Wire>> wire = dialer->Dial();
            if (!wire.ok()) return wire.status();
            return Connection(*std::move(wire));
          },
          .healthy = [](Connection& connection) { return connection.Check(); },
      }) {}

Client::~Client() {
  pipeline_->Close();
}

void Client::Close() {
  pipeline_->Close();
  pipeline_->AwaitEnd();
  connections_.Clear();
}

absl::StatusOr<Value> Client::Run(const Command& command) {
  if (absl::Status may = command.MayBeShared(); !may.ok()) return may;
  absl::StatusOr<Pipeline::Replies> replies = pipeline_->Run({&command, 1});
  if (!replies.ok()) return replies.status();
  if (replies->front().error()) return replies->front().status();
  return std::move(replies->front());
}

absl::StatusOr<std::vector<Value>> Client::RunAll(std::span<const Command> commands) {
  if (commands.empty()) return std::vector<Value>();
  for (const Command& command : commands) {
    if (absl::Status may = command.MayBeShared(); !may.ok()) return may;
  }
  absl::StatusOr<Pipeline::Replies> replies = pipeline_->Run(commands);
  if (!replies.ok()) return replies.status();
  return std::vector<Value>(std::make_move_iterator(replies->begin()),
                            std::make_move_iterator(replies->end()));
}

absl::StatusOr<std::vector<Value>> Client::Transact(std::span<const Command> commands) {
  for (const Command& command : commands) {
    if (absl::Status may = command.MayBeSent(); !may.ok()) return may;
  }
  absl::StatusOr<Pipeline::Replies> replies = pipeline_->Run(InTransaction(commands));
  if (!replies.ok()) return replies.status();
  return TransactionReplies({replies->data(), replies->size()});
}

absl::StatusOr<Value> Client::Eval(const Script& script, std::span<const std::string> keys,
                                   std::span<const std::string> arguments) {
  const auto command = [&](std::string_view verb, const std::string& text) {
    return Command({verb, text, keys.size()}).AddAll(keys).AddAll(arguments);
  };
  absl::StatusOr<Value> result = Run(command("EVALSHA", script.sha1()));
  if (ErrorWord(result.status()) != "NOSCRIPT") return result;
  ++scripts_loaded_;  // EVAL keeps it
  return Run(command("EVAL", script.source()));
}

absl::StatusOr<Client::Lease> Client::Take() {
  return connections_.Take();
}

absl::StatusOr<std::unique_ptr<Subscription>> Client::Subscribe(SubscribeOptions options) {
  return Subscription::Open(dialer_, std::move(options));
}

ClientStats Client::stats() const {
  return {.pipeline = pipeline_->stats(),
          .wire = dialer_->stats(),
          .connections_lent = connections_.lent(),
          .connections_idle = connections_.idle(),
          .connections_waiting = connections_.waiting(),
          .scripts_loaded = scripts_loaded_};
}

}  // namespace grove::redis

// What is said (RFC 27): a request has the frames version, request id, domain, address, routing id,
// mechanism, and for CURVE one credential, the client's key in 32 bytes. The answer: version,
// request id, status code, text, user id, metadata. 200 lets in, 300 is to come again, 400 is no.
// libzmq is the only one who asks, and waits for each answer: what it sent is taken for well formed
// but for how many frames it has.
#include "zeromq/authenticator.h"

#include <zmq.h>

#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::zeromq {
namespace {

constexpr char kAddress[] = "inproc://zeromq.zap.01";
constexpr size_t kKeyBytes = 32;
constexpr size_t kKeyText = 40;

// Of a request.
enum Part : size_t { kVersion, kId, kDomain, kPeer, kRoutingId, kMechanism, kKey, kParts };

std::string Entry(std::string_view domain, std::string_view key) {
  return StrCat(domain, " ", key);
}

std::string KeyText(std::string_view bytes) {
  char text[kKeyText + 1];
  zmq_z85_encode(text, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return std::string(text, kKeyText);
}

absl::Status CheckKey(std::string_view key) {
  uint8_t bytes[kKeyBytes];
  if (key.size() == kKeyText && zmq_z85_decode(bytes, std::string(key).c_str()) != nullptr) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("zeromq: a CURVE key has 40 characters of Z85");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Authenticator>> Authenticator::Open(Context& context,
                                                                   AuthenticatorOptions options) {
  for (const std::string& key : options.keys) {
    if (absl::Status checked = CheckKey(key); !checked.ok()) return checked;
  }
  absl::StatusOr<std::unique_ptr<Socket>> socket =
      Socket::Open(context, SocketType::kRep, {.linger = absl::ZeroDuration()});
  if (!socket.ok()) return socket.status();
  if (absl::Status bound = (*socket)->Bind(kAddress).status(); !bound.ok()) {
    return absl::UnavailableError(
        StrCat("zeromq: the context has an authenticator already: ", Std(bound.message())));
  }
  return std::unique_ptr<Authenticator>(new Authenticator(*std::move(socket), std::move(options)));
}

Authenticator::Authenticator(std::unique_ptr<Socket> socket, AuthenticatorOptions options)
    : options_(std::move(options)), socket_(std::move(socket)) {
  for (const std::string& key : options_.keys) allowed_.insert(Entry(kEveryDomain, key));
}

Authenticator::~Authenticator() {
  GROVE_CHECK(servers_ == 0, "a zeromq::Authenticator died while sockets that name it are open");
}

absl::Status Authenticator::Run() {
  for (;;) {
    absl::StatusOr<Message> request = socket_->Receive();
    if (absl::IsAborted(request.status())) return absl::OkStatus();
    if (!request.ok()) return request.status();
    // Without an answer the handshake would wait: it is given also when this fiber is to end.
    Verdict verdict = Judge(*request);
    const bool has_id = request->size() > kId;
    absl::Status sent = socket_->Send(
        MessageOf("1.0", has_id ? std::move(request->at(kId)) : Frame(""), verdict.code,
                  std::move(verdict.text), std::move(verdict.user), ""));
    if (absl::IsAborted(sent)) return absl::OkStatus();
    if (!sent.ok()) return sent;
  }
}

void Authenticator::Close() {
  socket_->Close();
}

Authenticator::Verdict Authenticator::Judge(const Message& request) {
  if (request.size() != kParts || request[kMechanism] != "CURVE" ||
      request[kKey].size() != kKeyBytes) {
    ++stats_.malformed;
    return {.text = "CURVE alone is let in"};
  }
  const ClientRequest client = {.domain = request[kDomain].text(),
                                .address = request[kPeer].text(),
                                .key = KeyText(request[kKey].view())};
  absl::Status judged = absl::PermissionDeniedError("the key is not allowed");
  if (allowed_.contains(Entry(kEveryDomain, client.key)) ||
      allowed_.contains(Entry(client.domain, client.key))) {
    judged = absl::OkStatus();
  } else if (options_.judge) {
    Timeout timeout(options_.judge_time_max);
    judged = options_.judge(client);
  }
  if (judged.ok()) {
    ++stats_.allowed;
    return {.code = "200", .text = "OK", .user = client.key};
  }
  std::string why(Std(judged.message()));
  // Cancelled: by the end of this fiber, which says nothing of the client.
  if (absl::IsUnavailable(judged) || absl::IsDeadlineExceeded(judged) ||
      absl::IsCancelled(judged)) {
    ++stats_.put_off;
    return {.code = "300", .text = std::move(why)};
  }
  ++stats_.refused;
  return {.text = std::move(why)};
}

absl::Status Authenticator::Allow(std::string_view key, std::string_view domain) {
  if (absl::Status checked = CheckKey(key); !checked.ok()) return checked;
  allowed_.insert(Entry(domain, key));
  return absl::OkStatus();
}

void Authenticator::Forget(std::string_view key, std::string_view domain) {
  allowed_.erase(Entry(domain, key));
}

}  // namespace grove::zeromq

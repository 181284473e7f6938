#include "zeromq/socket_options.h"

#include <zmq.h>

#include <cerrno>
#include <climits>

#include "absl/strings/str_cat.h"
#include "runtime/switch/abseil_text.h"
#include "zeromq/zmq_error.h"

namespace grove::zeromq {
namespace {

// Sets options one after the other until one fails.
class Setter {
 public:
  Setter(void* socket, SocketType type) : socket_(socket), type_(type) {}

  void Number(std::string_view name, int option, int value) {
    Set(name, option, &value, sizeof(value));
  }
  void Large(std::string_view name, int option, int64_t value) {
    Set(name, option, &value, sizeof(value));
  }
  void Text(std::string_view name, int option, const std::string& value) {
    Set(name, option, value.data(), value.size());
  }
  // Rounded up: a short time must not become none.
  void Time(std::string_view name, int option, absl::Duration value) {
    const int64_t millis = absl::ToInt64Milliseconds(absl::Ceil(value, absl::Milliseconds(1)));
    if (value < absl::ZeroDuration() || millis > INT_MAX) return Refuse(name, "is out of range");
    Number(name, option, static_cast<int>(millis));
  }
  // Of some types only: libzmq ignores some that it does not know.
  void OfTypes(std::initializer_list<SocketType> types, std::string_view name, int option,
               bool value) {
    for (const SocketType type : types) {
      if (type == type_) return Number(name, option, value ? 1 : 0);
    }
    if (value) Refuse(name, "is not for this type of socket");
  }
  void Refuse(std::string_view name, std::string_view why) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        StrCat("zeromq: ", name, " of a ", SocketTypeName(type_), " socket ", why));
  }
  const absl::Status& status() const { return status_; }

 private:
  void Set(std::string_view name, int option, const void* value, size_t bytes) {
    if (!status_.ok() || zmq_setsockopt(socket_, option, value, bytes) == 0) return;
    status_ = ZmqStatus(errno, StrCat("zeromq: ", name, " of a ", SocketTypeName(type_)));
  }

  void* const socket_;
  const SocketType type_;
  absl::Status status_;
};

void SetTransport(Setter& set, const SocketOptions& options) {
  set.Number("send_high_water", ZMQ_SNDHWM, options.send_high_water);
  set.Number("receive_high_water", ZMQ_RCVHWM, options.receive_high_water);
  set.Large("receive_bytes_max", ZMQ_MAXMSGSIZE, options.receive_bytes_max);
  if (options.linger == absl::InfiniteDuration()) {
    set.Number("linger", ZMQ_LINGER, -1);
  } else {
    set.Time("linger", ZMQ_LINGER, options.linger);
  }
  set.Number("immediate", ZMQ_IMMEDIATE, options.immediate ? 1 : 0);
  set.Number("ipv6", ZMQ_IPV6, options.ipv6 ? 1 : 0);
  set.Number("backlog", ZMQ_BACKLOG, options.backlog);
  set.Time("reconnect_first", ZMQ_RECONNECT_IVL, options.reconnect_first);
  set.Time("reconnect_max", ZMQ_RECONNECT_IVL_MAX, options.reconnect_max);
  set.Time("connect_timeout", ZMQ_CONNECT_TIMEOUT, options.connect_timeout);
  set.Time("handshake_timeout", ZMQ_HANDSHAKE_IVL, options.handshake_timeout);
}

void SetOfType(Setter& set, SocketType type, const SocketOptions& options) {
  using T = SocketType;
  if (type != T::kStream) {  // which speaks no ZMTP
    set.Time("heartbeat_interval", ZMQ_HEARTBEAT_IVL, options.heartbeat_interval);
    set.Time("heartbeat_timeout", ZMQ_HEARTBEAT_TIMEOUT, options.heartbeat_timeout);
  }
  if (!options.routing_id.empty()) set.Text("routing_id", ZMQ_ROUTING_ID, options.routing_id);
  set.OfTypes({T::kPub, T::kSub, T::kPush, T::kPull, T::kDealer}, "conflate", ZMQ_CONFLATE,
              options.conflate);
  if (type == T::kRouter) {
    set.Number("mandatory", ZMQ_ROUTER_MANDATORY, options.mandatory ? 1 : 0);
  }
  set.OfTypes({T::kRouter}, "handover", ZMQ_ROUTER_HANDOVER, options.handover);
  set.OfTypes({T::kDealer, T::kReq, T::kRouter}, "probe", ZMQ_PROBE_ROUTER, options.probe);
  set.OfTypes({T::kReq}, "relaxed", ZMQ_REQ_RELAXED, options.relaxed);
  set.OfTypes({T::kReq}, "relaxed", ZMQ_REQ_CORRELATE, options.relaxed);
  set.OfTypes({T::kPub, T::kXPub}, "no_drop", ZMQ_XPUB_NODROP, options.no_drop);
  set.OfTypes({T::kXPub}, "verbose", ZMQ_XPUB_VERBOSE, options.verbose);
  if (type == T::kStream) {
    set.Number("stream_notify", ZMQ_STREAM_NOTIFY, options.stream_notify ? 1 : 0);
  }
}

void SetCurve(Setter& set, const SocketOptions& options) {
  if (options.curve_server.has_value() && options.curve_client.has_value()) {
    return set.Refuse("curve_server", "stands beside curve_client: it is one or the other");
  }
  if (options.curve_server.has_value()) {
    set.Number("curve_server", ZMQ_CURVE_SERVER, 1);
    set.Text("curve_server.secret_key", ZMQ_CURVE_SECRETKEY, options.curve_server->secret_key);
    if (!options.curve_server->domain.empty()) {
      set.Text("curve_server.domain", ZMQ_ZAP_DOMAIN, options.curve_server->domain);
    }
  }
  if (options.curve_client.has_value()) {
    const CurveClient& client = *options.curve_client;
    set.Text("curve_client.server_public_key", ZMQ_CURVE_SERVERKEY, client.server_public_key);
    set.Text("curve_client.keys.public_key", ZMQ_CURVE_PUBLICKEY, client.keys.public_key);
    set.Text("curve_client.keys.secret_key", ZMQ_CURVE_SECRETKEY, client.keys.secret_key);
  }
}

}  // namespace

std::string_view SocketTypeName(SocketType type) {
  switch (type) {
    case SocketType::kPair:
      return "PAIR";
    case SocketType::kPub:
      return "PUB";
    case SocketType::kSub:
      return "SUB";
    case SocketType::kXPub:
      return "XPUB";
    case SocketType::kXSub:
      return "XSUB";
    case SocketType::kReq:
      return "REQ";
    case SocketType::kRep:
      return "REP";
    case SocketType::kDealer:
      return "DEALER";
    case SocketType::kRouter:
      return "ROUTER";
    case SocketType::kPush:
      return "PUSH";
    case SocketType::kPull:
      return "PULL";
    case SocketType::kStream:
      return "STREAM";
  }
  return "?";
}

absl::Status ApplySocketOptions(void* socket, SocketType type, const SocketOptions& options) {
  Setter set(socket, type);
  SetTransport(set, options);
  SetOfType(set, type, options);
  SetCurve(set, options);
  return set.status();
}

}  // namespace grove::zeromq

// SocketOptions: what a socket is told before its first address. Durations are whole milliseconds.
#ifndef GROVE_ZEROMQ_SOCKET_OPTIONS_H_
#define GROVE_ZEROMQ_SOCKET_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "zeromq/curve.h"

namespace grove::zeromq {

// The types of ZMTP 3.1. Those of libzmq's draft API (CLIENT, SERVER, RADIO, DISH, GATHER, SCATTER)
// are not in Debian's build of it.
enum class SocketType {
  kPair,
  kPub,
  kSub,
  kXPub,
  kXSub,
  kReq,
  kRep,
  kDealer,
  kRouter,
  kPush,
  kPull,
  kStream,
};

// "PAIR", "PUB", …
std::string_view SocketTypeName(SocketType type);

class Authenticator;

// A server's end: it lets in who knows the public half, and whom the authenticator knows.
struct CurveServer {
  std::string secret_key;
  // Of the same context, which must outlive the socket. Null: any key may come.
  Authenticator* authenticator = nullptr;
  // What it is told of where a client has come; at most 255 bytes.
  std::string domain = "";
};

// A client's end.
struct CurveClient {
  std::string server_public_key;
  CurveKeys keys;
};

struct SocketOptions {
  // Messages that wait for each peer; beyond, a send parks, or drops (PUB, and ROUTER without
  // `mandatory`). 0: without a bound.
  int send_high_water = 1000;
  // Messages of each peer that wait to be received; beyond, the peer is held up, or drops (PUB).
  int receive_high_water = 1000;
  // Larger ones end the connection that they come on; -1: without a bound.
  int64_t receive_bytes_max = int64_t{64} << 20;
  // How long what was sent may take to leave after the socket was closed. Infinite:
  // Context::Close() waits for as long as a peer is away.
  absl::Duration linger = absl::Seconds(1);

  // What a ROUTER at the other end calls this socket; empty: what it makes up.
  std::string routing_id;
  // Queue to connections that stand only, not to those that are being made.
  bool immediate = false;
  // Keep the last message only; of PUB, SUB, PUSH, PULL and DEALER, in one part.
  bool conflate = false;
  bool ipv6 = false;
  // Connections that wait to be accepted, as of listen(2).
  int backlog = 4096;

  // Pauses before a lost connection is made again double up to `reconnect_max`.
  absl::Duration reconnect_first = absl::Milliseconds(100);
  absl::Duration reconnect_max = absl::Seconds(10);
  // A connection that is not there by then is tried again; zero: the kernel's patience.
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration handshake_timeout = absl::Seconds(30);
  // Pings an idle peer, and ends a connection that has been silent for `heartbeat_timeout`, so that
  // a peer that vanished is noticed; zero: neither.
  absl::Duration heartbeat_interval = absl::Seconds(30);
  absl::Duration heartbeat_timeout = absl::Seconds(60);

  // ROUTER: a message to nobody is kNotFound, and a peer that takes none holds up the sender.
  // Otherwise both are dropped.
  bool mandatory = true;
  // ROUTER: who comes with a routing id that is taken takes the place of the one who has it.
  bool handover = false;
  // DEALER, REQ, ROUTER: a connection begins with an empty message, so that a ROUTER knows of it.
  bool probe = false;
  // REQ: another request may be sent before the reply to the last, which is then dropped. Together
  // only: a late reply must not be taken for the next.
  bool relaxed = false;
  // PUB, XPUB: at the high water mark a send parks instead of dropping.
  bool no_drop = false;
  // XPUB: every subscription is received, not the first of its kind only.
  bool verbose = false;
  // STREAM: an empty message tells of each connection and its end.
  bool stream_notify = true;

  // At most one of them.
  std::optional<CurveServer> curve_server;
  std::optional<CurveClient> curve_client;
};

// Sets them on libzmq's `socket`. kInvalidArgument names the option.
absl::Status ApplySocketOptions(void* socket, SocketType type, const SocketOptions& options);

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_SOCKET_OPTIONS_H_

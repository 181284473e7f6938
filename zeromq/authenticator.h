// Authenticator: which clients may connect to the CURVE servers of a context, by their keys (ZAP,
// RFC 27).
//
//   auto doorman = *Authenticator::Open(context, {.keys = {alice}});
//   auto serving = *Spawn("zap", [&] { return doorman->Run(); });
//   auto server = Socket::Open(context, type, {.curve_server = CurveServer{secret,
//   doorman.get()}});
//
// libzmq asks it during each handshake, by inproc://zeromq.zap.01, so that there is one for a
// context. Servers that name it let in whom it does, and nobody while it does not run: their
// handshakes wait. It judges one after another. Connections that stand are not judged again.
// Hub thread only, but for what sockets of other hubs do with it.
#ifndef GROVE_ZEROMQ_AUTHENTICATOR_H_
#define GROVE_ZEROMQ_AUTHENTICATOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "zeromq/context.h"
#include "zeromq/frame.h"
#include "zeromq/socket.h"

namespace grove::zeromq {

// Who wants in.
struct ClientRequest {
  std::string domain;   // CurveServer::domain of the socket that it has come to
  std::string address;  // "127.0.0.1"
  std::string key;      // its public one, 40 characters of Z85
};

struct AuthenticatorOptions {
  // Let in everywhere; more by Allow().
  std::vector<std::string> keys = {};
  // Asked for keys that are not listed; without it they are refused. OK: let in. kUnavailable,
  // kDeadlineExceeded: to come again, which libzmq's clients do by themselves, once the server has
  // hung up: at once, or when its handshake_timeout is over. Anything else: refused. May park;
  // others wait behind it.
  std::function<absl::Status(const ClientRequest&)> judge = nullptr;
  // A judgement that takes longer is kDeadlineExceeded. libzmq gives a handshake 30 s.
  absl::Duration judge_time_max = absl::Seconds(10);
};

class Authenticator {
 public:
  // Any domain of a socket's.
  static constexpr std::string_view kEveryDomain = "*";

  // kInvalidArgument: a key is none. kUnavailable: the context has one already. kAborted: the
  // context is closed. `context` must outlive it.
  static absl::StatusOr<std::unique_ptr<Authenticator>> Open(Context& context,
                                                             AuthenticatorOptions options = {});
  // Requires: not in Run(), and the sockets that name it are closed: libzmq would let everybody in.
  ~Authenticator();
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  // The body of its fiber: judges until cancelled, or until Close() (OK). **Parks.**
  absl::Status Run();
  // Ends Run().
  void Close();

  // From now on, for sockets of `domain` alone, or of any. kInvalidArgument: the key is none.
  absl::Status Allow(std::string_view key, std::string_view domain = kEveryDomain);
  // Takes that back. No effect if it was not allowed there.
  void Forget(std::string_view key, std::string_view domain = kEveryDomain);

  struct Stats {
    uint64_t allowed = 0;
    uint64_t refused = 0;
    uint64_t put_off = 0;    // the judge could not tell
    uint64_t malformed = 0;  // asked by another mechanism than CURVE: refused
  };
  const Stats& stats() const { return stats_; }

 private:
  friend class Socket;

  Authenticator(std::unique_ptr<Socket> socket, AuthenticatorOptions options);
  // ZAP's status code, and what it says of it.
  struct Verdict {
    const char* code = "400";
    std::string text;
    std::string user;
  };
  Verdict Judge(const Message& request);

  const AuthenticatorOptions options_;
  const std::unique_ptr<Socket> socket_;
  absl::flat_hash_set<std::string> allowed_;  // "DOMAIN KEY"
  Stats stats_;
  std::atomic<size_t> servers_{0};  // open sockets that name it, of any hub
};

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_AUTHENTICATOR_H_

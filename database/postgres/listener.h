// Listener: notifications (LISTEN, NOTIFY) on a connection of its own that is made again.
//
//   Listener listener(*connector, options, {"jobs"});
//   for (;;) {
//     absl::StatusOr<Listened> next = listener.Next();
//     if (next->kind == Listened::Kind::kListening) …  // look yourself: it may have been missed
// The server keeps no notification for who is away. So each connection that listens is told, the
// first too, before what comes by it. One fiber at a time. Hub thread only.
#ifndef GROVE_DATABASE_POSTGRES_LISTENER_H_
#define GROVE_DATABASE_POSTGRES_LISTENER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/postgres/connection.h"
#include "database/postgres/connector.h"
#include "runtime/repeat/backoff.h"

namespace grove::postgres {

struct ListenerOptions {
  // After so long without a word the server is asked whether it is there.
  absl::Duration ping_after = absl::Seconds(30);
  absl::Duration ping_timeout = absl::Seconds(10);
  // Between connections that fail.
  BackoffOptions pause = {.first = absl::Milliseconds(100), .growth = 2, .max = absl::Seconds(10)};
};

struct Listened {
  enum class Kind : uint8_t { kListening, kNotification };
  Kind kind = Kind::kListening;
  std::string channel;
  std::string payload;
  int backend_pid = 0;  // of who notified
};

class Listener {
 public:
  // `connector` must outlive it. Connects nobody. Names of channels are taken as they are, with
  // upper and lower case.
  Listener(Connector& connector, ConnectionOptions options, std::vector<std::string> channels,
           ListenerOptions listener_options = {});

  // The next thing to know. Connects as long as that takes: kUnauthenticated, kInvalidArgument and
  // kNotFound alone are told, for nothing will change. kDeadlineExceeded and kCancelled of the
  // fiber leave it as it was. **Parks.**
  absl::StatusOr<Listened> Next();
  // How often it has connected.
  uint64_t connects() const { return connects_; }
  // As of the last failure to connect; OK if none.
  const absl::Status& last_failure() const { return last_failure_; }

 private:
  absl::Status Connect();
  bool TakeNotification(Listened& next);
  absl::Status AwaitMore();

  Connector& connector_;
  const ConnectionOptions options_;
  const std::vector<std::string> channels_;
  const ListenerOptions listener_options_;
  Backoff pauses_;
  std::unique_ptr<Connection> connection_;
  uint64_t connects_ = 0;
  absl::Status last_failure_;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_LISTENER_H_

// Subscription: messages of Redis channels as a stream.
//
// A fiber of its own reads its connection into a bounded queue; while that is full it reads
// nothing, and Redis keeps what comes, up to its own limit for such clients (then it closes the
// connection). When the connection breaks it connects again, pausing longer after each failure, and
// subscribes anew; the stream says so, since what was published meanwhile is lost.
// Hub thread only.
#ifndef GROVE_DATABASE_REDIS_SUBSCRIPTION_H_
#define GROVE_DATABASE_REDIS_SUBSCRIPTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/redis/dialer.h"
#include "runtime/repeat/backoff.h"

namespace grove::redis {

struct SubscribeOptions {
  // At least one of both.
  std::vector<std::string> channels;
  std::vector<std::string> patterns;
  // Messages that nobody has taken yet.
  size_t queue_max = 1000;
  // After so long without a word the server is asked for one; after as long again without an
  // answer the connection is given up.
  absl::Duration ping_after = absl::Seconds(30);
  BackoffOptions reconnect = {
      .first = absl::Milliseconds(100), .growth = 2, .max = absl::Seconds(10)};
};

struct Message {
  enum class Kind : uint8_t {
    kMessage,
    kReconnected,  // messages may have been lost before it; the texts are empty
  };
  Kind kind = Kind::kMessage;
  std::string channel;
  std::string pattern;  // by which it came; empty: by the channel's name
  std::string payload;
};

struct SubscriptionStats {
  uint64_t messages = 0;
  uint64_t reconnects = 0;
  size_t queued = 0;  // now
};

class Subscription {
 public:
  // Returns once the server has confirmed all of it. kInvalidArgument: nothing to subscribe to;
  // else as Dialer::Dial(), and what the server says. **Parks.**
  static absl::StatusOr<std::unique_ptr<Subscription>> Open(std::shared_ptr<Dialer> dialer,
                                                            SubscribeOptions options);
  // Ends its fiber, which it does not wait for. Requires: nobody is in Next().
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  // The next message. kUnauthenticated, kPermissionDenied, …: the server refuses it now, as the
  // last word; kOutOfRange after that, and when the hub ends; kDeadlineExceeded, kCancelled: no
  // message is lost. **Parks.**
  absl::StatusOr<Message> Next();
  SubscriptionStats stats() const;

 private:
  struct State;
  explicit Subscription(std::shared_ptr<State> state) : state_(std::move(state)) {}

  const std::shared_ptr<State> state_;  // shared with its fiber
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_SUBSCRIPTION_H_

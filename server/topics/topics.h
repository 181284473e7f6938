// Topics: messages from any worker to every subscriber in all workers of the daemon.
//
// For what others should hear of soon and can do without: a line of a chat to its WebSockets, a
// key that caches should forget. Nothing is kept for who subscribes later. Publish() never waits:
// what a subscriber has no room for is dropped for it alone, and its TakeGap() says so. What one
// worker publishes arrives in that order. Hub thread only.
#ifndef GROVE_SERVER_TOPICS_TOPICS_H_
#define GROVE_SERVER_TOPICS_TOPICS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/sync/queue.h"

namespace grove::topics {

// Of one message. A worker's socket holds a few of the largest.
inline constexpr size_t kMessageBytesMax = 64 << 10;
inline constexpr size_t kNameBytesMax = 255;
// That wait for a subscriber, unless it asks for others.
inline constexpr size_t kWaitingMax = 1000;

struct Message {
  int worker = 0;  // whose code published it
  std::shared_ptr<const std::string> shared;

  // Which all subscribers of a worker share.
  const std::string& bytes() const { return *shared; }
};

// What a subscriber has missed.
struct Gap {
  uint64_t dropped = 0;  // of its topic, since too many waited for it
  // On the way to this worker, since it did not read: of any topic.
  uint64_t lost = 0;

  bool any() const { return dropped + lost > 0; }
};

// The subscribers of one process.
class Subscribers {
 public:
  struct Subscriber {
    explicit Subscriber(size_t waiting_max) : queue(waiting_max) {}
    Queue<Message> queue;
    Gap gap;
  };
  struct Delivery {
    uint64_t delivered = 0;
    uint64_t dropped = 0;
  };

  Delivery Deliver(std::string_view topic, const Message& message);
  // Tells all of messages that were lost on the way here.
  void AddLost(uint64_t messages);
  bool has(std::string_view topic) const { return by_topic_.contains(topic); }
  size_t size() const;

 private:
  friend class Subscription;
  std::map<std::string, std::set<Subscriber*>, std::less<>> by_topic_;
};

// Ends where it dies. May outlive the worker's Topics: then nothing comes any more.
class Subscription {
 public:
  Subscription(std::shared_ptr<Subscribers> all, std::string_view topic, size_t waiting_max);
  Subscription(Subscription&&) = default;
  Subscription& operator=(Subscription&&) = delete;
  ~Subscription();

  // kDeadlineExceeded, kCancelled. **Parks** while there is none.
  absl::StatusOr<Message> Next() { return subscriber_->queue.Get(); }
  // Nothing if that would park.
  std::optional<Message> TryNext() { return subscriber_->queue.TryGet(); }
  // For SelectGet.
  Queue<Message>& queue() { return subscriber_->queue; }
  // What was missed since it was last asked. A loss on the way is known when the next message of
  // that worker arrives.
  Gap TakeGap();

 private:
  std::shared_ptr<Subscribers> all_;
  std::string topic_;
  std::unique_ptr<Subscribers::Subscriber> subscriber_;
};

class Topics {
 public:
  virtual ~Topics() = default;

  // kInvalidArgument: no name, or a name or message over its bound. Whether anybody hears it is
  // not said.
  virtual absl::Status Publish(std::string_view topic, std::string_view bytes) = 0;
  // kInvalidArgument: as above, or room for nothing.
  virtual absl::StatusOr<Subscription> Subscribe(std::string_view topic,
                                                 size_t waiting_max = kWaitingMax) = 0;
};

// kInvalidArgument says what would be right.
absl::Status CheckName(std::string_view topic);
absl::Status CheckMessage(std::string_view bytes);

// Refuses everything: kUnavailable. For code that runs without a worker.
Topics& NoTopics();

}  // namespace grove::topics

#endif  // GROVE_SERVER_TOPICS_TOPICS_H_

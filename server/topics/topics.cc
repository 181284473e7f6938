#include "server/topics/topics.h"

#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::topics {
namespace {

class Nowhere final : public Topics {
 public:
  absl::Status Publish(std::string_view, std::string_view) override { return Unavailable(); }
  absl::StatusOr<Subscription> Subscribe(std::string_view, size_t) override {
    return Unavailable();
  }

 private:
  static absl::Status Unavailable() {
    return absl::UnavailableError("there are no topics without a worker");
  }
};

}  // namespace

Subscribers::Delivery Subscribers::Deliver(std::string_view topic, const Message& message) {
  Delivery delivery;
  const auto found = by_topic_.find(topic);
  if (found == by_topic_.end()) return delivery;
  for (Subscriber* subscriber : found->second) {
    if (subscriber->queue.TryPut(Message(message))) {
      ++delivery.delivered;
    } else {
      ++delivery.dropped;
      ++subscriber->gap.dropped;
    }
  }
  return delivery;
}

void Subscribers::AddLost(uint64_t messages) {
  for (auto& [topic, subscribers] : by_topic_) {
    for (Subscriber* subscriber : subscribers) subscriber->gap.lost += messages;
  }
}

size_t Subscribers::size() const {
  size_t sum = 0;
  for (const auto& [topic, subscribers] : by_topic_) sum += subscribers.size();
  return sum;
}

Subscription::Subscription(std::shared_ptr<Subscribers> all, std::string_view topic,
                           size_t waiting_max)
    : all_(std::move(all)),
      topic_(topic),
      subscriber_(std::make_unique<Subscribers::Subscriber>(waiting_max)) {
  all_->by_topic_[topic_].insert(subscriber_.get());
}

Subscription::~Subscription() {
  if (all_ == nullptr) return;  // moved from
  const auto found = all_->by_topic_.find(topic_);
  found->second.erase(subscriber_.get());
  if (found->second.empty()) all_->by_topic_.erase(found);
}

Gap Subscription::TakeGap() {
  return std::exchange(subscriber_->gap, {});
}

absl::Status CheckName(std::string_view topic) {
  if (topic.empty()) return absl::InvalidArgumentError("a topic needs a name");
  if (topic.size() <= kNameBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("a topic's name of ", topic.size(), " bytes: it may have ", kNameBytesMax));
}

absl::Status CheckMessage(std::string_view bytes) {
  if (bytes.size() <= kMessageBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("a message of ", bytes.size(), " bytes: it may have ", kMessageBytesMax));
}

Topics& NoTopics() {
  static Nowhere nowhere;
  return nowhere;
}

}  // namespace grove::topics

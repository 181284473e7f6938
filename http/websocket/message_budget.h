// MessageBudget: what the messages under way of many WebSockets may hold together.
//
// A message counts from its first byte until its WebSocket's function takes it. Each is bounded by
// itself (MessageLimits), but a worker has thousands of clients. Hub thread only.
#ifndef GROVE_HTTP_WEBSOCKET_MESSAGE_BUDGET_H_
#define GROVE_HTTP_WEBSOCKET_MESSAGE_BUDGET_H_

#include <cstdint>
#include <utility>

namespace grove::http::websocket {

class MessageBudget {
 public:
  // A share of it: given back when it dies.
  class Charge {
   public:
    Charge() = default;
    // Null: nothing is bounded.
    explicit Charge(MessageBudget* budget) : budget_(budget) {}
    Charge(Charge&& other) noexcept
        : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
    Charge& operator=(Charge&& other) noexcept {
      if (this != &other) {
        GiveBack();
        budget_ = other.budget_;
        bytes_ = std::exchange(other.bytes_, 0);
      }
      return *this;
    }
    ~Charge() { GiveBack(); }

    // False if the budget does not have so much more; that is counted.
    bool Add(uint64_t bytes) {
      if (budget_ == nullptr) return true;
      if (bytes > budget_->bytes_max_ - budget_->used_) {
        ++budget_->refused_;
        return false;
      }
      budget_->used_ += bytes;
      bytes_ += bytes;
      return true;
    }
    void GiveBack() {
      if (bytes_ > 0) budget_->used_ -= std::exchange(bytes_, 0);
    }

   private:
    MessageBudget* budget_ = nullptr;
    uint64_t bytes_ = 0;
  };

  // `refused` counts what it did not allow, and must outlive it.
  MessageBudget(uint64_t bytes_max, uint64_t& refused) : bytes_max_(bytes_max), refused_(refused) {}
  MessageBudget(const MessageBudget&) = delete;
  MessageBudget& operator=(const MessageBudget&) = delete;

  uint64_t used() const { return used_; }

 private:
  const uint64_t bytes_max_;
  uint64_t& refused_;
  uint64_t used_ = 0;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_MESSAGE_BUDGET_H_

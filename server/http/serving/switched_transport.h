// SwitchedTransport: a connection's Transport after a switch of protocols, over its Wire.
//
// The reader never touches Output: a time-out that ends a read must not end a write. Hub thread
// only.
#ifndef GROVE_SERVER_HTTP_SERVING_SWITCHED_TRANSPORT_H_
#define GROVE_SERVER_HTTP_SERVING_SWITCHED_TRANSPORT_H_

#include <functional>
#include <utility>

#include "server/http/handler/handler.h"
#include "server/http/serving/wire.h"

namespace grove::http {

class SwitchedTransport final : public Transport {
 public:
  // `wire` must outlive it.
  explicit SwitchedTransport(Wire& wire) : wire_(wire) {}

  std::span<char> unread() override { return wire_.input().mutable_unread(); }
  void Consume(size_t bytes) override { wire_.input().Consume(bytes); }
  absl::StatusOr<size_t> Fill(size_t room) override;
  absl::Status Write(std::string_view head, std::string_view body) override;
  Progress progress() const override {
    return {.written = static_cast<int64_t>(wire_.output().position()),
            .taken = wire_.output().TakenBytes()};
  }
  void StopReading() override;
  void set_on_drain(std::function<void()> on_drain) override { on_drain_ = std::move(on_drain); }

  // The server drains.
  void Drain() {
    if (on_drain_) on_drain_();
  }

 private:
  Wire& wire_;
  absl::Status broken_;
  std::function<void()> on_drain_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_SWITCHED_TRANSPORT_H_

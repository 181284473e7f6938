#include "database/redis/subscription.h"

#include <random>
#include <utility>

#include "database/redis/command.h"
#include "database/redis/value.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/queue.h"

namespace grove::redis {

struct Subscription::State : std::enable_shared_from_this<Subscription::State> {
  State(std::shared_ptr<Dialer> its_dialer, SubscribeOptions its_options)
      : dialer(std::move(its_dialer)),
        options(std::move(its_options)),
        backoff(options.reconnect),
        random(SeededRandom(std::random_device()())),
        queue(options.queue_max) {}

  absl::StatusOr<std::unique_ptr<Wire>> Connect();
  absl::Status Confirm(Wire& wire);
  void Drive(std::unique_ptr<Wire> wire);
  absl::Status Read(Wire& wire);
  absl::Status Put(const Value& value);

  const std::shared_ptr<Dialer> dialer;
  const SubscribeOptions options;
  Backoff backoff;
  const Random random;
  Queue<Message> queue;
  std::vector<Value> early;  // messages that came among the confirmations
  absl::Status last_word;
  FiberHandle fiber;  // while it runs
  SubscriptionStats stats;
};

absl::StatusOr<std::unique_ptr<Wire>> Subscription::State::Connect() {
  absl::StatusOr<std::unique_ptr<Wire>> wire = dialer->Dial();
  if (!wire.ok()) return wire;
  Timeout timeout(dialer->options().connect_timeout);
  absl::Status confirmed = Confirm(**wire);
  if (confirmed.ok()) return wire;
  if (!timeout.Caused(confirmed)) return confirmed;
  return absl::UnavailableError("redis: the server does not confirm a subscription in time");
}

absl::Status Subscription::State::Confirm(Wire& wire) {
  std::string bytes;
  if (!options.channels.empty()) {
    Command({"SUBSCRIBE"}).AddAll(options.channels).AppendTo(bytes);
  }
  if (!options.patterns.empty()) {
    Command({"PSUBSCRIBE"}).AddAll(options.patterns).AppendTo(bytes);
  }
  if (absl::Status sent = wire.Write(bytes); !sent.ok()) return sent;
  early.clear();
  for (size_t left = options.channels.size() + options.patterns.size(); left > 0;) {
    absl::StatusOr<Value> value = wire.Next();
    if (!value.ok()) return value.status();
    if (value->error()) return value->status();
    if (value->elements().empty()) continue;
    const std::string_view kind = value->elements()[0].text();
    if (kind == "subscribe" || kind == "psubscribe") {
      --left;
    } else {
      early.push_back(*std::move(value));
    }
  }
  return absl::OkStatus();
}

absl::Status Subscription::State::Put(const Value& value) {
  const std::span<const Value> parts = value.elements();
  const std::string_view kind = parts.empty() ? std::string_view() : parts[0].text();
  Message message;
  if (kind == "message" && parts.size() == 3) {
    message.channel = parts[1].text();
    message.payload = parts[2].text();
  } else if (kind == "pmessage" && parts.size() == 4) {
    message.pattern = parts[1].text();
    message.channel = parts[2].text();
    message.payload = parts[3].text();
  } else {
    return absl::OkStatus();  // the answer to a PING
  }
  ++stats.messages;
  backoff.Reset();
  return queue.Put(std::move(message));
}

absl::Status Subscription::State::Read(Wire& wire) {
  for (const Value& value : std::exchange(early, {})) {
    if (absl::Status put = Put(value); !put.ok()) return put;
  }
  for (bool asked = false;;) {
    absl::StatusOr<Value> value;
    {
      Timeout silence(options.ping_after);
      value = wire.Next();
      if (!value.ok() && !silence.Caused(value.status())) return value.status();
    }
    if (value.ok()) {
      asked = false;
      if (absl::Status put = Put(*value); !put.ok()) return put;
    } else if (asked) {
      return absl::UnavailableError("redis: the server is silent");
    } else {
      asked = true;
      Timeout patience(options.ping_after);
      if (absl::Status sent = wire.Write("*1\r\n$4\r\nPING\r\n"); !sent.ok()) return sent;
    }
  }
}

void Subscription::State::Drive(std::unique_ptr<Wire> wire) {
  const auto ended = [] { return Hub::Current()->interruption() != Wake::kReady; };
  for (;;) {
    Read(*wire).IgnoreError();  // whatever it was, a new connection is wanted
    wire.reset();
    while (!ended()) {
      // Also before the first try: a server may close what it has just accepted, for ever.
      if (!Sleep(backoff.Next(random())).ok()) return;
      absl::StatusOr<std::unique_ptr<Wire>> next = Connect();
      if (next.ok()) {
        wire = *std::move(next);
        break;
      }
      if (!absl::IsUnavailable(next.status()) && !absl::IsDeadlineExceeded(next.status())) {
        last_word = next.status();  // no time heals it
        return;
      }
    }
    if (ended()) return;
    ++stats.reconnects;
    if (!queue
             .Put(
                 {.kind = Message::Kind::kReconnected, .channel = {}, .pattern = {}, .payload = {}})
             .ok()) {
      return;
    }
  }
}

absl::StatusOr<std::unique_ptr<Subscription>> Subscription::Open(std::shared_ptr<Dialer> dialer,
                                                                 SubscribeOptions options) {
  if (options.channels.empty() && options.patterns.empty()) {
    return absl::InvalidArgumentError("redis: neither channels nor patterns to subscribe to");
  }
  if (options.queue_max == 0) {
    return absl::InvalidArgumentError("redis: queue_max is 0: no message could ever be kept");
  }
  auto state = std::make_shared<State>(std::move(dialer), std::move(options));
  absl::StatusOr<std::unique_ptr<Wire>> wire = state->Connect();
  if (!wire.ok()) return wire.status();
  absl::StatusOr<FiberHandle> fiber =
      Spawn("redis-subscription",
            [state, wire = *std::move(wire)]() mutable { state->Drive(std::move(wire)); });
  if (!fiber.ok()) return fiber.status();
  state->fiber = *std::move(fiber);
  // One that was cancelled before it began runs no body.
  state->fiber.Link([state](const Fiber&, const absl::Status&) {
    state->fiber = FiberHandle();
    state->queue.Close();
  });
  return std::unique_ptr<Subscription>(new Subscription(std::move(state)));
}

Subscription::~Subscription() {
  if (state_->fiber) state_->fiber.Cancel();
}

absl::StatusOr<Message> Subscription::Next() {
  absl::StatusOr<Message> message = state_->queue.Get();
  if (absl::IsOutOfRange(message.status()) && !state_->last_word.ok()) {
    return std::exchange(state_->last_word, absl::OkStatus());
  }
  return message;
}

SubscriptionStats Subscription::stats() const {
  SubscriptionStats stats = state_->stats;
  stats.queued = state_->queue.size();
  return stats;
}

}  // namespace grove::redis

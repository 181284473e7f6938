#include "http/client/connection_pool.h"

#include <algorithm>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove::http {

ConnectionPool::~ConnectionPool() {
  GROVE_CHECK(waiters_.empty(), "a ConnectionPool died while fibers wait for it");
  timer_.Cancel();
  idle_.clear();
  for (const auto& [key, origin] : origins_) {
    GROVE_CHECK(origin->users == 0, "a ConnectionPool died while connections are lent");
  }
}

ConnectionPool::Origin& ConnectionPool::Find(const std::string& key) {
  std::unique_ptr<Origin>& origin = origins_[key];
  if (origin == nullptr) {
    origin = std::make_unique<Origin>(key, limits_.per_origin_max);
    origin->free.ForgetHolders();
  }
  return *origin;
}

void ConnectionPool::Leave(Origin& origin) {
  if (--origin.users == 0 && origin.idle.empty()) origins_.erase(std::string(origin.key));
}

absl::StatusOr<ConnectionPool::Lease> ConnectionPool::Take(const std::string& key, Open open) {
  Origin& origin = Find(key);
  ++origin.users;
  ++waiting_for_places_;
  absl::Status place = origin.free.Acquire();
  --waiting_for_places_;
  if (!place.ok()) {
    Leave(origin);
    return place;
  }
  // From here on it gives back what it has, whatever happens.
  Lease lease;
  lease.pool_ = this;
  lease.origin_ = &origin;
  lease.connection_ = TakeIdle(origin);
  if (lease.connection_ == nullptr) {
    absl::Status room = Room(origin, lease.connection_);
    if (!room.ok()) return room;
  }
  if (lease.connection_ != nullptr) {
    lease.reused_ = true;
    ++stats_.reused;
    return lease;
  }
  absl::StatusOr<std::unique_ptr<ClientConnection>> made = open();
  if (!made.ok()) {
    --open_;
    GiveRoom();
    return made.status();
  }
  lease.connection_ = *std::move(made);
  ++stats_.made;
  return lease;
}

std::unique_ptr<ClientConnection> ConnectionPool::TakeIdle(Origin& origin) {
  const MonotonicNanos now = Hub::Current()->now();
  while (!origin.idle.empty()) {
    const IdleList::iterator last = origin.idle.back();
    const bool usable = !last->gone && !Expired(*last, now);
    std::unique_ptr<ClientConnection> connection = Remove(last);
    if (usable && connection->Wake()) return connection;
    connection.reset();
    --open_;
  }
  return nullptr;
}

absl::Status ConnectionPool::Room(Origin& origin, std::unique_ptr<ClientConnection>& given) {
  if (waiters_.empty() && open_ < limits_.connections_max) {
    ++open_;
    return absl::OkStatus();
  }
  if (waiters_.empty() && !idle_.empty()) {
    // Its place in the count goes to the new one.
    Remove(idle_.begin()).reset();
    ++stats_.evicted;
    return absl::OkStatus();
  }
  if (waiters_.empty() && make_room_ != nullptr && make_room_()) {
    ++open_;
    ++stats_.evicted;
    return absl::OkStatus();
  }
  Waiter waiter{.origin = &origin};
  waiters_.push_back(&waiter);
  absl::Status waited = waiter.ready.Wait();
  if (!waiter.served) {
    std::erase(waiters_, &waiter);
    return waited;
  }
  given = std::move(waiter.given);
  if (waited.ok()) return waited;
  // Served, and interrupted before it ran: the next one has the room.
  given.reset();
  --open_;
  GiveRoom();
  return waited;
}

bool ConnectionPool::HasRoom(const std::string& key) const {
  const auto origin = origins_.find(key);
  if (origin != origins_.end() && origin->second->free.free() <= 0) return false;
  return waiters_.empty() && (open_ < limits_.connections_max || !idle_.empty());
}

void ConnectionPool::GiveRoom() {
  if (waiters_.empty() || open_ >= limits_.connections_max) return;
  Waiter* const next = waiters_.front();
  waiters_.pop_front();
  ++open_;
  next->served = true;
  next->ready.Set();
}

void ConnectionPool::Return(Origin& origin, std::unique_ptr<ClientConnection> connection) {
  const MonotonicNanos now = Hub::Current()->now();
  const bool too_old = DeadlineAfter(connection->made_at(), limits_.age_max) <= now;
  Waiter* const next = waiters_.empty() ? nullptr : waiters_.front();
  if (next != nullptr && next->origin == &origin && !too_old) {
    waiters_.pop_front();
    next->given = std::move(connection);
    next->served = true;
    next->ready.Set();
    return;
  }
  if (next != nullptr || too_old) {
    connection.reset();
    --open_;
    GiveRoom();
    return;
  }
  idle_.push_back({.connection = std::move(connection), .origin = &origin, .since = now});
  const auto at = std::prev(idle_.end());
  origin.idle.push_back(at);
  at->connection->Rest([this, at] {
    at->gone = true;
    // Closed in the next turn: the poller is not to be changed while it tells of this.
    timer_.Cancel();
    timer_ = ScheduleCall(absl::ZeroDuration(), [this] { Prune(); });
  });
  if (!timer_.pending()) ArmTimer();
}

std::unique_ptr<ClientConnection> ConnectionPool::Remove(IdleList::iterator idle) {
  Origin& origin = *idle->origin;
  if (origin.idle.back() == idle) {
    origin.idle.pop_back();
  } else {
    std::erase(origin.idle, idle);
  }
  std::unique_ptr<ClientConnection> connection = std::move(idle->connection);
  idle_.erase(idle);
  if (origin.users == 0 && origin.idle.empty()) origins_.erase(std::string(origin.key));
  return connection;
}

bool ConnectionPool::Expired(const Idle& idle, MonotonicNanos now) const {
  return DeadlineAfter(idle.since, limits_.idle_max) <= now ||
         DeadlineAfter(idle.connection->made_at(), limits_.age_max) <= now;
}

void ConnectionPool::Prune() {
  const MonotonicNanos now = Hub::Current()->now();
  for (auto idle = idle_.begin(); idle != idle_.end();) {
    const auto next = std::next(idle);
    if (idle->gone || Expired(*idle, now)) {
      ++(idle->gone ? stats_.hung_up : stats_.expired);
      Remove(idle).reset();
      --open_;
    }
    idle = next;
  }
  ArmTimer();
}

void ConnectionPool::ArmTimer() {
  if (idle_.empty() || limits_.idle_max == absl::InfiniteDuration()) return;
  const MonotonicNanos due = DeadlineAfter(idle_.front().since, limits_.idle_max);
  timer_ = ScheduleCall(absl::Nanoseconds(due - Hub::Current()->now()), [this] { Prune(); });
}

void ConnectionPool::CloseIdle() {
  while (!idle_.empty()) {
    Remove(idle_.begin()).reset();
    --open_;
  }
}

PoolStats ConnectionPool::stats() const {
  PoolStats stats = stats_;
  stats.open = open_;
  stats.idle = static_cast<int64_t>(idle_.size());
  stats.origins = origins_.size();
  stats.waiting = waiters_.size() + waiting_for_places_;
  return stats;
}

void ConnectionPool::Lease::PutBack() {
  ConnectionPool* const pool = std::exchange(pool_, nullptr);
  pool->Return(*origin_, std::move(connection_));
  origin_->free.Release();
  pool->Leave(*origin_);
}

void ConnectionPool::Lease::Drop() {
  ConnectionPool* const pool = std::exchange(pool_, nullptr);
  if (pool == nullptr) return;
  if (connection_ != nullptr) {
    connection_.reset();
    --pool->open_;
    pool->GiveRoom();
  }
  origin_->free.Release();
  pool->Leave(*origin_);
}

std::unique_ptr<ClientConnection> ConnectionPool::Lease::Detach() {
  ConnectionPool* const pool = std::exchange(pool_, nullptr);
  std::unique_ptr<ClientConnection> connection = std::move(connection_);
  --pool->open_;
  pool->GiveRoom();
  origin_->free.Release();
  pool->Leave(*origin_);
  return connection;
}

}  // namespace grove::http

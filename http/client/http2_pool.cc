#include "http/client/http2_pool.h"

#include <algorithm>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove::http {
namespace {

// Beyond all are forgotten: then one connection to each is made before the others again.
constexpr size_t kHttp1OnlyMax = 10'000;

absl::Status Ended() {
  return absl::UnavailableError("the HTTP/2 connection has ended");
}

}  // namespace

struct Http2Pool::Origin final : Http2Connection::Watch {
  Origin(Http2Pool& its_pool, std::string its_key) : pool(its_pool), key(std::move(its_key)) {}
  void OnChange(Http2Connection& connection) override { pool.Changed(*this, connection); }

  Http2Pool& pool;
  const std::string key;
  std::vector<std::shared_ptr<Http2Connection>> connections;
  std::deque<Waiter*> waiters;
  // In Take().
  int64_t users = 0;
  int64_t dialing = 0;
  // What was made last could not be shared: each makes one of its own.
  bool each_alone = false;
  // There are connections, and another one could not be made.
  bool dial_failed = false;
};

Http2Pool::Http2Pool(ConnectionPool& connections, const Http2Limits& limits,
                     const PoolLimits& pool_limits)
    : pool_(connections), limits_(limits), pool_limits_(pool_limits) {
  pool_.set_make_room([this] { return CloseLongestIdle(); });
}

Http2Pool::~Http2Pool() {
  pool_.set_make_room(nullptr);
  for (const auto& [key, origin] : origins_) {
    GROVE_CHECK(origin->users == 0, "an Http2Pool died while fibers wait for it");
    for (const auto& connection : origin->connections) {
      connection->ForgetWatch();
      connection->Close(Ended());
    }
  }
}

Http2Pool::Origin& Http2Pool::Find(const std::string& key) {
  std::unique_ptr<Origin>& origin = origins_[key];
  if (origin == nullptr) origin = std::make_unique<Origin>(*this, key);
  return *origin;
}

void Http2Pool::Leave(Origin& origin) {
  if (origin.users == 0 && origin.connections.empty()) origins_.erase(std::string(origin.key));
}

std::shared_ptr<Http2Connection> Http2Pool::WithRoom(Origin& origin) {
  for (const auto& connection : origin.connections) {
    if (connection->has_room()) return connection;
  }
  return nullptr;
}

bool Http2Pool::MustWait(const Origin& origin) const {
  if (origin.connections.empty()) return origin.dialing > 0 && !origin.each_alone;
  return origin.dialing > 0 || origin.dial_failed || origin.connections.back()->settling() ||
         !pool_.HasRoom(origin.key);
}

void Http2Pool::Serve(Origin& origin) {
  while (!origin.waiters.empty()) {
    std::shared_ptr<Http2Connection> connection = WithRoom(origin);
    const bool dials = connection == nullptr && !origin.connections.empty() && !MustWait(origin);
    if (connection == nullptr && !dials) return;
    Waiter* const next = origin.waiters.front();
    origin.waiters.pop_front();
    if (dials) {
      // Counted already, so that no other one does it, too.
      ++origin.dialing;
      next->dials = true;
    } else {
      connection->Reserve();
      next->given = std::move(connection);
    }
    next->ready.Set();
  }
}

void Http2Pool::WakeAll(Origin& origin) {
  for (Waiter* const waiter : std::exchange(origin.waiters, {})) waiter->ready.Set();
}

absl::StatusOr<Http2Pool::Way> Http2Pool::Take(const std::string& key, Dial dial) {
  if (http1_only_.contains(key)) return Connect(key, dial);
  Origin& origin = Find(key);
  ++origin.users;
  absl::StatusOr<Way> way = TakeFrom(origin, dial);
  --origin.users;
  Leave(origin);
  return way;
}

absl::Status Http2Pool::Await(Origin& origin, Waiter& waiter) {
  origin.waiters.push_back(&waiter);
  ++stats_.waiting;
  absl::Status waited = waiter.ready.Wait();
  --stats_.waiting;
  if (waited.ok()) return waited;
  // Served, and interrupted before it ran: the next one has what it was given.
  if (!waiter.ready.ready()) std::erase(origin.waiters, &waiter);
  if (waiter.given != nullptr) waiter.given->Unreserve();
  if (waiter.dials) {
    --origin.dialing;
    Serve(origin);
  }
  return waited;
}

absl::StatusOr<Http2Pool::Way> Http2Pool::TakeFrom(Origin& origin, Dial dial) {
  for (;;) {
    Waiter turn;
    if (origin.waiters.empty()) turn.given = WithRoom(origin);
    if (turn.given != nullptr) {
      turn.given->Reserve();
    } else if (MustWait(origin)) {
      if (absl::Status waited = Await(origin, turn); !waited.ok()) return waited;
    } else {
      ++origin.dialing;
      turn.dials = true;
    }
    if (turn.given != nullptr) {
      ++stats_.streams_made;
      if (turn.given->answered()) ++stats_.streams_reused;
      return Way{.shared = std::move(turn.given), .alone = {}};
    }
    if (!turn.dials) continue;
    absl::StatusOr<Way> way = Connect(origin.key, dial);
    --origin.dialing;
    if (way.ok() && way->shared != nullptr) return way;
    if (origin.connections.empty()) {
      origin.each_alone = true;
      WakeAll(origin);
      return way;
    }
    // There are others that serve it in time.
    if (absl::IsUnavailable(way.status())) {
      origin.dial_failed = true;
      continue;
    }
    Serve(origin);
    return way;
  }
}

absl::StatusOr<Http2Pool::Way> Http2Pool::Connect(const std::string& key, Dial dial) {
  bool http2 = false;
  const auto open = [&]() -> absl::StatusOr<std::unique_ptr<ClientConnection>> {
    absl::StatusOr<DialedStream> dialed = dial();
    if (!dialed.ok()) return dialed.status();
    http2 = dialed->http2;
    return std::make_unique<ClientConnection>(std::move(dialed->stream), pool_.buffers());
  };
  absl::StatusOr<ConnectionPool::Lease> lease = pool_.Take(key, open);
  if (!lease.ok()) return lease.status();
  if (!http2) {
    if (http1_only_.size() >= kHttp1OnlyMax) http1_only_.clear();
    http1_only_.insert(key);
    return Way{.shared = nullptr, .alone = *std::move(lease)};
  }
  http1_only_.erase(key);
  Origin& origin = Find(key);
  std::shared_ptr<Http2Connection> shared = origin.waiters.empty() ? WithRoom(origin) : nullptr;
  if (shared == nullptr) {
    std::unique_ptr<Stream> stream = (*lease)->Release().first;
    ++origin.users;
    shared =
        Http2Connection::Start(std::move(stream), *std::move(lease), limits_, pool_limits_, origin);
    --origin.users;
    if (shared->closed()) {
      Leave(origin);
      return absl::ResourceExhaustedError("HTTP/2: no fiber for another connection");
    }
    ++stats_.connections_made;
    origin.connections.push_back(shared);
    origin.each_alone = origin.dial_failed = false;
  }
  shared->Reserve();
  ++stats_.streams_made;
  if (shared->answered()) ++stats_.streams_reused;
  Serve(origin);
  return Way{.shared = std::move(shared), .alone = {}};
}

void Http2Pool::Changed(Origin& origin, Http2Connection& connection) {
  if (connection.closed()) {
    std::erase_if(origin.connections, [&](const auto& each) { return each.get() == &connection; });
    if (origin.connections.empty()) origin.dial_failed = false;
    // One of them makes another, and the others wait for it.
    if (origin.connections.empty() && origin.dialing == 0) WakeAll(origin);
    Serve(origin);
    return Leave(origin);
  }
  // As a connection of HTTP/1 is given up after each request while others wait for room.
  if (pool_.wanted()) return connection.Drain();
  Serve(origin);
}

Http2Connection* Http2Pool::LongestIdle() const {
  Http2Connection* longest = nullptr;
  for (const auto& [key, origin] : origins_) {
    for (const auto& connection : origin->connections) {
      if (!connection->idle()) continue;
      if (longest == nullptr || connection->idle_since() < longest->idle_since()) {
        longest = connection.get();
      }
    }
  }
  return longest;
}

bool Http2Pool::CloseLongestIdle() {
  Http2Connection* const longest = LongestIdle();
  if (longest == nullptr) return false;
  longest->Close(Ended());
  return true;
}

void Http2Pool::CloseIdle() {
  while (CloseLongestIdle()) {
  }
}

Http2Stats Http2Pool::stats() const {
  Http2Stats stats = stats_;
  for (const auto& [key, origin] : origins_) {
    for (const auto& connection : origin->connections) {
      ++stats.connections;
      stats.idle += connection->idle() ? 1 : 0;
      stats.streams += connection->streams();
    }
  }
  return stats;
}

}  // namespace grove::http

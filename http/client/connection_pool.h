// ConnectionPool: connections by where they lead, kept between requests.
//
// The connection used last is lent first, so that the others reach their idle limit. So many are
// open to one origin, and in all; whoever comes then waits, first come, first served. Of idle
// connections to others the longest idle makes room. An origin that nothing leads to costs nothing.
// Hub thread only.
#ifndef GROVE_HTTP_CLIENT_CONNECTION_POOL_H_
#define GROVE_HTTP_CLIENT_CONNECTION_POOL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http/client/client_connection.h"
#include "runtime/hub/scheduled_call.h"
#include "runtime/sync/event.h"
#include "runtime/sync/semaphore.h"

namespace grove::http {

struct PoolLimits {
  // Open at once: to one origin, and in all.
  int64_t per_origin_max = 256;
  int64_t connections_max = 4096;
  // Kept without a request for at most so long, and in any case no longer than age_max.
  absl::Duration idle_max = absl::Seconds(90);
  absl::Duration age_max = absl::InfiniteDuration();
};

struct PoolStats {
  int64_t open = 0;
  int64_t idle = 0;
  size_t origins = 0;  // that something leads to, or is waited for
  // Of fibers, for a connection of theirs, or for room at all.
  size_t waiting = 0;
  uint64_t made = 0;
  uint64_t reused = 0;
  uint64_t evicted = 0;  // for others
  uint64_t expired = 0;
  uint64_t hung_up = 0;  // by the server, while they were idle
};

class ConnectionPool {
  struct Origin;

 public:
  using Open = absl::FunctionRef<absl::StatusOr<std::unique_ptr<ClientConnection>>()>;

  // The right to use one connection. Dropped unless it is put back. Must not outlive the pool.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          origin_(other.origin_),
          connection_(std::move(other.connection_)),
          reused_(other.reused_) {}
    Lease& operator=(Lease other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(origin_, other.origin_);
      std::swap(connection_, other.connection_);
      std::swap(reused_, other.reused_);
      return *this;
    }
    ~Lease() { Drop(); }

    explicit operator bool() const { return connection_ != nullptr; }
    ClientConnection& operator*() { return *connection_; }
    ClientConnection* operator->() { return connection_.get(); }
    // It has served before.
    bool reused() const { return reused_; }
    // Requires: nothing of it is unread. The lease is empty then.
    void PutBack();
    void Drop();
    // The connection counts no longer; the lease is empty then.
    std::unique_ptr<ClientConnection> Detach();

   private:
    friend class ConnectionPool;
    ConnectionPool* pool_ = nullptr;
    Origin* origin_ = nullptr;
    std::unique_ptr<ClientConnection> connection_;
    bool reused_ = false;
  };

  explicit ConnectionPool(const PoolLimits& limits) : limits_(limits) {}
  // Requires: nothing is lent or waited for.
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // An idle connection to `key`, or one that `open` makes, whose status it returns; also
  // kDeadlineExceeded and kCancelled, of the waits before. **Parks.**
  absl::StatusOr<Lease> Take(const std::string& key, Open open);
  void CloseIdle();
  BufferCache& buffers() { return buffers_; }
  // Whether another connection to `key` would be made without a wait.
  bool HasRoom(const std::string& key) const;
  // Fibers wait for room that others' connections have.
  bool wanted() const { return !waiters_.empty(); }
  // Asked before a fiber waits for room: drops a lease that is of no use now, and says whether it
  // did. Null: there are none.
  void set_make_room(absl::AnyInvocable<bool()> make_room) { make_room_ = std::move(make_room); }
  PoolStats stats() const;

 private:
  struct Idle {
    std::unique_ptr<ClientConnection> connection;
    Origin* origin = nullptr;
    MonotonicNanos since = 0;
    bool gone = false;
  };
  using IdleList = std::list<Idle>;
  struct Origin {
    Origin(std::string its_key, int64_t places) : key(std::move(its_key)), free(places) {}
    const std::string key;
    Semaphore free;
    // Leases and those that wait for one.
    int64_t users = 0;
    std::vector<IdleList::iterator> idle;  // by `since`
  };
  // For room among all connections.
  struct Waiter {
    Origin* origin;
    std::unique_ptr<ClientConnection> given;
    bool served = false;
    Event ready;
  };

  Origin& Find(const std::string& key);
  void Leave(Origin& origin);
  // Null: none is idle.
  std::unique_ptr<ClientConnection> TakeIdle(Origin& origin);
  // Counts one more that is open, or gives one to the origin that has become idle meanwhile.
  absl::Status Room(Origin& origin, std::unique_ptr<ClientConnection>& given);
  // To who has waited longest, counted already.
  void GiveRoom();
  void Return(Origin& origin, std::unique_ptr<ClientConnection> connection);
  std::unique_ptr<ClientConnection> Remove(IdleList::iterator idle);
  bool Expired(const Idle& idle, MonotonicNanos now) const;
  void Prune();
  void ArmTimer();

  const PoolLimits limits_;
  BufferCache buffers_;
  absl::flat_hash_map<std::string, std::unique_ptr<Origin>> origins_;
  IdleList idle_;  // by `since`
  std::deque<Waiter*> waiters_;
  int64_t open_ = 0;
  size_t waiting_for_places_ = 0;  // of their origins
  ScheduledCall timer_;
  absl::AnyInvocable<bool()> make_room_;
  PoolStats stats_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_CONNECTION_POOL_H_

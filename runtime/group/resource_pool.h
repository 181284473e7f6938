// ResourcePool: at most `max` resources that are costly to make, lent out one at a time.
//
// Take() lends an idle resource that is young enough and passes the health check, or makes a new
// one; while all are lent, callers wait, first come, first served. The Lease puts it back when it
// dies, or cleaned, when told to. No failure, exception or cancellation on the way costs a place.
// Resources past their limits go at the next Take(), put-back or Prune(); the pool has no timer of
// its own, so that resources die in a fiber. Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_RESOURCE_POOL_H_
#define GROVE_RUNTIME_GROUP_RESOURCE_POOL_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/sync/semaphore.h"

namespace grove {

template <typename T>
class ResourcePool {
  struct Resource {
    T value;
    MonotonicNanos made_at;
    MonotonicNanos idle_since;
  };

 public:
  // Which idle resource is lent first: the one used last, which lets the others reach their idle
  // limit, or the one unused for longest, which spreads the use.
  enum class Order { kLifo, kFifo };
  struct Options {
    int64_t min = 0;  // Fill() makes so many, and the idle limit spares them
    int64_t max = 4;
    Order order = Order::kLifo;
    absl::Duration idle_max = absl::InfiniteDuration();
    absl::Duration age_max = absl::InfiniteDuration();
    // May park.
    absl::AnyInvocable<absl::StatusOr<T>()> create;
    // Asked about an idle resource before it is lent; may park. Null: all are healthy.
    absl::AnyInvocable<bool(T& resource)> healthy = nullptr;
    // Makes a resource as new before it is put back, as a rollback does; may park. False: it is
    // dropped. With it, resources are put back by Lease::PutBack() only. Null: nothing is to do.
    absl::AnyInvocable<bool(T& resource)> clean = nullptr;
  };

  // The right to use one resource. Must not outlive the pool.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), resource_(std::move(other.resource_)) {}
    Lease& operator=(Lease other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(resource_, other.resource_);
      return *this;
    }
    // Puts the resource back; drops it if it would have to be cleaned, which a destructor can't
    // wait for and which must not be left out.
    ~Lease() {
      if (pool_ == nullptr) return;
      if (pool_->options_.clean != nullptr) resource_.reset();
      pool_->PutBack(resource_);
    }

    T& operator*() { return resource_->value; }
    T* operator->() { return &resource_->value; }
    // Cleans the resource and puts it back, or drops it if that fails or throws. The lease is empty
    // then. **Parks** as Options::clean.
    void PutBack() {
      Lease lease(std::move(*this));  // drops the resource if `clean` throws
      auto& clean = lease.pool_->options_.clean;
      if (clean != nullptr && !clean(*lease)) lease.resource_.reset();
      std::exchange(lease.pool_, nullptr)->PutBack(lease.resource_);
    }
    // Destroys the resource, for one found broken, and gives up the place. The lease is empty then.
    void Drop() {
      resource_.reset();
      if (ResourcePool* pool = std::exchange(pool_, nullptr)) pool->PutBack(resource_);
    }

   private:
    friend class ResourcePool;
    explicit Lease(ResourcePool& pool) : pool_(&pool) { ++pool.lent_; }
    ResourcePool* pool_;
    std::optional<Resource> resource_;  // nothing yet while Take() looks for one
  };

  // Requires: options.create.
  explicit ResourcePool(Options options)
      : options_(std::move(options)), max_(options_.max), places_(options_.max) {
    GROVE_CHECK(options_.create != nullptr, "a ResourcePool needs a way to make resources");
  }
  // Requires: nothing is lent.
  ~ResourcePool() {
    GROVE_CHECK(places_.free() >= max_, "a ResourcePool died while resources are lent");
  }
  ResourcePool(const ResourcePool&) = delete;
  ResourcePool& operator=(const ResourcePool&) = delete;

  // The status of create() if that failed; kDeadlineExceeded, kCancelled. **Parks.**
  absl::StatusOr<Lease> Take();
  // Makes resources until there are `min`, or `max` if that is less. The status of create() if that
  // failed; what was made stays. **Parks.**
  absl::Status Fill();
  // Drops idle resources past their limits.
  void Prune();
  // Drops all idle resources.
  void Clear() { idle_.clear(); }
  // Growing lets waiters in at once; shrinking drops idle resources, then lent ones as they are put
  // back.
  void Resize(int64_t max);

  int64_t max() const { return max_; }
  int64_t lent() const { return lent_; }
  int64_t idle() const { return static_cast<int64_t>(idle_.size()); }
  int64_t size() const { return idle() + lent(); }
  size_t waiting() const { return places_.waiting(); }

 private:
  static bool Expired(MonotonicNanos since, absl::Duration limit) {
    return DeadlineAfter(since, limit) <= Hub::Current()->now();
  }
  Resource PopIdle();
  absl::Status Create(std::optional<Resource>& resource);
  void PutBack(std::optional<Resource>& resource);

  Options options_;
  int64_t max_;
  Semaphore places_;           // one is taken by each lease
  int64_t lent_ = 0;           // leases; not the places of fibers that have yet to wake with them
  std::deque<Resource> idle_;  // by idle_since
};

template <typename T>
typename ResourcePool<T>::Resource ResourcePool<T>::PopIdle() {
  const bool lifo = options_.order == Order::kLifo;
  Resource popped = std::move(lifo ? idle_.back() : idle_.front());
  lifo ? idle_.pop_back() : idle_.pop_front();
  return popped;
}

template <typename T>
absl::Status ResourcePool<T>::Create(std::optional<Resource>& resource) {
  absl::StatusOr<T> made = options_.create();
  if (!made.ok()) return made.status();
  const MonotonicNanos now = Hub::Current()->now();
  resource.emplace(Resource{*std::move(made), now, now});
  return absl::OkStatus();
}

template <typename T>
absl::StatusOr<typename ResourcePool<T>::Lease> ResourcePool<T>::Take() {
  if (absl::Status place = places_.Acquire(); !place.ok()) return place;
  Lease lease(*this);  // from here on it gives the place back, whatever happens
  for (Prune(); !idle_.empty(); Prune()) {
    lease.resource_.emplace(PopIdle());
    if (options_.healthy == nullptr) return lease;
    const bool healthy = options_.healthy(lease.resource_->value);
    const Wake wake = Hub::Current()->interruption();
    if (healthy) return lease;
    lease.resource_.reset();
    // An interrupted check says nothing about the next resource, and would use them all up.
    if (wake != Wake::kReady) return WakeStatus(wake, "health check of a pooled resource");
  }
  if (absl::Status made = Create(lease.resource_); !made.ok()) return made;
  return lease;
}

template <typename T>
absl::Status ResourcePool<T>::Fill() {
  while (size() < std::min(options_.min, max_)) {
    if (!places_.TryAcquire()) return absl::OkStatus();
    Lease lease(*this);
    if (absl::Status made = Create(lease.resource_); !made.ok()) return made;
  }
  return absl::OkStatus();
}

template <typename T>
void ResourcePool<T>::PutBack(std::optional<Resource>& resource) {
  if (resource.has_value() && size() <= max_) {
    resource->idle_since = Hub::Current()->now();
    idle_.push_back(std::move(*resource));
  }
  resource.reset();
  --lent_;
  places_.Release();
  Prune();
}

template <typename T>
void ResourcePool<T>::Prune() {
  std::erase_if(idle_, [this](const Resource& r) { return Expired(r.made_at, options_.age_max); });
  while (!idle_.empty() && size() > options_.min &&
         Expired(idle_.front().idle_since, options_.idle_max)) {
    idle_.pop_front();
  }
}

template <typename T>
void ResourcePool<T>::Resize(int64_t max) {
  const int64_t by = max - max_;
  max_ = max;
  places_.Adjust(by);
  while (!idle_.empty() && size() > max_) idle_.pop_front();
}

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_RESOURCE_POOL_H_

// TenantGate: which tenants there are at run time, and whether one may be served one request more.
//
// The seam between the middleware that finds out whose a request is and whoever keeps count over
// all workers. Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_TENANT_GATE_H_
#define GROVE_SERVER_HTTP_HANDLER_TENANT_GATE_H_

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/time/time.h"

namespace grove::http {

// Whether a request was let in; if so it counts until this is gone.
class TenantPass {
 public:
  // `count`: raised for it, and to be lowered again; null: it is not counted.
  static TenantPass Admitted(std::atomic<int32_t>* count = nullptr) { return TenantPass(count); }
  // `full`: of what there is no more, for the client: "200 requests under way".
  static TenantPass Refused(std::string_view full, absl::Duration retry_in) {
    TenantPass pass(nullptr);
    pass.full_ = full;
    pass.retry_in_ = retry_in;
    return pass;
  }

  TenantPass(TenantPass&& other) noexcept
      : count_(std::exchange(other.count_, nullptr)),
        full_(other.full_),
        retry_in_(other.retry_in_) {}
  TenantPass& operator=(TenantPass&&) = delete;
  ~TenantPass() {
    if (count_ != nullptr) count_->fetch_sub(1);
  }

  bool admitted() const { return full_.empty(); }
  std::string_view full() const { return full_; }
  absl::Duration retry_in() const { return retry_in_; }

 private:
  explicit TenantPass(std::atomic<int32_t>* count) : count_(count) {}

  std::atomic<int32_t>* count_;
  std::string_view full_;
  absl::Duration retry_in_;
};

class TenantGate {
 public:
  enum class Known : uint8_t {
    kYes,
    kNo,
    kNotTold,  // nobody has said yet which there are
  };

  virtual ~TenantGate() = default;
  // Whether there is a tenant of that name beside those of the config. **Parks** for a moment where
  // nobody has been told yet.
  virtual Known Knows(std::string_view tenant) = 0;
  // For one request more of a known tenant's.
  virtual TenantPass Enter(std::string_view tenant) = 0;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_TENANT_GATE_H_

// TenantLabels: the labels of fibers that run for a tenant, and how long they did.
//
// A handler that finds out by itself whose request it serves says so with a LabelScope:
//
//   const grove::LabelScope on_its_behalf(services.tenants.Of("acme"));
//
// From then on the request's run time counts for the tenant (`grovectl fairness`), and so do the
// tasks that it spawns. The `tenant` middleware does the same by itself. One set per worker; what
// has run is told to control every kUsagePeriod.
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_HANDLER_TENANT_LABELS_H_
#define GROVE_SERVER_HTTP_HANDLER_TENANT_LABELS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"

namespace grove::http {

inline constexpr absl::Duration kUsagePeriod = absl::Milliseconds(250);
// Of more tenants nothing is counted: their labels are good for everything else.
inline constexpr size_t kTenantLabelsMax = 100'000;

class TenantLabels {
 public:
  // `tenant`: short name. To be called with what the program knows of its tenants, not with what a
  // client wrote.
  std::shared_ptr<const FiberLabel> Of(std::string_view tenant);
  // What the fibers of each tenant have run since it was last taken, in microseconds; of those that
  // have run.
  void TakeRunTimes(absl::FunctionRef<void(const std::string& tenant, int64_t us)> each);

 private:
  struct Entry {
    std::shared_ptr<const FiberLabel> label;
    int64_t taken_us = 0;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

// One whose times nobody takes. For code that runs without a worker.
TenantLabels& NoTenantLabels();

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_TENANT_LABELS_H_

// The application that docs/testing_applications.md tests: it takes invoices over HTTP, charges
// them in tasks that ask a payment service, and looks at the exchange rate every minute.
#ifndef GROVE_SERVER_EXAMPLES_BILLING_H_
#define GROVE_SERVER_EXAMPLES_BILLING_H_

#include <cstdint>
#include <string>

#include "server/application.h"

namespace grove::examples {

class Billing {
 public:
  // Registers all that it has; must outlive the application's run.
  explicit Billing(grove::Application& application);

  Billing(const Billing&) = delete;
  Billing& operator=(const Billing&) = delete;

 private:
  absl::Status TakeInvoice(grove::WorkerServices& services, grove::http::Request& request,
                           grove::http::Response& response);
  absl::Status ShowRate(grove::http::Response& response) const;
  absl::StatusOr<grove::Output> Charge(grove::TaskContext& context);
  absl::StatusOr<grove::Output> Report();
  absl::Status RefreshRate(grove::WorkerServices& services);

  const grove::Setting<std::string> currency_;
  // Of this worker, whose fibers never run at the same time.
  std::string rate_;
  int64_t charged_ = 0;
};

}  // namespace grove::examples

#endif  // GROVE_SERVER_EXAMPLES_BILLING_H_

// AdminRouter: the pages of the admin port.
//
// /metrics, /livez, /readyz and an index; what they say comes from functions that the owner gives.
#ifndef GROVE_SERVER_ADMIN_PAGES_H_
#define GROVE_SERVER_ADMIN_PAGES_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/http/handler/router.h"

namespace grove::admin {

struct AdminSources {
  // The text, and its content type.
  std::function<std::string()> metrics;
  std::string metrics_content_type;
  // OK: 200 "ok". Else 503 with the message.
  std::function<absl::Status()> live;
  std::function<absl::Status()> ready;
};

http::Router AdminRouter(AdminSources sources);

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_PAGES_H_

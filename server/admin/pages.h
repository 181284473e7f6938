// AdminRouter: the pages of the admin port.
//
// /metrics, /livez, /readyz, those of /debug and an index; what they say comes from functions that
// the owner gives. Probes and /debug answer in text, and in JSON to who asks for it, by ?format=
// or Accept.
#ifndef GROVE_SERVER_ADMIN_PAGES_H_
#define GROVE_SERVER_ADMIN_PAGES_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/admin/health.h"
#include "server/admin/page_text.h"
#include "server/admin/query.h"
#include "server/http/handler/router.h"

namespace grove::admin {

struct DebugPage {
  std::string name;  // "fibers": /debug/fibers
  std::string what;  // a line for the index
  // That its query may have, beside `format`.
  std::vector<std::string> parameters;
  // kInvalidArgument: 400. May park.
  std::function<absl::StatusOr<Json>(const Query&)> make;
  // What of it is a tenant's own; empty: the page is the operators' alone.
  std::function<absl::StatusOr<Json>(const Query&, std::string_view tenant)> make_for = {};
};

struct AdminSources {
  // The text, and its content type.
  std::function<std::string()> metrics;
  // What of it is a tenant's own; empty: nothing.
  std::function<std::string(std::string_view tenant)> metrics_for = {};
  std::string metrics_content_type;
  // OK: 200 "ok". Else 503 with the message.
  std::function<Health()> live;
  std::function<Health()> ready;
  std::vector<DebugPage> debug;
};

// `gate` stands around /metrics and /debug, and puts whose the request is into its context; empty:
// anybody may see them.
http::Router AdminRouter(AdminSources sources, http::Middleware gate = {});

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_PAGES_H_

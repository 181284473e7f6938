#include "server/admin/pages.h"

#include <utility>

#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "server/version.h"

namespace grove::admin {
namespace {

constexpr char kPlain[] = "text/plain; charset=utf-8";

http::Handler Probe(std::function<absl::Status()> check) {
  return [check = std::move(check)](http::Request&, http::Response& response) {
    const absl::Status status = check();
    if (status.ok()) return response.Send(200, kPlain, "ok\n");
    return response.Send(503, kPlain, StrCat(status.message(), "\n"));
  };
}

std::string IndexPage() {
  return StrCat(
      "<!doctype html>\n<html lang=\"en\">\n<head><meta "
      "charset=\"utf-8\"><title>Grove</title><link rel=\"icon\" href=\"data:,\"></head>\n"
      "<body>\n<h1>Grove ",
      kVersion,
      "</h1>\n<ul>\n"
      "<li><a href=\"/metrics\">/metrics</a>: numbers for Prometheus</li>\n"
      "<li><a href=\"/livez\">/livez</a>: do the hubs turn?</li>\n"
      "<li><a href=\"/readyz\">/readyz</a>: may traffic come here?</li>\n"
      "</ul>\n</body>\n</html>\n");
}

}  // namespace

http::Router AdminRouter(AdminSources sources) {
  http::Router router;
  const auto add = [&router](std::string_view path, http::Handler handler) {
    const absl::Status added = router.Add("GET", path, std::move(handler));
    GROVE_CHECK(added.ok(), std::string(added.message()));
  };
  add("/", [](http::Request&, http::Response& response) {
    return response.Send(200, "text/html; charset=utf-8", IndexPage());
  });
  add("/livez", Probe(std::move(sources.live)));
  add("/readyz", Probe(std::move(sources.ready)));
  add("/metrics",
      [metrics = std::move(sources.metrics), type = std::move(sources.metrics_content_type)](
          http::Request&, http::Response& response) {
        return response.Send(200, type, metrics());
      });
  return router;
}

}  // namespace grove::admin

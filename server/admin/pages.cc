#include "server/admin/pages.h"

#include <optional>
#include <string_view>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "server/version.h"

namespace grove::admin {
namespace {

constexpr char kPlain[] = "text/plain; charset=utf-8";
constexpr char kJson[] = "application/json";
// Nothing on these pages is to be run, framed or guessed at.
constexpr char kPolicy[] =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

enum class PageFormat { kText, kJson };

// A client that takes JSON and no text by name wants JSON: browsers name text/html.
bool PrefersJson(std::string_view accept) {
  return accept.find("application/json") != accept.npos && accept.find("text/") == accept.npos;
}

absl::StatusOr<PageFormat> FormatOf(const http::Request& request, const Query& query) {
  const std::string_view asked = query.Text("format");
  if (asked == "json") return PageFormat::kJson;
  if (asked == "text") return PageFormat::kText;
  if (query.has("format")) return absl::InvalidArgumentError("format: want json or text");
  return PrefersJson(request.Get("accept").value_or("")) ? PageFormat::kJson : PageFormat::kText;
}

absl::Status SendJson(const Json& page, int status, http::Response& response) {
  // Names and lines may hold any byte.
  return response.Send(status, kJson,
                       page.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

absl::Status SendOperatorsOnly(http::Response& response) {
  return response.Send(403, kPlain, "the page is for the operators; the token is a tenant's\n");
}

absl::Status SendRefusal(const absl::Status& why, http::Response& response) {
  const bool theirs = absl::IsInvalidArgument(why) || absl::IsNotFound(why);
  return response.Send(theirs ? 400 : 503, kPlain, StrCat(why.message(), "\n"));
}

void AddFields(http::Response& response) {
  response.Add("Cache-Control", "no-store");
  response.Add("X-Content-Type-Options", "nosniff");
  response.Add("Content-Security-Policy", kPolicy);
}

// As Kubernetes' own: "[+]store ok", "[-]worker-1 stuck: …", and the outcome.
std::string VerboseText(std::string_view name, const Health& health) {
  std::string text;
  for (const HealthCheck& check : health.checks) {
    text += StrCat(check.good ? "[+]" : "[-]", check.name, " ", check.state, "\n");
  }
  return StrCat(text, name, " check ", health.status.ok() ? "passed" : "failed", "\n");
}

Json ProbeJson(const Health& health) {
  Json page = {{"status", health.status.ok() ? "ok" : "failing"}};
  if (!health.status.ok()) page["reason"] = std::string(health.status.message());
  page["checks"] = Json::array();
  for (const HealthCheck& check : health.checks) {
    page["checks"].push_back({{"name", check.name}, {"ok", check.good}, {"state", check.state}});
  }
  return page;
}

http::Handler Probe(std::string name, std::function<Health()> check) {
  return [name = std::move(name), check = std::move(check)](http::Request& request,
                                                            http::Response& response) {
    AddFields(response);
    const absl::StatusOr<Query> query = Query::Parse(request.query, {"verbose", "format"});
    if (!query.ok()) return SendRefusal(query.status(), response);
    const absl::StatusOr<PageFormat> format = FormatOf(request, *query);
    if (!format.ok()) return SendRefusal(format.status(), response);
    const Health health = check();
    const int status = health.status.ok() ? 200 : 503;
    if (*format == PageFormat::kJson) return SendJson(ProbeJson(health), status, response);
    if (query->has("verbose")) return response.Send(status, kPlain, VerboseText(name, health));
    return response.Send(status, kPlain,
                         health.status.ok() ? "ok\n" : StrCat(health.status.message(), "\n"));
  };
}

http::Handler Debug(DebugPage page) {
  std::vector<std::string> names = page.parameters;
  names.push_back("format");
  return
      [names = std::move(names), make = std::move(page.make), make_for = std::move(page.make_for)](
          http::Request& request, http::Response& response) -> absl::Status {
        AddFields(response);
        const std::string_view tenant = request.context.tenant;
        if (!tenant.empty() && !make_for) return SendOperatorsOnly(response);
        const absl::StatusOr<Query> query = Query::Parse(request.query, names);
        if (!query.ok()) return SendRefusal(query.status(), response);
        const absl::StatusOr<PageFormat> format = FormatOf(request, *query);
        if (!format.ok()) return SendRefusal(format.status(), response);
        const absl::StatusOr<Json> made = tenant.empty() ? make(*query) : make_for(*query, tenant);
        if (!made.ok()) return SendRefusal(made.status(), response);
        if (*format == PageFormat::kJson) return SendJson(*made, 200, response);
        return response.Send(200, kPlain, FormatPage(*made));
      };
}

http::Handler Metrics(AdminSources sources) {
  return [metrics = std::move(sources.metrics), metrics_for = std::move(sources.metrics_for),
          type = std::move(sources.metrics_content_type)](http::Request& request,
                                                          http::Response& response) {
    const std::string_view tenant = request.context.tenant;
    if (tenant.empty()) return response.Send(200, type, metrics());
    if (!metrics_for) return SendOperatorsOnly(response);
    return response.Send(200, type, metrics_for(tenant));
  };
}

std::string IndexLine(std::string_view path, std::string_view what) {
  return StrCat("<li><a href=\"", EscapeHtml(path), "\">", EscapeHtml(path),
                "</a>: ", EscapeHtml(what), "</li>\n");
}

std::string DebugLine(const DebugPage& page) {
  const std::string path = StrCat("/debug/", page.name);
  std::string what = page.what;
  for (size_t i = 0; i < page.parameters.size(); ++i) {
    what += StrCat(i == 0 ? "; ?" : " ", page.parameters[i], "=");
  }
  return StrCat("<li><a href=\"", EscapeHtml(path), "\">", EscapeHtml(path), "</a> (<a href=\"",
                EscapeHtml(path), "?format=json\">JSON</a>): ", EscapeHtml(what), "</li>\n");
}

std::string IndexPage(const std::vector<DebugPage>& debug, bool gated) {
  std::string page = StrCat(
      "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Grove</title>",
      "<link rel=\"icon\" href=\"data:,\">\n<style>body { font-family: sans-serif }</style></head>",
      "\n<body>\n<h1>Grove ", EscapeHtml(kVersion), "</h1>\n<ul>\n",
      IndexLine("/metrics", "numbers for Prometheus"), IndexLine("/livez", "do the hubs turn?"),
      IndexLine("/readyz", "may traffic come here?"),
      IndexLine("/readyz?verbose", "the same, and why"), "</ul>\n");
  if (!debug.empty()) page += "<h2>What it is doing</h2>\n<ul>\n";
  for (const DebugPage& each : debug) page += DebugLine(each);
  if (!debug.empty()) page += "</ul>\n";
  if (gated) {
    page +=
        "<p>/metrics and /debug need a token of <code>admin.tokens</code>: "
        "<code>curl -H \"Authorization: Bearer $TOKEN\"</code></p>\n";
  }
  return page + "</body>\n</html>\n";
}

}  // namespace

http::Router AdminRouter(AdminSources sources, http::Middleware gate) {
  http::Router router;
  const auto add = [&router](std::string_view path, http::Handler handler) {
    const absl::Status added = router.Add("GET", path, std::move(handler));
    GROVE_CHECK(added.ok(), std::string(added.message()));
  };
  const auto add_gated = [&](std::string_view path, http::Handler handler) {
    if (!gate) return add(path, std::move(handler));
    add(path, http::Compose(std::span(&gate, 1), std::move(handler)));
  };
  add("/",
      [page = IndexPage(sources.debug, gate != nullptr)](http::Request&, http::Response& response) {
        AddFields(response);
        return response.Send(200, "text/html; charset=utf-8", page);
      });
  add("/livez", Probe("livez", std::move(sources.live)));
  add("/readyz", Probe("readyz", std::move(sources.ready)));
  for (DebugPage& page : sources.debug) {
    const std::string path = StrCat("/debug/", page.name);
    add_gated(path, Debug(std::move(page)));
  }
  add_gated("/metrics", Metrics(std::move(sources)));
  return router;
}

}  // namespace grove::admin

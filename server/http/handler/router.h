// Router: which Handler answers a method on a host and path.
//
// Patterns are those of server/http/handler/route_pattern.h. The most specific one that has the
// method wins, in whatever order they were added: first by host (exact, the longest "*." suffix,
// none), then by path, segment for segment from the left: a literal before {name} before {rest...}.
// HEAD falls back to GET. A literal path costs one look-up. Filled before it serves.
#ifndef GROVE_SERVER_HTTP_HANDLER_ROUTER_H_
#define GROVE_SERVER_HTTP_HANDLER_ROUTER_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "server/http/handler/handler.h"
#include "server/http/handler/middleware.h"
#include "server/http/handler/route_pattern.h"

namespace grove::http {

class Router {
 public:
  struct Route {
    std::string_view method;  // empty: any but TRACE that has no route of its own
    std::string_view host;    // empty: any
    std::string_view path;
    Handler handler;
    // The handler also answers CORS preflights that ask for its method.
    bool answers_preflight = false;
  };

  // kInvalidArgument: no pattern, or a route added before matches exactly the same requests.
  absl::Status Add(Route route);
  absl::Status Add(std::string_view method, std::string_view path, Handler handler);

  // Puts `middleware` around the answers that the router gives itself: 400, 404, 405, OPTIONS.
  void Wrap(Middleware middleware) { wrap_ = std::move(middleware); }

  // Sets request.context.route, .route_path and .params, and runs the handler. Without one it
  // answers 404, or 405 with Allow if the path has other methods, or OPTIONS with Allow; `OPTIONS
  // *` with the methods of all routes; 400 for a path that CanonicalPath refuses. **Parks** if the
  // handler does.
  absl::Status RouteRequest(Request& request, Response& response) const;

  size_t routes() const { return routes_; }

 private:
  struct Target {
    std::string method;
    Handler handler;
    std::vector<std::string> names;  // of the path's parameters
    bool rest;                       // the last of them is a {name...}
    bool answers_preflight;
    std::string text;     // for errors
    std::string pattern;  // host and path as they were added
  };
  // Where a path ends.
  struct Endpoint {
    const Target* Find(std::string_view method) const;
    std::vector<Target> targets;
  };
  // Who chooses the paths that are looked up can't choose those that are stored: a cheap hash does.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const;
  };
  template <typename T>
  using Table = absl::flat_hash_map<std::string, T, Hash, std::equal_to<>>;
  // Patterns that share their first segments.
  struct Node {
    Table<std::unique_ptr<Node>> literals;
    std::unique_ptr<Node> name;
    std::unique_ptr<Endpoint> rest;
    std::unique_ptr<Endpoint> end;
  };
  // The paths of one host pattern.
  struct Site {
    Table<Endpoint> literals;
    Node patterns;
  };
  class Search;

  Site& SiteOf(const std::string& host);
  static Endpoint* EndpointOf(const RoutePattern& pattern, Site& site);
  // What `host` matches, most specific first.
  std::vector<const Site*> SitesOf(std::string_view host) const;
  absl::Status Run(const Target& target, const Search& search, Request& request,
                   Response& response) const;
  // For what no literal of any host answers.
  absl::Status RouteByPattern(Request& request, Response& response) const;
  absl::Status AnswerUnmatched(const Search& search, Request& request, Response& response) const;
  absl::Status Answer(int status, const std::set<std::string>& allow, Request& request,
                      Response& response) const;

  Site anywhere_;
  Table<std::unique_ptr<Site>> hosts_;
  // By suffix (".example.org"), longest first.
  std::vector<std::pair<std::string, std::unique_ptr<Site>>> suffixes_;
  Middleware wrap_;
  std::set<std::string> methods_;  // of all routes
  size_t routes_ = 0;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_ROUTER_H_

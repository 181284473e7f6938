// Router: which Handler answers a method on a path.
//
// Paths are compared exactly, as sent. HEAD falls back to GET. Filled before it serves.
#ifndef GROVE_SERVER_HTTP_ROUTER_H_
#define GROVE_SERVER_HTTP_ROUTER_H_

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/http/handler.h"

namespace grove::http {

class Router {
 public:
  // An empty `method` stands for any that has no handler of its own. Replaces an earlier one.
  void Add(std::string_view method, std::string_view path, Handler handler);

  // Runs the handler; without one, answers 404, or 405 with Allow if the path has other methods.
  // `OPTIONS *` is answered with the methods of all paths. **Parks** if the handler does.
  absl::Status Dispatch(Request& request, Response& response) const;

  size_t paths() const { return paths_.size(); }

 private:
  struct Path {
    std::vector<std::pair<std::string, Handler>> handlers;
    Handler any;
    std::string allow;
  };
  struct PathHash {
    using is_transparent = void;
    size_t operator()(std::string_view path) const { return std::hash<std::string_view>()(path); }
  };
  static const Handler* Find(const Path& path, std::string_view method);

  std::unordered_map<std::string, Path, PathHash, std::equal_to<>> paths_;
  std::string allow_;  // of all paths
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_ROUTER_H_

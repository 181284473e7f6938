#include "server/http/router.h"

#include <set>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace grove::http {
namespace {

// Adds `method`, and HEAD with GET, to the list of an Allow field.
std::string Allow(const std::string& listed, std::string_view method) {
  std::set<std::string> methods = absl::StrSplit(listed, ", ", absl::SkipEmpty());
  if (!method.empty()) methods.emplace(method);
  if (method == "GET") methods.emplace("HEAD");
  return absl::StrJoin(methods, ", ");
}

}  // namespace

void Router::Add(std::string_view method, std::string_view path, Handler handler) {
  Path& entry = paths_[std::string(path)];
  allow_ = Allow(allow_, method);
  entry.allow = Allow(entry.allow, method);
  if (method.empty()) {
    entry.any = std::move(handler);
    return;
  }
  for (auto& [known, existing] : entry.handlers) {
    if (known != method) continue;
    existing = std::move(handler);
    return;
  }
  entry.handlers.emplace_back(method, std::move(handler));
}

const Handler* Router::Find(const Path& path, std::string_view method) {
  const Handler* get = nullptr;
  for (const auto& [known, handler] : path.handlers) {
    if (known == method) return &handler;
    if (known == "GET") get = &handler;
  }
  if (method == "HEAD" && get != nullptr) return get;
  return path.any ? &path.any : nullptr;
}

absl::Status Router::Dispatch(Request& request, Response& response) const {
  const auto path = paths_.find(request.path);
  if (path == paths_.end()) {
    if (request.path != "*") return response.Send(404, "text/plain", "Not Found\r\n");
    response.Add("Allow", allow_);
    return response.Send(204, "", "");
  }
  if (const Handler* handler = Find(path->second, request.method); handler != nullptr) {
    return (*handler)(request, response);
  }
  response.Add("Allow", path->second.allow);
  return response.Send(405, "text/plain", "Method Not Allowed\r\n");
}

}  // namespace grove::http

// RequestIdScope: the id of the request that the running fiber works for, until the end of a scope.
//
// Fibers that are spawned meanwhile inherit it: for the log (server/logger.h). Lives on the stack
// of the fiber, which alone may make it.
#ifndef GROVE_SERVER_HTTP_HANDLER_REQUEST_ID_SCOPE_H_
#define GROVE_SERVER_HTTP_HANDLER_REQUEST_ID_SCOPE_H_

#include <string>
#include <string_view>

namespace grove::http {

class RequestIdScope {
 public:
  explicit RequestIdScope(std::string_view id);
  ~RequestIdScope();
  RequestIdScope(const RequestIdScope&) = delete;
  RequestIdScope& operator=(const RequestIdScope&) = delete;

  // Of the running fiber; empty: it works for no request that has one. Outside of fibers: empty.
  static std::string_view Current();

 private:
  std::string before_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_REQUEST_ID_SCOPE_H_

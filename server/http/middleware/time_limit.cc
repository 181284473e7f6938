#include "server/http/middleware/time_limit.h"

#include <string>

#include "runtime/hub/timeout.h"
#include "server/http/handler/status.h"

namespace grove::http {

Middleware TimeLimit(absl::Duration limit, int status) {
  return [limit, status](Request& request, Response& response, const Handler& next) {
    absl::Status result;
    bool fired = false;
    {
      Timeout timeout(limit);
      result = next(request, response);
      fired = timeout.fired();
    }
    // Outside the scope, in which nothing more could be sent.
    if (!fired || result.ok() || response.begun()) return result;
    return response.Send(status, "text/plain", std::string(ReasonPhrase(status)).append("\r\n"));
  };
}

}  // namespace grove::http

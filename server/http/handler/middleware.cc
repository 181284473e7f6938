#include "server/http/handler/middleware.h"

#include <utility>

namespace grove::http {

Handler Compose(std::span<const Middleware> chain, Handler handler) {
  for (size_t i = chain.size(); i-- > 0;) {
    handler = [middleware = chain[i], next = std::move(handler)](Request& request,
                                                                 Response& response) {
      return middleware(request, response, next);
    };
  }
  return handler;
}

}  // namespace grove::http

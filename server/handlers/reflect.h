// Reflect: a handler that answers with what the server made of the request, as JSON.
#ifndef GROVE_SERVER_HANDLERS_REFLECT_H_
#define GROVE_SERVER_HANDLERS_REFLECT_H_

#include <cstddef>

#include "absl/status/status.h"
#include "server/http/handler/handler.h"

namespace grove::handlers {

// A longer body is answered with 413: it must be held, and grows by half in the answer.
inline constexpr size_t kReflectBodyBytesMax = 8 << 20;

// {"method","target","path","query","version":"1.1","headers":[[name,value],…],"trailers":[…],
//  "body":base64,"peer","tenant"}; bytes that are no UTF-8 come as U+FFFD. **Parks.**
absl::Status Reflect(http::Request& request, http::Response& response);

}  // namespace grove::handlers

#endif  // GROVE_SERVER_HANDLERS_REFLECT_H_

// RequestId: names every request: request.context.id, and X-Request-Id of the response.
//
// The id of a trusted peer (a proxy in front) is taken over if it is sane, so that one name goes
// through all logs; else 128 random bits in hexadecimal.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_REQUEST_ID_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_REQUEST_ID_H_

#include <string_view>

#include "server/http/handler/middleware.h"
#include "server/http/middleware/trusted_addresses.h"

namespace grove::http {

inline constexpr size_t kRequestIdBytesMax = 128;

// Whether an id can go into logs and fields as it is: 1 to 128 letters, digits and "-._~+/=:@".
bool IsSaneRequestId(std::string_view id);

// Whom it trusts stands right behind the connection: put it before RealClient.
Middleware RequestId(TrustedAddresses trusted);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_REQUEST_ID_H_

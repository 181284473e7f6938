// AcceptsGzip, IsCompressible: whether a response may be, and is worth being, compressed. Pure.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_ACCEPT_ENCODING_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_ACCEPT_ENCODING_H_

#include <span>
#include <string>
#include <string_view>

namespace grove::http {

// Whether `accept`, an Accept-Encoding (RFC 9110, 12.5.3), takes gzip, and likes it no less than
// the plain form. No for an empty one.
bool AcceptsGzip(std::string_view accept);

// Whether a Content-Type, parameters and case aside, is one of `types`: "text/html" or "text/*".
bool IsCompressible(std::string_view content_type, std::span<const std::string> types);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_ACCEPT_ENCODING_H_

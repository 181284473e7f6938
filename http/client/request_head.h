// RequestHead's text: checks what a caller asks for, and writes it as HTTP/1.1 (RFC 9112) or as
// the fields of HTTP/2 (RFC 9113).
//
// Nothing that a caller gives can end a line or frame the request anew. Pure.
#ifndef GROVE_HTTP_CLIENT_REQUEST_HEAD_H_
#define GROVE_HTTP_CLIENT_REQUEST_HEAD_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "http/client/http_request.h"
#include "http/client/url.h"

namespace grove::http {

// kInvalidArgument: the method, a field, or a body that does not go with the method.
absl::Status CheckRequest(const HttpRequest& request);

// What of a head is not the request's own.
struct HeadExtras {
  // Empty: none.
  std::string_view user_agent;
  std::string_view accept_encoding;
  // In absolute form, for a proxy.
  bool absolute_target = false;
  // Value of Cookie; empty: none.
  std::string_view cookies;
  // Value of Proxy-Authorization; empty: none.
  std::string_view proxy_authorization;
  // Values of traceparent and tracestate; empty: none.
  std::string_view traceparent = {};
  std::string_view tracestate = {};
  // Credentials do not go along to another origin than the first one.
  bool without_credentials = false;
};

// Up to the empty line, with it. Requires: CheckRequest() is OK.
std::string WriteHead(const HttpRequest& request, const Url& url, const HeadExtras& extras);
// The same for HTTP/2 (RFC 9113, 8.2 and 8.3): pseudo fields first, names in lower case, a cookie a
// field. Requires: as above, and no absolute_target.
HttpFields WriteFields(const HttpRequest& request, const Url& url, const HeadExtras& extras);

// "Basic …" of a URL's "user:password", percent-decoded; empty if that is empty.
std::string BasicCredentials(std::string_view userinfo);

bool HasBody(const HttpRequest& request);
// Whether the method says that doing it twice is doing it once (RFC 9110, 9.2.2).
bool IsIdempotent(std::string_view method);

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_REQUEST_HEAD_H_

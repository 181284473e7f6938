// Builtins: the functions, handlers and routes that groved serves without further code.
//
// Functions echo, sleep, http.fetch, http.request, feed.titles, fail; handlers hello and titles,
// routed to GET / and POST /titles; and for the config's routes the handlers reflect, echo, ignore,
// stream, status, sleep, fail (try_out.h, reflect.h), file (file.h) and websocket.echo.
#ifndef GROVE_SERVER_BUILTINS_H_
#define GROVE_SERVER_BUILTINS_H_

#include "absl/status/statusor.h"
#include "server/function.h"
#include "server/http/handler/handler.h"

namespace grove {

class Application;

void RegisterBuiltins(Application& application);

// The output is the input, with its content type.
absl::StatusOr<Output> Echo(TaskContext& context);
// SHA-256 and size of the input, as JSON.
absl::StatusOr<Output> Checksum(TaskContext& context);
// {"seconds":…}, 0 to 86,400 -> {"slept":…}.
absl::StatusOr<Output> SleepFor(TaskContext& context);
// {"url":…,"method":…,"headers":{…},"body":…} -> {"status","url","headers":[[n,v],…],"body"}, or
// "body_base64" where the body is not UTF-8. "headers" may be an object or a list of pairs.
absl::StatusOr<Output> HttpFetch(TaskContext& context);
// {"urls":[…]} -> {"titles":[{"url","title"}|{"url","error"},…]} in order.
absl::StatusOr<Output> FeedTitles(TaskContext& context);
// {"code":"INTERNAL","message":…,"exception":true,"after_seconds":…}: fails as it is told.
absl::StatusOr<Output> Fail(TaskContext& context);

absl::Status Hello(http::Request& request, http::Response& response);
// One feed URL a line in, one title a line out, in order, as they become known; blank lines are
// left out. A failed one has "error: …" on its line. 413 beyond 1,000 URLs.
absl::Status Titles(functions::FetchClient& client, http::Request& request,
                    http::Response& response);

}  // namespace grove

#endif  // GROVE_SERVER_BUILTINS_H_

// RequestTrace: the span of a request that is answered, within the trace that its client names.
//
// The handler's fiber works for it till it ends. Without a tracer what the client names is passed
// on, and nothing is told. Lives on the stack of the connection's fiber. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_REQUEST_TRACE_H_
#define GROVE_SERVER_HTTP_SERVING_REQUEST_TRACE_H_

#include <string>

#include "runtime/trace/span.h"
#include "server/http/handler/request.h"

namespace grove::http {

class RequestTrace {
 public:
  // Whether the request names a trace, well or not.
  static bool IsNamed(const Request& request);

  // Begins, and fills request.context.trace_id. Must outlive the request's last use.
  RequestTrace(Tracer* tracer, Request& request);
  // What became of the request. `status`: 0 where nothing was answered; `whole`: the answer was.
  void NoteEnd(const Request& request, int status, bool whole);

 private:
  Span span_;
  TraceScope scope_;
  std::string id_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_REQUEST_TRACE_H_

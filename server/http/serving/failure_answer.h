// FailureAnswer: what a client is told of a handler that failed before it began to answer.
//
// A pure decision. What failed inside is for the log; what the client did wrong, for the client.
#ifndef GROVE_SERVER_HTTP_SERVING_FAILURE_ANSWER_H_
#define GROVE_SERVER_HTTP_SERVING_FAILURE_ANSWER_H_

#include <string>

#include "absl/status/status.h"

namespace grove::http {

struct FailureAnswer {
  int status = 500;
  std::string text;
  // The value of Retry-After; empty: no such field.
  std::string retry_after;
};

// `body_status`: what the client did wrong with the request's body, as an HTTP status, which then
// is the answer's; 0 if nothing. `failure` OK: the handler forgot to finish.
FailureAnswer AnswerOf(const absl::Status& failure, int body_status);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_FAILURE_ANSWER_H_

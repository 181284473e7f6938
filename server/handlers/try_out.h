// Handlers to try clients, proxies and the server itself out with.
//
// Their parameters stand in the query; a wrong one is answered with 400, and every one is bounded.
// None of them keeps anything. Hub thread only.
#ifndef GROVE_SERVER_HANDLERS_TRY_OUT_H_
#define GROVE_SERVER_HANDLERS_TRY_OUT_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "server/http/handler/handler.h"

namespace grove::handlers {

inline constexpr int64_t kStreamChunksMax = 1'000'000;
inline constexpr int64_t kStreamChunkBytesMax = 1 << 20;
inline constexpr int64_t kStreamDelayMsMax = 60'000;
inline constexpr double kTrySleepSecondsMax = 3'600;
inline constexpr int64_t kFailAfterBytesMax = int64_t{1} << 30;

// The body back as it streams in, with its Content-Type, its Content-Length if it has one, and its
// trailers.
absl::Status EchoBody(http::Request& request, http::Response& response);
// Answers at once; the body is never read.
absl::Status IgnoreBody(http::Request& request, http::Response& response);
// ?chunks= (10) pieces of ?bytes= (1,024), each sent on its own, ?delay_ms= (0) apart.
absl::Status StreamChunks(http::Request& request, http::Response& response);
// Answers with ?code= (200), 200 to 599.
absl::Status AnswerStatus(http::Request& request, http::Response& response);
// Answers after ?seconds= (1). With ?cancel_on_disconnect=1 not beyond the client's leaving.
absl::Status SleepThenAnswer(http::Request& request, http::Response& response);
// Fails: before the first byte, or after ?after_bytes= of a body.
absl::Status FailToAnswer(http::Request& request, http::Response& response);

}  // namespace grove::handlers

#endif  // GROVE_SERVER_HANDLERS_TRY_OUT_H_

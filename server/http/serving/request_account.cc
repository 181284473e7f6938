#include "server/http/serving/request_account.h"

#include <algorithm>

#include "runtime/hub/hub.h"

namespace grove::http {

void RequestAccount::NoteFailure(const Request& request, const absl::Status& failure) {
  ++stats_.handler_failures;
  if (options_.on_failure) options_.on_failure(request, failure);
}

void RequestAccount::NoteClientFailure(const Request& request, const absl::Status& failure) {
  if (options_.on_client_failure) options_.on_client_failure(request, failure);
}

void RequestAccount::NoteHookFailure(const Request& request, const absl::Status& failure) {
  if (options_.on_failure) options_.on_failure(request, failure);
}

// An answer that is not whole has either a client that left, or a handler that failed.
bool RequestAccount::IsClientsDoing(const Request& request, End end) const {
  return end == End::kLeft || request.body == nullptr || !wire_.output().failure().ok() ||
         (body_.failed() && body_.failure_status() == 0);
}

void RequestAccount::Close(const Request& request, std::string_view refused_line, End end) {
  const int64_t wall = Hub::Current()->ReadClock() - began_;
  // How long a WebSocket was open says nothing of the server.
  stats_.CountEnd(request.context.route, request.method, writer_.status(),
                  protocol_ == Protocol::kHttp ? wall : -1);
  if (end != End::kWhole && IsClientsDoing(request, end)) ++stats_.clients_gone;
  if (body_.failure_status() == 408 && request.body != nullptr)
    stats_.CountTimeout(TimedOut::kBody);
  if (options_.access_log != nullptr) Log(request, refused_line, end, wall);
}

void RequestAccount::Log(const Request& request, std::string_view refused_line, End end,
                         int64_t wall) const {
  // What a refused request had sent was never used.
  const uint64_t read = refused_line.empty() ? wire_.used_bytes() : wire_.read_bytes();
  // (What was sent is less than what was to be, once sending has failed.)
  const uint64_t sent = wire_.output().position();
  options_.access_log->Note({.request = request,
                             .refused_line = refused_line,
                             .status = writer_.status(),
                             .complete = end == End::kWhole && wire_.output().failure().ok(),
                             .body_bytes = writer_.body_bytes(),
                             .request_bytes = read - read_before_,
                             .response_bytes = sent - std::min(sent, sent_before_),
                             .wall = absl::Nanoseconds(wall)});
}

}  // namespace grove::http

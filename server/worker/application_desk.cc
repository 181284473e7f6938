#include "server/worker/application_desk.h"

#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"
#include "server/worker/injection.h"
#include "server/worker/inspections.h"
#include "server/worker/program.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

constexpr size_t kMessageBytesMax = 1024;

absl::StatusOr<v1::InjectHttpRequestResponse> TryToInject(
    std::optional<http::Server>& http, int under_way, const v1::InjectHttpRequestRequest& request) {
  if (!http.has_value()) {
    return Refusal(absl::StatusCode::kUnavailable, "WORKER_UNREACHABLE",
                   "the worker does not serve yet");
  }
  if (under_way > kInjectedMax) {
    return Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_INJECTED",
                   StrCat("the worker has ", kInjectedMax, " such requests under way, the most"));
  }
  return InjectHttpRequest(*http, request);
}

}  // namespace

internal::v1::Program ApplicationDesk::Program() const {
  return ProgramOf(application_);
}

internal::v1::ReadValuesReply ApplicationDesk::ReadValues(const internal::v1::ReadValues& request) {
  return worker::ReadValues(application_, services_, request);
}

internal::v1::InjectReply ApplicationDesk::Inject(const internal::v1::Inject& inject) {
  internal::v1::InjectReply reply;
  reply.set_request(inject.request());
  ++injected_;
  const absl::Cleanup ended = [this] { --injected_; };
  auto answer = TryToInject(http_, injected_, inject.http());
  if (answer.ok()) {
    *reply.mutable_answer() = *std::move(answer);
    return reply;
  }
  internal::v1::InsideRefusal& refusal = *reply.mutable_refusal();
  refusal.set_code(static_cast<int>(answer.status().code()));
  refusal.set_reason(RefusalReason(answer.status()));
  refusal.set_message(Utf8Text(Std(answer.status().message()), kMessageBytesMax));
  return reply;
}

}  // namespace grove::worker

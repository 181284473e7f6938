#include "server/functions/send_request.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "http/message/utf8.h"
#include "runtime/offload/offload.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"
#include "server/functions/fetch.h"
#include "server/functions/gated_fetch.h"
#include "server/functions/json_input.h"
#include "server/functions/one_line.h"
#include "server/functions/outgoing_request.h"
#include "server/functions/retry_after.h"
#include "server/functions/webhook_signature.h"

namespace grove::functions {
namespace {

using nlohmann::json;

// Of an answer that was not expected, in the error.
constexpr size_t kShownBytesMax = 200;
constexpr absl::Duration kRetryAfterMax = absl::Hours(24);

absl::Status Sign(const RequestSigning& signing, TaskContext& context, FetchRequest& fetch) {
  const auto& secrets = context.services().fetch.policy().secrets;
  const auto found = secrets.find({std::string(context.tenant()), signing.secret});
  if (found == secrets.end()) {
    return BadInput("sign", StrCat("this tenant has no secret ", JsonText(signing.secret),
                                   "; fetch.secrets of the config names them"));
  }
  absl::StatusOr<std::string> secret;
  absl::Status ran =
      context.services().offload.Run([&] { secret = config::ReadSecretFile(found->second); });
  if (!ran.ok()) return ran;
  // Its file may be in the making.
  if (!secret.ok()) {
    return absl::UnavailableError(
        StrCat("the secret ", signing.secret, ": ", Std(secret.status().message())));
  }
  const absl::StatusOr<std::string> key = WebhookKey(*secret);
  if (!key.ok()) return key.status();
  if (signing.scheme == RequestSigning::Scheme::kBodySha256) {
    fetch.headers.emplace_back(signing.header, BodySignature(*key, fetch.body));
    return absl::OkStatus();
  }
  // The same for each attempt: who has seen it has seen it.
  const std::string_view task = context.task();
  const std::string id(task.substr(task.rfind('/') + 1));
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  fetch.headers.emplace_back("webhook-id", id);
  fetch.headers.emplace_back("webhook-timestamp", StrCat(now));
  fetch.headers.emplace_back("webhook-signature", WebhookSignature(*key, id, now, fetch.body));
  return absl::OkStatus();
}

// An answer that was not expected.
absl::Status Judge(const OutgoingRequest& request, const FetchResult& answer) {
  if (request.expected.Has(answer.status)) return absl::OkStatus();
  std::string why = StrCat("the server answered ", answer.status);
  if (!answer.body.empty() && http::IsUtf8(answer.body)) {
    why += StrCat(": ", OneLine(std::string_view(answer.body).substr(0, kShownBytesMax)));
  }
  if (!request.retried.Has(answer.status)) return NeverAgain(why);
  const absl::Duration wait = std::min(RetryAfterIn(answer, absl::Now()), kRetryAfterMax);
  return wait > absl::ZeroDuration() ? RetryAfter(wait, why) : absl::UnavailableError(why);
}

Output OutputOf(const FetchResult& answer, const std::vector<std::string>& redirects,
                absl::Duration time) {
  json output = {{"status", answer.status},
                 {"url", answer.effective_url},
                 {"redirects", redirects},
                 {"time_ms", absl::ToInt64Milliseconds(time)}};
  output["headers"] = json::array();
  for (const auto& [name, value] : answer.headers) {
    output["headers"].push_back(json::array({name, value}));
  }
  return Output{JsonTextWithBody(answer.body, output)};
}

}  // namespace

absl::StatusOr<Output> SendRequest(TaskContext& context) {
  absl::StatusOr<OutgoingRequest> request = ParseOutgoingRequest(context.input());
  if (!request.ok()) return request.status();
  if (request->signing.has_value()) {
    absl::Status is_signed = Sign(*request->signing, context, request->fetch);
    if (!is_signed.ok()) return is_signed;
  }
  const GatedAnswer gated = FetchAtGate(context, std::move(request->fetch));
  const absl::StatusOr<FetchResult>& answer = gated.result;
  if (!answer.ok()) return answer.status();
  if (absl::Status judged = Judge(*request, *answer); !judged.ok()) return judged;
  return OutputOf(*answer, gated.redirects, gated.time);
}

}  // namespace grove::functions

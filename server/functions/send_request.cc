#include "server/functions/send_request.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"
#include "server/functions/fetch.h"
#include "server/functions/json_input.h"
#include "server/functions/one_line.h"
#include "server/functions/origin_gate.h"
#include "server/functions/outgoing_request.h"
#include "server/functions/retry_after.h"
#include "server/functions/webhook_signature.h"

namespace grove::functions {
namespace {

using nlohmann::json;

// Of an answer that was not expected, in the error.
constexpr size_t kShownBytesMax = 200;
constexpr absl::Duration kRetryAfterMax = absl::Hours(24);
constexpr int kTooManyRequests = 429;
constexpr int kServerErrors = 500;

// The passes of one request: of the origin that it goes to, then of the one where a redirect leads.
class OriginPasses {
 public:
  OriginPasses(OriginGate* gate, std::string_view tenant) : gate_(gate), tenant_(tenant) {}
  ~OriginPasses() { Leave({}); }
  OriginPasses(const OriginPasses&) = delete;
  OriginPasses& operator=(const OriginPasses&) = delete;

  // False: put off; see wait().
  bool Enter(const http::Url& url) {
    if (gate_ == nullptr) return true;
    if (pass_.has_value() && url.SameOrigin(at_)) return true;
    // It has answered, with a redirect.
    Leave({.kind = OriginAnswer::Kind::kAnswered});
    const OriginGate::Entry entry = gate_->Enter(tenant_, url);
    pass_ = entry.pass;
    at_ = url;
    if (!pass_.has_value()) wait_ = entry.wait;
    return pass_.has_value();
  }
  // It goes out only now.
  void Begin(MonotonicNanos now) {
    if (pass_.has_value()) pass_->began_ns = now;
  }
  void Leave(const OriginAnswer& answer) {
    if (pass_.has_value()) gate_->Leave(*std::exchange(pass_, std::nullopt), answer);
  }
  // Of the entry that was refused.
  std::optional<absl::Duration> wait() const { return wait_; }

 private:
  OriginGate* const gate_;
  const std::string_view tenant_;
  http::Url at_;
  std::optional<OriginGate::Pass> pass_;
  std::optional<absl::Duration> wait_;
};

OriginAnswer::Kind KindOf(const absl::Status& failure) {
  switch (failure.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnauthenticated:
      return OriginAnswer::Kind::kFailed;
    case absl::StatusCode::kResourceExhausted:
      return OriginAnswer::Kind::kAnswered;
    default:
      return OriginAnswer::Kind::kNothing;
  }
}

OriginAnswer AnswerOf(const absl::StatusOr<FetchResult>& result) {
  if (!result.ok()) return {.kind = KindOf(result.status())};
  const bool is_busy = result->status == kTooManyRequests;
  OriginAnswer answer = {.kind = OriginAnswer::Kind::kAnswered};
  if (is_busy || result->status >= kServerErrors) {
    answer.retry_after = RetryAfterIn(*result, absl::Now());
    const bool says_when = is_busy && answer.retry_after > absl::ZeroDuration();
    if (!says_when) answer.kind = OriginAnswer::Kind::kFailed;
  }
  return answer;
}

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
  if (!answer.body.empty() && IsUtf8(answer.body)) {
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
  if (IsUtf8(answer.body)) {
    output["body"] = answer.body;
  } else {
    output["body_base64"] = absl::Base64Escape(answer.body);
  }
  return Output{JsonText(output)};
}

}  // namespace

absl::StatusOr<Output> SendRequest(TaskContext& context) {
  absl::StatusOr<OutgoingRequest> request = ParseOutgoingRequest(context.input());
  if (!request.ok()) return request.status();
  FetchClient& client = context.services().fetch;
  if (request->signing.has_value()) {
    absl::Status is_signed = Sign(*request->signing, context, request->fetch);
    if (!is_signed.ok()) return is_signed;
  }
  OriginPasses passes(client.origins(), context.tenant());
  if (!passes.Enter(*http::Url::Parse(request->fetch.url))) return SuspendFor(*passes.wait());
  std::vector<std::string> redirects;
  request->fetch.on_redirect = [&](const http::Url& next) {
    redirects.push_back(next.ToString());
    return passes.Enter(next) ? absl::OkStatus() : absl::UnavailableError("its origin is busy");
  };
  std::optional<MonotonicNanos> began;
  request->fetch.on_begin = [&] {
    began = Hub::Current()->ReadClock();
    passes.Begin(*began);
  };
  const absl::StatusOr<FetchResult> answer = client.Fetch(request->fetch);
  if (passes.wait().has_value()) return SuspendFor(*passes.wait());
  // One that had no turn here says nothing of its origin.
  passes.Leave(began.has_value() ? AnswerOf(answer) : OriginAnswer{});
  if (!answer.ok()) return answer.status();
  if (absl::Status judged = Judge(*request, *answer); !judged.ok()) return judged;
  return OutputOf(*answer, redirects, absl::Nanoseconds(Hub::Current()->ReadClock() - *began));
}

}  // namespace grove::functions

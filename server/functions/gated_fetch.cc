#include "server/functions/gated_fetch.h"

#include <optional>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "runtime/hub/hub.h"
#include "server/functions/origin_gate.h"
#include "server/functions/retry_after.h"

namespace grove::functions {
namespace {

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

}  // namespace

GatedAnswer FetchAtGate(TaskContext& context, FetchRequest request) {
  FetchClient& client = context.services().fetch;
  OriginPasses passes(client.origins(), context.tenant());
  GatedAnswer answer;
  // What is no URL is refused by the client.
  if (const auto url = http::Url::Parse(request.url); url.ok() && !passes.Enter(*url)) {
    answer.result = SuspendFor(*passes.wait());
    return answer;
  }
  request.on_redirect = [&](const http::Url& next) {
    answer.redirects.push_back(next.ToString());
    return passes.Enter(next) ? absl::OkStatus() : absl::UnavailableError("its origin is busy");
  };
  std::optional<MonotonicNanos> began;
  request.on_begin = [&] {
    began = Hub::Current()->ReadClock();
    passes.Begin(*began);
  };
  answer.result = client.Fetch(request);
  if (passes.wait().has_value()) {
    answer.result = SuspendFor(*passes.wait());
    return answer;
  }
  // One that had no turn here says nothing of its origin.
  passes.Leave(began.has_value() ? AnswerOf(answer.result) : OriginAnswer{});
  if (began.has_value()) answer.time = absl::Nanoseconds(Hub::Current()->ReadClock() - *began);
  return answer;
}

}  // namespace grove::functions

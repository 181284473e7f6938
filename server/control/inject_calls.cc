#include "server/control/inject_calls.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "proto/well_known_times.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/fiber_reading.h"
#include "server/control/worker_calls.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using tasks::Refusal;

constexpr size_t kMethodBytesMax = 32;

absl::Status Invalid(std::string_view field, std::string_view problem) {
  return tasks::BadField(field, "INJECTED_REQUEST_INVALID", problem);
}

// RFC 9110, 5.6.2.
constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != kMarks.npos;
  });
}

// RFC 9110, 5.5: what cannot end the line, and does not begin or end with a blank.
bool IsFieldValue(std::string_view value) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!value.empty() && (is_blank(value.front()) || is_blank(value.back()))) return false;
  return std::all_of(value.begin(), value.end(), [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return is_blank(c) || (byte > ' ' && byte != 0x7f);
  });
}

bool IsTarget(std::string_view target) {
  if (target == "*") return true;
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte > ' ' && byte < 0x7f && c != '#';
         });
}

absl::Status CheckHeader(const v1::HttpField& header) {
  const auto is = [&](const char* name) { return absl::EqualsIgnoreCase(header.name(), name); };
  if (!IsToken(header.name())) {
    return Invalid("headers",
                   StrCat("have the name '", tasks::Cut(header.name()), "', which no header has"));
  }
  if (is("upgrade") || is("http2-settings") || is("sec-websocket-key")) {
    return Invalid("headers", StrCat("ask for an upgrade (", header.name(),
                                     "): only a connection of its own can go on as a WebSocket"));
  }
  if (is("content-length") || is("transfer-encoding") || is("connection")) {
    return Invalid("headers", StrCat("have ", header.name(), ", which follows from the body"));
  }
  if (IsFieldValue(header.value())) return absl::OkStatus();
  return Invalid("headers", StrCat("have a value of ", header.name(),
                                   " with control characters, or blanks at its ends"));
}

absl::Status CheckBounds(const v1::InjectHttpRequestRequest& request) {
  if (request.body().size() > kInjectedBodyMax) {
    return Invalid("body", StrCat("is ", request.body().size(), " bytes; at most ",
                                  kInjectedBodyMax, " are allowed"));
  }
  if (request.body_bytes_max() < 0 || request.body_bytes_max() > kInjectedAnswerMax) {
    return Invalid("body_bytes_max",
                   StrCat("is ", request.body_bytes_max(), ", must be 0 to ", kInjectedAnswerMax));
  }
  if (!request.has_timeout()) return absl::OkStatus();
  const google::protobuf::Duration& timeout = request.timeout();
  const bool fits = timeout.nanos() >= 0 && timeout.nanos() < 1'000'000'000 &&
                    timeout.seconds() >= 0 && timeout.seconds() <= 86400;
  const int64_t us = fits ? proto::ToMicros(timeout) : 0;
  if (us > 0 && us <= absl::ToInt64Microseconds(kInjectedTimeMax)) return absl::OkStatus();
  return Invalid("timeout", "must be more than 0 and at most 5 min");
}

absl::Status ToStatus(const internal::v1::InsideRefusal& refusal) {
  return Refusal(static_cast<absl::StatusCode>(refusal.code()), refusal.reason(),
                 refusal.message());
}

}  // namespace

absl::StatusOr<v1::InjectHttpRequestRequest> CheckInjected(
    const v1::InjectHttpRequestRequest& request) {
  v1::InjectHttpRequestRequest checked = request;
  if (checked.method().empty()) checked.set_method("GET");
  if (!IsToken(checked.method()) || checked.method().size() > kMethodBytesMax ||
      checked.method() == "CONNECT") {
    return Invalid("method",
                   StrCat("is '", tasks::Cut(checked.method()), "', which no route can have"));
  }
  if (!IsTarget(checked.target())) {
    return Invalid("target", StrCat("is '", tasks::Cut(checked.target()),
                                    "'; it begins with \"/\", and what is no printable ASCII is "
                                    "percent-encoded"));
  }
  size_t head = checked.target().size();
  bool has_host = false;
  for (const v1::HttpField& header : checked.headers()) {
    if (absl::Status right = CheckHeader(header); !right.ok()) return right;
    head += header.name().size() + header.value().size();
    has_host = has_host || absl::EqualsIgnoreCase(header.name(), "host");
  }
  if (head > kInjectedHeadMax) {
    return Invalid("headers", StrCat("and target are ", head, " bytes; at most ", kInjectedHeadMax,
                                     " are allowed"));
  }
  if (absl::Status right = CheckBounds(checked); !right.ok()) return right;
  if (!has_host) {
    v1::HttpField& host = *checked.add_headers();
    host.set_name("Host");
    host.set_value("localhost");
  }
  if (checked.body_bytes_max() == 0) checked.set_body_bytes_max(kInjectedAnswerDefault);
  if (!checked.has_timeout()) {
    proto::SetMicros(absl::ToInt64Microseconds(kInjectedTimeDefault), checked.mutable_timeout());
  }
  return checked;
}

absl::StatusOr<int> InjectCalls::WorkerOf(const std::string& name) const {
  if (!name.empty() && name != "workers/-") return ParseWorkerName("name", name, scoreboard_);
  for (int worker = 0; worker < scoreboard_.workers(); ++worker) {
    const bool ready = scoreboard_.slot(worker).state.load() == metrics::SlotState::kReady;
    if (ready && WhyNotAsked(scoreboard_, links_, worker, hub_.ReadClock()).empty()) return worker;
  }
  return Refusal(absl::StatusCode::kUnavailable, "WORKER_UNREACHABLE",
                 "no worker is ready and linked to control");
}

absl::StatusOr<v1::InjectHttpRequestResponse> InjectCalls::Inject(
    const tenancy::Principal& /*who*/, const v1::InjectHttpRequestRequest& request) {
  auto checked = CheckInjected(request);
  if (!checked.ok()) return checked.status();
  const auto worker = WorkerOf(request.name());
  if (!worker.ok()) return worker.status();
  const std::string name = StrCat("workers/", *worker);
  const std::string why = WhyNotAsked(scoreboard_, links_, *worker, hub_.ReadClock());
  if (!why.empty()) {
    return Refusal(absl::StatusCode::kUnavailable, "WORKER_UNREACHABLE",
                   StrCat(name, " is not asked: ", why));
  }
  const absl::Duration time = absl::Microseconds(proto::ToMicros(checked->timeout()));
  const std::shared_ptr<InjectQuery> query = links_.Find(*worker)->QueryInject(*std::move(checked));
  if (query == nullptr) {
    return Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_INJECTED",
                   StrCat("as many requests as may be are under way in ", name));
  }
  absl::Status answered;
  {
    const Timeout timeout(time + kInjectedGrace);
    answered = query->done.Wait();
  }
  if (query->reply == nullptr) {
    // The link may have gone meanwhile, and its queries with it.
    if (WorkerLink* const link = links_.Find(*worker); link != nullptr) link->ForgetQuery(*query);
    if (absl::IsCancelled(answered)) return answered;
    if (answered.ok()) {
      return Refusal(absl::StatusCode::kUnavailable, "NO_ANSWER",
                     StrCat(name, " has gone while it had the request"));
    }
    return Refusal(absl::StatusCode::kDeadlineExceeded, "NO_ANSWER",
                   StrCat(name, " does not answer: its hub may be held"));
  }
  if (query->reply->has_refusal()) return ToStatus(query->reply->refusal());
  v1::InjectHttpRequestResponse response = std::move(*query->reply->mutable_answer());
  response.set_worker(name);
  return response;
}

}  // namespace grove::control

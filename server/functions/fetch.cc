#include "server/functions/fetch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::functions {
namespace {

std::string_view NameOf(FetchMethod method) {
  switch (method) {
    case FetchMethod::kHead:
      return "HEAD";
    case FetchMethod::kPost:
      return "POST";
    case FetchMethod::kPut:
      return "PUT";
    case FetchMethod::kPatch:
      return "PATCH";
    case FetchMethod::kDelete:
      return "DELETE";
    case FetchMethod::kOptions:
      return "OPTIONS";
    case FetchMethod::kGet:
      break;
  }
  return "GET";
}

absl::Status About(std::string_view url, const absl::Status& status) {
  return absl::Status(status.code(), StrCat("fetch ", url, ": ", status.message()));
}

// In a fetch's own words; what is wrong with the request names its part already.
absl::Status Named(const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) return status;
  std::string text = StrCat("fetch ", status.message());
  if (absl::IsResourceExhausted(status) && text.ends_with("bytes allowed")) {
    text += " (fetch.body_max_bytes)";
  } else if (absl::IsFailedPrecondition(status) && text.ends_with("redirects")) {
    text += " (fetch.redirects_max)";
  }
  return absl::Status(status.code(), text);
}

absl::Status CheckSize(const FetchRequest& request) {
  if (request.url.size() > kFetchUrlMaxBytes) {
    return absl::InvalidArgumentError(absl::StrFormat("url: %d bytes are more than the %d allowed",
                                                      request.url.size(), kFetchUrlMaxBytes));
  }
  size_t bytes = 0;
  for (const auto& [name, value] : request.headers) bytes += name.size() + value.size();
  if (request.headers.size() > kFetchRequestHeadersMax || bytes > kFetchRequestHeadersMaxBytes) {
    return absl::InvalidArgumentError(absl::StrFormat("headers: more than %d, or than %d bytes",
                                                      kFetchRequestHeadersMax,
                                                      kFetchRequestHeadersMaxBytes));
  }
  const bool carries_none = request.method == FetchMethod::kGet ||
                            request.method == FetchMethod::kHead ||
                            request.method == FetchMethod::kOptions;
  if (carries_none && !request.body.empty()) {
    return absl::InvalidArgumentError(StrCat("body: ", NameOf(request.method), " carries none"));
  }
  return absl::OkStatus();
}

// The URL as it is shown: without credentials.
std::string Shown(const std::string& text) {
  constexpr size_t kShownBytesMax = 200;
  const absl::StatusOr<http::Url> url = http::Url::Parse(text);
  return url.ok() ? url->ToString().substr(0, kShownBytesMax) : "";
}

}  // namespace

FetchClient::FetchClient(FetchPolicy policy, std::unique_ptr<http::HttpClient> client)
    : policy_(std::move(policy)), client_(std::move(client)), permits_(policy_.concurrency_max) {}
FetchClient::~FetchClient() = default;

absl::StatusOr<std::unique_ptr<FetchClient>> FetchClient::Create(FetchPolicy policy,
                                                                 http::HttpConnect connect) {
  http::HttpClientOptions options;
  options.dial.connect = std::move(connect);
  options.dial.allow = [policy](const SocketAddress& address) {
    return policy.Check(address.raw());
  };
  // The fetch's own time-out bounds it: one of the same length would race that.
  options.dial.connect_timeout = absl::InfiniteDuration();
  options.pool.per_origin_max = policy.concurrency_max;
  options.pool.connections_max = policy.concurrency_max;
  options.redirects_max = policy.limits.redirects_max;
  options.body_max_bytes = policy.limits.body_max_bytes;
  absl::StatusOr<std::unique_ptr<http::HttpClient>> client =
      http::HttpClient::Create(std::move(options));
  if (!client.ok()) return client.status();
  return std::unique_ptr<FetchClient>(new FetchClient(std::move(policy), *std::move(client)));
}

absl::StatusOr<FetchResult> FetchClient::Fetch(const FetchRequest& request) {
  ++stats_.fetches;
  const MonotonicNanos began = Hub::Current()->ReadClock();
  absl::StatusOr<FetchResult> result = InTurn(request);
  if (!result.ok()) ++stats_.failures;
  stats_.CountEnd(result.status().code(), Hub::Current()->ReadClock() - began);
  return result;
}

// The tenant's turn first: who waits for it must not keep the others' permits.
absl::StatusOr<FetchResult> FetchClient::InTurn(const FetchRequest& request) {
  if (absl::Status checked = CheckSize(request); !checked.ok()) return checked;
  FetchTurns::Line* line = nullptr;
  if (turns_ != nullptr) {
    absl::StatusOr<FetchTurns::Line*> turn = turns_->Await();
    if (!turn.ok()) return turn.status();
    line = *turn;
  }
  absl::StatusOr<FetchResult> result = Permitted(request);
  if (line != nullptr) turns_->End(line);
  return result;
}

absl::StatusOr<FetchResult> FetchClient::Permitted(const FetchRequest& request) {
  if (absl::Status permitted = permits_.Acquire(); !permitted.ok()) return permitted;
  ++running_;
  if (request.on_begin != nullptr) request.on_begin();
  absl::StatusOr<FetchResult> result = FetchNow(request);
  --running_;
  permits_.Release();
  return result;
}

absl::StatusOr<FetchResult> FetchClient::FetchNow(const FetchRequest& request) {
  const absl::Duration limit = std::min(policy_.limits.timeout, request.limits.timeout);
  Timeout timeout(limit);
  absl::StatusOr<http::HttpResponse> answer = client_->Fetch({
      .url = request.url,
      .method = std::string(NameOf(request.method)),
      .fields = request.headers,
      .body = request.body,
      .redirects_max = std::max(0, request.limits.redirects_max),
      .body_max_bytes = request.limits.body_max_bytes,
      .on_redirect = request.on_redirect,
  });
  if (answer.ok()) {
    return FetchResult{.status = answer->status,
                       .effective_url = std::move(answer->url),
                       .headers = std::move(answer->fields),
                       .body = std::move(answer->body)};
  }
  if (!timeout.Caused(answer.status())) return Named(answer.status());
  return About(Shown(request.url),
               absl::DeadlineExceededError(absl::StrCat(
                   "not finished after ", absl::FormatDuration(limit), " (fetch.timeout_ms)")));
}

FetchStats FetchClient::stats() const {
  FetchStats stats = stats_;
  stats.running = running_;
  stats.waiting = static_cast<int64_t>(permits_.waiting());
  if (turns_ != nullptr) stats.waiting += turns_->waiting();
  if (origins_ != nullptr) stats.origins = origins_->stats();
  const http::HttpClientStats client = client_->stats();
  stats.connections = client.pool.open;
  stats.connections_idle = client.pool.idle + client.http2.idle;
  stats.connections_made = client.pool.made;
  stats.connections_reused = client.pool.reused + client.http2.streams_reused;
  stats.http2_connections = client.http2.connections;
  stats.http2_streams = client.http2.streams_made;
  const http::DialerStats& dial = client.dial;
  stats.lookups = dial.lookups;
  stats.lookup_failures = dial.lookup_failures;
  stats.cache_misses = dial.asked;
  stats.cache_hits = dial.lookups - dial.asked;
  stats.lookup_micros = dial.lookup_nanos / 1000;
  return stats;
}

}  // namespace grove::functions

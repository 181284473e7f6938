#include "http/client/http_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "http/client/client_span.h"
#include "http/client/content_decoder.h"
#include "http/client/cookie_jar.h"
#include "http/client/exchange_state.h"
#include "http/client/http2_exchange.h"
#include "http/client/request_head.h"
#include "http/client/url.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

constexpr size_t kShownUrlBytesMax = 200;
// Of one request that the server says it has not acted upon: it may say so for ever.
constexpr int kRefusalsMax = 3;

absl::Status About(const Url& url, const absl::Status& status) {
  return absl::Status(status.code(),
                      StrCat(url.ToString().substr(0, kShownUrlBytesMax), ": ", status.message()));
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string_view LocationOf(const HttpExchange::State& answer) {
  for (const auto& [name, value] : answer.fields()) {
    if (EqualsIgnoreCase(name, "location")) return value;
  }
  return "";
}

bool HasField(const HttpFields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [name](const auto& field) { return EqualsIgnoreCase(field.first, name); });
}

void TakeCookies(const Url& url, const HttpExchange::State& answer, CookieJar& cookies) {
  for (const auto& [name, value] : answer.fields()) {
    if (EqualsIgnoreCase(name, "set-cookie")) cookies.Take(url, value, absl::Now());
  }
}

// RFC 9110, 15.4: as browsers do, a POST becomes a GET but where the status says otherwise.
void TurnIntoGet(HttpRequest& request) {
  request.method = "GET";
  request.body.clear();
  request.source = nullptr;
  std::erase_if(request.fields, [](const auto& field) {
    return field.first.size() > 8 &&
           EqualsIgnoreCase(std::string_view(field.first).substr(0, 8), "content-");
  });
}

}  // namespace

HttpClient::HttpClient(HttpClientOptions options, std::unique_ptr<HttpDialer> dialer)
    : options_(std::move(options)),
      dialer_(std::move(dialer)),
      pool_(options_.pool),
      http2_(pool_, options_.http2_limits, options_.pool) {}
HttpClient::~HttpClient() = default;

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create(HttpClientOptions options) {
  absl::StatusOr<std::unique_ptr<HttpDialer>> dialer = HttpDialer::Create(options.dial);
  if (!dialer.ok()) return dialer.status();
  if (options.pool.per_origin_max < 1 || options.pool.connections_max < 1) {
    return absl::InvalidArgumentError(
        "pool: want at least one connection, to an origin and in all");
  }
  if (options.http2_limits.streams_max < 1 || options.http2_limits.stream_window_bytes < 1) {
    return absl::InvalidArgumentError(
        "http2_limits: want at least one stream, and a byte of its window");
  }
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(options), *std::move(dialer)));
}

HttpClientStats HttpClient::stats() const {
  HttpClientStats stats = stats_;
  stats.pool = pool_.stats();
  stats.http2 = http2_.stats();
  stats.dial = dialer_->stats();
  return stats;
}

HttpDialer::Way HttpClient::WayFor(const HttpRequest& request) {
  // Another protocol is none of the proxy's business (RFC 6455, 4.1).
  return request.upgrade.empty() ? HttpDialer::Way::kAsIs : HttpDialer::Way::kTunnel;
}

Http2Offer HttpClient::OfferFor(const Url& url, const HttpRequest& request) const {
  // HTTP/2 has no Upgrade (RFC 9113, 8.6).
  if (request.http1_only || !request.upgrade.empty()) return Http2Offer::kNone;
  if (url.https) return options_.http2;
  const bool known = options_.http2 == Http2Offer::kPriorKnowledge &&
                     !(request.unix_socket.empty() && dialer_->AsksProxy(url, WayFor(request)));
  return known ? Http2Offer::kPriorKnowledge : Http2Offer::kNone;
}

absl::StatusOr<HttpClient::StatePtr> HttpClient::Connect(const Url& url, const HttpRequest& request,
                                                         Http2Offer offer) {
  const HttpDialer::Way way_out = WayFor(request);
  std::string key = dialer_->KeyOf(url, request.unix_socket, way_out);
  const auto dial = [&] { return dialer_->Dial(url, request.unix_socket, way_out, offer); };
  if (offer != Http2Offer::kNone) {
    absl::StatusOr<Http2Pool::Way> way = http2_.Take(key, dial);
    if (!way.ok()) return way.status();
    if (way->shared == nullptr) {
      return std::make_unique<HttpExchange::State>(std::move(way->alone), url.ToString());
    }
    return std::make_unique<Http2Exchange>(std::move(way->shared), url.ToString());
  }
  // Its connections are others than those that could have been shared, and are counted apart: else
  // one that is shared could keep the place of all that may not.
  if (url.https && options_.http2 != Http2Offer::kNone) key += " http/1.1";
  const auto open = [&]() -> absl::StatusOr<std::unique_ptr<ClientConnection>> {
    absl::StatusOr<DialedStream> dialed = dial();
    if (!dialed.ok()) return dialed.status();
    return std::make_unique<ClientConnection>(std::move(dialed->stream), pool_.buffers());
  };
  absl::StatusOr<ConnectionPool::Lease> lease = pool_.Take(key, open);
  if (!lease.ok()) return lease.status();
  return std::make_unique<HttpExchange::State>(*std::move(lease), url.ToString());
}

absl::StatusOr<HttpClient::StatePtr> HttpClient::Ask(const Url& url, HttpRequest& request,
                                                     bool same_origin) {
  const bool proxied = request.unix_socket.empty() && dialer_->AsksProxy(url, WayFor(request));
  std::string cookies;
  if (request.cookies != nullptr && !(same_origin && HasField(request.fields, "cookie"))) {
    cookies = request.cookies->FieldFor(url, absl::Now());
  }
  HeadExtras extras = {
      .user_agent = options_.user_agent,
      .accept_encoding = options_.decode ? ContentDecoder::kCodings : std::string_view(),
      .absolute_target = proxied,
      .cookies = cookies,
      .proxy_authorization =
          proxied ? std::string_view(dialer_->proxy_credentials()) : std::string_view(),
      .without_credentials = !same_origin};
  const bool replayable = request.source == nullptr;
  const bool repeatable = replayable && (IsIdempotent(request.method) || request.may_repeat);
  Http2Offer offer = OfferFor(url, request);
  for (int refusals = 0, resends = 0;; ++resends) {
    ClientSpan span(request, url, resends);
    span.FillHead(extras);
    absl::StatusOr<StatePtr> begun = Connect(url, request, offer);
    if (!begun.ok()) return span.Fail(begun.status());
    ++stats_.requests;
    StatePtr answer = *std::move(begun);
    const absl::Status run = span.Fail(answer->Run(request, url, extras, options_.decode));
    if (run.ok()) {
      span.TakeAnswer(answer->status(), answer->protocol());
      if (answer->switched()) ++stats_.switched;
      if (request.cookies != nullptr) TakeCookies(url, *answer, *request.cookies);
      return answer;
    }
    if (replayable && answer->wants_http1()) {
      offer = Http2Offer::kNone;
      ++stats_.repeated;
      continue;
    }
    // RFC 9113, 8.7: as if it had never been asked, whatever the method.
    if (replayable && answer->refused() && refusals++ < kRefusalsMax) {
      ++stats_.repeated;
      continue;
    }
    // The server closed a kept connection while the request was on its way: it has not seen it, or
    // seeing it twice is seeing it once. Each time a kept connection goes, so this ends.
    const bool stale = answer->was_reused() && answer->unanswered() && absl::IsUnavailable(run);
    if (!stale || !repeatable) return run;
    ++stats_.repeated;
  }
}

absl::StatusOr<Url> HttpClient::NextUrl(const Url& from, int status, const std::string& location,
                                        HttpRequest& request) {
  absl::StatusOr<Url> next =
      from.Follow(request.upgrade.empty() ? location : HttpReference(location));
  if (!next.ok()) return next;
  const bool becomes_get =
      status == 303 ? request.method != "HEAD" : status <= 302 && request.method == "POST";
  if (becomes_get) {
    TurnIntoGet(request);
  } else if (request.source != nullptr) {
    return absl::FailedPreconditionError(
        StrCat("a redirect (", status, ") asks for the body again, whose source is used up"));
  }
  return next;
}

absl::StatusOr<HttpClient::StatePtr> HttpClient::FollowAll(HttpRequest& request) {
  if (absl::Status checked = CheckRequest(request); !checked.ok()) return checked;
  absl::StatusOr<Url> first = Url::Parse(request.url);
  if (!first.ok()) return absl::InvalidArgumentError(StrCat("url: ", first.status().message()));
  const int redirects_max = std::min(options_.redirects_max, request.redirects_max);
  Url url = *first;
  for (int redirects = 0;; ++redirects) {
    absl::StatusOr<StatePtr> answer = Ask(url, request, url.SameOrigin(*first));
    if (!answer.ok()) return About(url, answer.status());
    const bool ends = !options_.follow_redirects || !IsRedirect((*answer)->status()) ||
                      LocationOf(**answer).empty();
    if (ends) return answer;
    if (redirects >= redirects_max) {
      return About(url, absl::FailedPreconditionError(
                            absl::StrFormat("more than %d redirects", redirects_max)));
    }
    const int status = (*answer)->status();
    const std::string location(LocationOf(**answer));
    // Its body may still be on the way: what sends it uses the request, which is about to change.
    (*answer)->Discard();
    answer->reset();
    absl::StatusOr<Url> next = NextUrl(url, status, location, request);
    if (!next.ok()) return About(url, next.status());
    if (request.on_redirect != nullptr) {
      if (absl::Status may = request.on_redirect(*next); !may.ok()) return About(*next, may);
    }
    ++stats_.redirects;
    url = *std::move(next);
  }
}

absl::StatusOr<HttpExchange> HttpClient::Open(HttpRequest request) {
  auto kept = std::make_unique<HttpRequest>(std::move(request));
  absl::StatusOr<StatePtr> answer = FollowAll(*kept);
  if (!answer.ok()) return answer.status();
  (*answer)->Keep(std::move(kept));
  return HttpExchange(*std::move(answer));
}

absl::StatusOr<HttpResponse> HttpClient::Fetch(HttpRequest request) {
  absl::StatusOr<StatePtr> answer = FollowAll(request);
  if (!answer.ok()) return answer.status();
  HttpExchange::State& state = **answer;
  absl::StatusOr<std::string> body =
      state.ReadAll(std::min(options_.body_max_bytes, request.body_max_bytes));
  if (!body.ok()) {
    return absl::Status(body.status().code(), StrCat(state.url().substr(0, kShownUrlBytesMax), ": ",
                                                     body.status().message()));
  }
  return HttpResponse{.status = state.status(),
                      .url = state.url(),
                      .fields = state.fields(),
                      .body = *std::move(body),
                      .trailers = state.trailers(),
                      .protocol = state.protocol()};
}

}  // namespace grove::http

// The life of a connection: wait for a head, serve it, conclude; again, or close.
//
// Waiting is bounded in three ways, one timer at a time: idle_timeout for a request's first byte,
// header_timeout for its head, io_timeout for each step of its body and of the response.
//
// Closing takes care that the client reads the last response: bytes that reach a closed socket, or
// lie unread in one that is closed, the kernel answers with a reset, which destroys what we sent
// (RFC 9112, 9.6). So where the client may still be sending, because the close is our idea or a
// request was refused, we send the end of our stream first and read on, however much comes, as long
// as it comes, for up to lingering_time: proxies send all of a body before they look at an answer.
// Where the
// client asked for the end, and left nothing, we close at once, as nginx does: it must send nothing
// more, and to wait for its FIN would hold a fiber and a descriptor for every connection of a
// client that uses one for each request.
//
// Where the connection stands, and what may follow, is ConnectionState's to say. What lies beside
// its phases is there or where it belongs: `draining` is the server's wish and comes in any phase;
// a client that is watched or gone, an outcome of one request; that our reading was stopped, the
// Wire's, since what the kernel held by then is served still. RequestAccount counts and logs, Peer
// knows who asks, FailureAnswer what a failed handler's client is told.
#include "server/http/serving/connection.h"

#include <algorithm>
#include <utility>

#include "http/message/chunked.h"
#include "runtime/hub/exception_text.h"
#include "runtime/hub/hub.h"
#include "server/http/handler/status.h"
#include "server/http/serving/failure_answer.h"
#include "server/http/serving/http2_refusal.h"
#include "server/http/serving/refused_head.h"
#include "server/http/serving/request_trace.h"

namespace grove::http {
namespace {

// Runs what somebody else wrote: an exception ends a request, not its connection's bookkeeping.
// Caught here and not at the fiber's entry, where the connection would be gone.
template <typename F>
absl::Status Guarded(const F& call) {
  absl::Status result;
  try {
    result = call();
  } catch (...) {
    result = absl::InternalError(DescribeCurrentException());
  }
  return result;
}

}  // namespace

Connection::Connection(Socket socket, std::string peer, const Ingress* ingress,
                       const ServerOptions& options, const std::shared_ptr<const Router>& router,
                       StandingFields& standing, ServerStats& stats, BlockPool& blocks)
    : ingress_(ingress),
      options_(options),
      router_(router),
      stats_(stats),
      wire_(std::move(socket), options, stats, blocks),
      parser_(options.target_text),
      body_(wire_, options),
      writer_(wire_.output(), standing, stats, *this),
      account_(options, stats, wire_, body_, writer_),
      peer_(std::move(peer)) {}

Request Connection::MakeRequest(const RequestHead& head, BodySource* body, Exchange* exchange) {
  Request request{.method = head.method,
                  .target = head.target,
                  .path = head.path,
                  .query = head.query,
                  .host = head.host,
                  .version_minor = head.version_minor,
                  .fields = head.fields,
                  .trailers = {},
                  .peer = peer_.address(),
                  .client_certificate = peer_.certificate(),
                  .body = body,
                  .exchange = exchange,
                  .context = {}};
  request.context.client = peer_.client();
  if (wire_.secure()) request.context.scheme = "https";
  return request;
}

void Connection::Run() {
  fiber_ = Hub::Current()->running();
  // One for all waits, since a restart costs less than a scope; it bounds nothing in between.
  Timeout idle_timeout(absl::InfiniteDuration());
  idle_timeout_ = &idle_timeout;
  if (ingress_ == nullptr || Begin(*ingress_)) {
    while (AwaitHead() && Serve()) {
    }
  }
  if (state_.phase() == Phase::kLingering) {
    Linger();
    state_.Move<Phase::kLingering, Phase::kClosing>();
  }
  Hub::Current()->timers().Cancel(last_call_);
  if (absl::IsDeadlineExceeded(wire_.output().FlushAndEnd()))
    stats_.CountTimeout(TimedOut::kResponse);
  wire_.output().Settle();
  wire_.stream().Close();
}

bool Connection::Begin(const Ingress& ingress) {
  account_.Open(Hub::Current()->now());
  waiting_since_ = Hub::Current()->now();
  state_.Move<Phase::kAccepted, Phase::kOpening>();
  absl::Status begun;
  {
    // As while it waits for a first request: Drain() gives it request_grace.
    Timeout timeout(state_.draining() ? options_.request_grace : options_.header_timeout);
    begun = peer_.Begin(ingress, wire_, stats_);
  }
  if (begun.ok()) return true;
  if (options_.on_failed_ingress) options_.on_failed_ingress(peer_.address(), begun);
  if (absl::IsFailedPrecondition(begun)) {
    // To somebody who speaks HTTP, not TLS: outside the scope, in which nothing could be sent.
    Refuse({400, RefusalKind::kPlainOnTls, kPlainOnTls}, nullptr);
  } else {
    state_.Enter(Phase::kClosing);
  }
  return false;
}

std::optional<MonotonicNanos> Connection::waiting_since() const {
  if (wire_.reading_stopped()) return std::nullopt;
  if (discards_rest_) return waiting_since_;
  switch (state_.phase()) {
    case Phase::kOpening:
    case Phase::kFresh:
    case Phase::kIdle:
    case Phase::kHead:
    case Phase::kLingering:
      return waiting_since_;
    default:
      return std::nullopt;
  }
}

void Connection::Drain() {
  if (!state_.BeginDrain()) return;
  if (state_.phase() == Phase::kSwitched) switched_->Drain();
  if (state_.phase() == Phase::kLingering) {
    Hub& hub = *Hub::Current();
    hub.timers().Arm(last_call_, DeadlineAfter(hub.now(), options_.lingering_timeout));
  }
  if (!state_.AwaitsRequest()) return;
  // A request may be on the way: closing would reset it, and the client could not tell a daemon
  // that is being replaced from a broken one.
  Hub& hub = *Hub::Current();
  const MonotonicNanos since = state_.phase() == Phase::kIdle ? waiting_since_ : hub.now();
  const MonotonicNanos deadline = DeadlineAfter(since, options_.request_grace);
  // Ends our reading, not the connection: what the kernel holds already is served.
  if (deadline <= hub.now()) return wire_.StopReading();
  hub.timers().Arm(last_call_, deadline);
}

void Connection::LastCall::Fire(Timer& timer) {
  Connection& connection = static_cast<LastCall&>(timer).connection;
  const bool lingers = connection.state_.phase() == Phase::kLingering;
  if (lingers || connection.state_.AwaitsRequest()) connection.wire_.StopReading();
}

// As Handle().
[[gnu::always_inline]] inline bool Connection::AwaitFirstByte() {
  if (!wire_.output().pending().empty()) LetOthersAnswer();
  // The batch ends here: its answers leave together. Before the wait is bounded, since a client may
  // be slow to take them.
  const bool sent = wire_.Flush().ok();
  waiting_since_ = Hub::Current()->now();
  account_.NoteIdle();
  // Entered only now, since a drain while others answer must not count as one while it waits.
  state_.Enter(state_.phase() == Phase::kAnswered ? Phase::kIdle : Phase::kFresh);
  // Draining, it comes here with a client that was promised an answer to one request more.
  idle_timeout_->Restart(state_.draining() ? options_.request_grace : options_.idle_timeout);
  bool came = false;
  if (sent) {
    const absl::StatusOr<size_t> got = wire_.FillIdle();
    came = got.ok() && *got > 0;
  }
  idle_timeout_->Cancel();
  account_.NoteBusy();
  return came;
}

bool Connection::AwaitHead() {
  using Result = RequestParser::Result;
  parser_.Reset();
  if (wire_.input().empty() && !AwaitFirstByte()) {
    state_.Enter(Phase::kClosing);
    return false;
  }
  state_.Enter(Phase::kHead);
  account_.Open(Hub::Current()->now());
  Result result = parser_.Parse(wire_.input().unread());
  if (result == Result::kNeedMore) result = AwaitRestOfHead();
  if (result == Result::kRefused) {
    const bool http2 = served_ == 0 && IsHttp2Preface(wire_.input().unread());
    http2 ? RefuseHttp2() : Refuse(parser_.refusal(), nullptr);
  }
  return result == Result::kDone;
}

void Connection::LetOthersAnswer() {
  Hub& hub = *Hub::Current();
  const bool brief = hub.last_turn() < absl::ToInt64Nanoseconds(kBriefTurn);
  if (brief && hub.run_queue_length() <= kFewRunnable) hub.Yield();
}

RequestParser::Result Connection::AwaitRestOfHead() {
  using Result = RequestParser::Result;
  Result result = Result::kNeedMore;
  bool late = false;
  // As in AwaitFirstByte().
  bool open = wire_.Flush().ok();
  waiting_since_ = Hub::Current()->now();
  {
    Timeout timeout(options_.header_timeout);
    while (open && result == Result::kNeedMore) {
      const absl::StatusOr<size_t> got = wire_.Fill();
      open = got.ok() && *got > 0;
      if (open) result = parser_.Parse(wire_.input().unread());
    }
    late = timeout.fired();
  }
  // Outside the scope, in which nothing more could be sent.
  if (late && result == Result::kNeedMore) {
    account_.NoteLateHead();
    Refuse({408, RefusalKind::kLate, "the request's head took too long"}, nullptr);
  } else if (result == Result::kNeedMore) {
    writer_.Start({});
    CloseUnparsed(RequestAccount::End::kCutShort);
    state_.Enter(Phase::kClosing);
  }
  return result;
}

bool Connection::MayKeepAlive() const {
  return parser_.framing().keep_alive() && !IsEnding() &&
         served_ < options_.requests_per_connection_max && !body_.failed() &&
         !body_.continue_withheld() && body_.known_left() <= kDiscardBytesMax;
}

bool Connection::IsEnding() const {
  if (!state_.draining() && !wire_.reading_stopped()) return false;
  // Requests of a batch that is already here are answered: their client cannot know that the first
  // answer will be the last.
  return !body_.ended() || wire_.input().empty() || served_while_draining_ >= kDrainRequestsMax;
}

absl::StatusOr<Transport*> Connection::HandOver() {
  if (state_.draining()) return absl::UnavailableError("the server is draining");
  if (!body_.ended()) return absl::FailedPreconditionError("the request's body is not read");
  state_.Move<Phase::kHandler, Phase::kSwitched>();
  account_.NoteSwitch();
  return &switched_.emplace(wire_);
}

void Connection::CancelOnDisconnect() {
  if (wire_.reading_stopped() || !state_.BeginWatch()) return;
  Hub::Current()->descriptors().WatchHangup(wire_.stream().fd(), this);
}

void Connection::OnHangup() {
  state_.NoteClientGone();
  fiber_->Cancel();
}

// As Handle().
[[gnu::always_inline]] inline bool Connection::Admit(const RequestHead& head) {
  if (head.method == "CONNECT") {
    Refuse({501, RefusalKind::kUnserved, "this server is no proxy"}, &head);
    return false;
  }
  if (parser_.framing().content_length() > options_.body_max_bytes) {
    Refuse({413, RefusalKind::kTooLarge, "the request's body is too long"}, &head);
    return false;
  }
  if (!head.scheme.empty() && IsMisdirected(head)) {
    Refuse({421, RefusalKind::kUnserved, "the target's scheme is not the connection's"}, &head);
    return false;
  }
  // As far as it is there; else a handler that does not read it would have answered well.
  if (parser_.framing().body() == BodyKind::kChunked &&
      IsMalformedChunked(wire_.input().unread().substr(parser_.head_bytes()))) {
    Refuse({400, RefusalKind::kFraming, "malformed chunked body"}, &head);
    return false;
  }
  return true;
}

// Part of Serve() in all but name: a call would cost each request what it saves and restores.
[[gnu::always_inline]] inline ConnectionState::Phase Connection::Handle(const RequestHead& head) {
  wire_.input().Consume(parser_.head_bytes());
  // The request's views are into the bytes that were consumed: they stand until it has ended.
  wire_.Pin();
  Request request = MakeRequest(head, &body_, this);
  body_.Start(parser_.framing(), request.trailers);
  writer_.Start({.head = head.method == "HEAD", .version_minor = head.version_minor});
  Response response(writer_);
  std::optional<RequestTrace> trace;
  if (options_.tracer != nullptr || RequestTrace::IsNamed(request)) {
    trace.emplace(options_.tracer, request);
  }
  const absl::Status result = RunHandler(request, response);
  const bool answered = result.ok() || AnswerFailure(request, response, result);
  // Before the account is closed: a hook may wait for the response to be sent, and then what
  // became of that is known.
  RunPostHooks(request, response);
  using End = RequestAccount::End;
  account_.Close(request, answered && writer_.complete() ? End::kWhole
                          : state_.client_gone()         ? End::kLeft
                                                         : End::kCutShort);
  if (trace) trace->NoteEnd(request, writer_.status(), answered && writer_.complete());
  Phase next = answered ? Conclude() : Phase::kClosing;
  // The fiber is cancelled: nothing more can be waited for.
  if (next == Phase::kAnswered && state_.client_gone()) next = Phase::kClosing;
  wire_.Unpin();
  return next;
}

bool Connection::Serve() {
  const RequestHead& head = parser_.head();
  if (!Admit(head)) return false;
  state_.Move<Phase::kHead, Phase::kHandler>();
  account_.NoteHandler();
  ++served_;
  if (state_.draining()) ++served_while_draining_;
  // Earlier responses of the batch must not wait for a handler that parks.
  const bool sends = wire_.output().FlushSoon().ok();
  const Phase next = sends ? Handle(head) : Phase::kClosing;
  account_.NoteHandled();
  state_.Enter(next);
  return next == Phase::kAnswered;
}

absl::Status Connection::RunHandler(Request& request, Response& response) {
  // Compared first: to count holders costs more than to look.
  if (own_router_ != router_) own_router_ = router_;
  absl::Status result = Guarded([&] {
    absl::Status handled = own_router_->RouteRequest(request, response);
    return handled.ok() ? response.Finish() : handled;
  });
  if (state_.EndWatch()) {
    Hub::Current()->descriptors().WatchHangup(wire_.stream().fd(), nullptr);
  }
  return result;
}

void Connection::RunPostHooks(const Request& request, Response& response) {
  const std::vector<PostHook> hooks = response.TakePostHooks();
  if (hooks.empty()) return;
  const bool sent = wire_.Flush().ok();
  const ResponseOutcome outcome{.status = writer_.status(),
                                .body_bytes = writer_.body_bytes(),
                                .complete = sent && writer_.complete()};
  for (const PostHook& hook : hooks) {
    const absl::Status ran = Guarded([&] {
      hook(outcome);
      return absl::OkStatus();
    });
    if (!ran.ok()) account_.NoteHookFailure(request, ran);
  }
}

// The client's fault only where the handler passes it on: one that fails by itself after its client
// did is still wrong.
void Connection::NoteFailure(const Request& request, const absl::Status& failure) {
  const absl::Status& sending = wire_.output().failure();
  const bool clients = (!sending.ok() && failure.code() == sending.code()) ||
                       (body_.failed() && failure.code() == body_.failure().code());
  if (clients) return account_.NoteClientFailure(request, failure);
  account_.NoteFailure(request, failure);
}

bool Connection::AnswerFailure(const Request& request, const Response& response,
                               const absl::Status& failure) {
  // As it asked for: no failure of the handler's.
  if (state_.client_gone() && absl::IsCancelled(failure)) {
    if (writer_.begun()) Abort();
    return false;
  }
  NoteFailure(request, failure);
  if (writer_.complete()) return true;
  if (writer_.begun()) {
    Abort();
    return false;
  }
  // The client is gone: whatever the handler made of that, nobody hears it.
  if (body_.failed() && body_.failure_status() == 0) return false;
  const FailureAnswer answer = AnswerOf(failure, body_.failure_status());
  const FieldSpan always = response.always();
  std::vector<Field> fields(always.begin(), always.end());
  if (!answer.retry_after.empty()) fields.push_back({"Retry-After", answer.retry_after});
  return writer_.Send(answer.status, fields, "text/plain", answer.text).ok();
}

ConnectionState::Phase Connection::Conclude() {
  if (!writer_.complete()) {
    Abort();
    return Phase::kClosing;
  }
  if (writer_.keeps_alive()) {
    const bool clear = body_.ended() || DiscardRest();
    return clear ? Phase::kAnswered : Phase::kLingering;
  }
  return MayHaveMore() ? Phase::kLingering : Phase::kClosing;
}

// The answer is out: who sends the rest slowly may have to make room for others.
bool Connection::DiscardRest() {
  waiting_since_ = Hub::Current()->now();
  discards_rest_ = true;
  const bool clear = body_.Discard(kDiscardBytesMax);
  discards_rest_ = false;
  return clear;
}

bool Connection::MayHaveMore() const {
  return parser_.framing().keep_alive() || !body_.ended() || !wire_.input().empty() ||
         state_.phase() == Phase::kSwitched;
}

// Whoever is refused learns why (invariant 11), so far as its bytes let us find an answer's form.
void Connection::Refuse(const Refusal& refusal, const RequestHead* head) {
  account_.NoteRefusal(refusal.kind);
  const std::string_view line = RequestLineOf(wire_.input().unread());
  writer_.Start({.head = line.starts_with("HEAD ")});
  constexpr Field kClose[] = {{"Connection", "close"}};
  std::string body(ReasonPhrase(refusal.status));
  body.append(": ").append(refusal.reason).append("\r\n");
  const bool sent = writer_.Send(refusal.status, kClose, "text/plain", body).ok();
  using End = RequestAccount::End;
  const End end = sent ? End::kWhole : End::kCutShort;
  if (head == nullptr) {
    CloseUnparsed(end);
  } else {
    account_.Close(MakeRequest(*head, nullptr, nullptr), end);
  }
  state_.Enter(sent ? Phase::kLingering : Phase::kClosing);
}

bool Connection::IsMisdirected(const RequestHead& head) {
  const Request request = MakeRequest(head, nullptr, nullptr);
  if (EqualsIgnoreCase(head.scheme, request.context.scheme)) return false;
  return !options_.forwarded_scheme ||
         !EqualsIgnoreCase(head.scheme, options_.forwarded_scheme(request));
}

void Connection::RefuseHttp2() {
  account_.NoteRefusal(RefusalKind::kHttp2);
  writer_.Start({});
  wire_.output().pending().Append(kHttp2Refusal);
  CloseUnparsed(RequestAccount::End::kWhole);
  state_.Enter(Phase::kLingering);
}

void Connection::CloseUnparsed(RequestAccount::End end) {
  const std::string_view line = RequestLineOf(wire_.input().unread());
  const RequestHead head = HeadOf(line);
  account_.CloseUnparsed(MakeRequest(head, nullptr, nullptr), line, end);
}

void Connection::Linger() {
  if (!wire_.Flush().ok()) return;
  const bool draining = state_.draining();
  Timeout whole(draining ? options_.lingering_timeout : options_.lingering_time);
  if (!wire_.stream().ShutdownWrite().ok()) return;
  Timeout silence(absl::InfiniteDuration());
  const absl::Duration silence_max = draining
                                         ? std::min(options_.lingering_timeout, kDrainSilenceMax)
                                         : options_.lingering_timeout;
  for (;;) {
    wire_.input().Consume(wire_.input().unread().size());
    waiting_since_ = Hub::Current()->now();
    silence.Restart(silence_max);
    const absl::StatusOr<size_t> got = wire_.FillIdle(kLingerReadBytes);
    if (!got.ok() || *got == 0) return;
    Yield();  // one that sends fast would hold the hub
  }
}

void Connection::Abort() {
  wire_.Flush().IgnoreError();
  // Only a reset tells such a client that the body is cut short.
  if (writer_.close_delimited()) wire_.stream().Abort();
}

}  // namespace grove::http

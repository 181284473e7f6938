// The life of a connection: wait for a head, serve it, conclude; again, or close.
//
// Waiting is bounded in three ways, one timer at a time: idle_timeout for a request's first byte,
// header_timeout for its head, io_timeout for each step of its body and of the response.
//
// Closing takes care that the client reads the last response: bytes that reach a closed socket, or
// lie unread in one that is closed, the kernel answers with a reset, which destroys what we sent
// (RFC 9112, 9.6). So where the client may still be sending, because the close is our idea or a
// request was refused, we send the end of our stream first and read on for a while. Where the
// client asked for the end, and left nothing, we close at once, as nginx does: it must send nothing
// more, and to wait for its FIN would hold a fiber and a descriptor for every connection of a
// client that uses one for each request.
#include "server/http/serving/connection.h"

#include <exception>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "server/http/handler/retry_delay.h"
#include "server/http/handler/status.h"
#include "server/http/message/chunked.h"

namespace grove::http {
namespace {

constexpr char kPlainOnTls[] = "this port speaks HTTPS, and plain HTTP came";

// "127.0.0.1" of "127.0.0.1:51724", "::1" of "[::1]:51724"; "unix:" is its own.
std::string_view AddressOf(std::string_view peer) {
  if (peer.starts_with('[')) return peer.substr(1, peer.find(']') - 1);
  return peer.starts_with("unix:") ? peer : peer.substr(0, peer.rfind(':'));
}

// Runs what somebody else wrote. The one place besides a fiber's entry that catches: an exception
// ends a request, not its connection's bookkeeping.
template <typename F>
absl::Status Guarded(const F& call) {
  absl::Status result;
  try {
    result = call();
  } catch (const std::exception& thrown) {
    result = absl::InternalError(absl::StrCat("exception: ", thrown.what()));
  } catch (...) {
    result = absl::InternalError("exception of a type that std::exception does not know");
  }
  return result;
}

// Whole seconds, upwards: a client that comes too early is refused again (RFC 9110, 10.2.3).
std::string RetryAfter(absl::Duration delay) {
  return absl::StrCat(absl::ToInt64Seconds(absl::Ceil(delay, absl::Seconds(1))));
}

// Of what was read of a head; as far as it came.
std::string_view RequestLineOf(std::string_view unread) {
  std::string_view line = unread.substr(0, kRequestLineBytesMax);
  while (line.starts_with("\r\n")) line.remove_prefix(2);
  return line.substr(0, line.find_first_of("\r\n"));
}

}  // namespace

Connection::Connection(Socket socket, const Ingress* ingress, const ServerOptions& options,
                       const Router& router, StandingFields& standing, ServerStats& stats,
                       BlockPool& blocks)
    : ingress_(ingress),
      options_(options),
      router_(router),
      stats_(stats),
      wire_(std::move(socket), options, stats, blocks),
      body_(wire_, options),
      writer_(wire_.output(), standing, stats, *this, *this),
      peer_(wire_.socket().PeerAddress().ToString()),
      client_(AddressOf(peer_)) {}

Request Connection::MakeRequest(const RequestHead& head, BodySource* body, Exchange* exchange) {
  Request request{.method = head.method,
                  .target = head.target,
                  .path = head.path,
                  .query = head.query,
                  .host = head.host,
                  .version_minor = head.version_minor,
                  .fields = head.fields,
                  .trailers = {},
                  .peer = peer_,
                  .client_certificate = client_certificate_.get(),
                  .body = body,
                  .exchange = exchange,
                  .client = client_};
  if (wire_.secure()) request.scheme = "https";
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
  if (staged_close_) Linger();
  Hub::Current()->timers().Cancel(last_call_);
  if (absl::IsDeadlineExceeded(wire_.output().Flush())) ++stats_.response_timeouts;
  wire_.output().Settle();
  wire_.stream().Close();
}

bool Connection::Begin(const Ingress& ingress) {
  began_ = Hub::Current()->now();
  absl::Status begun;
  {
    // As while it waits for a first request: Drain() gives it request_grace.
    idle_ = true;
    Timeout timeout(draining_ ? options_.request_grace : options_.header_timeout);
    if (ingress.proxies.has_value() && ingress.proxies->Contains(client_)) {
      begun = TakeProxyHeader();
    }
    if (begun.ok() && ingress.tls.has_value()) begun = StartTls(*ingress.tls);
    idle_ = false;
  }
  if (begun.ok()) return true;
  if (options_.on_failed_ingress) options_.on_failed_ingress(peer_, begun);
  // To somebody who speaks HTTP, not TLS: outside the scope, in which nothing could be sent.
  if (absl::IsFailedPrecondition(begun)) Refuse({400, kPlainOnTls}, nullptr);
  return false;
}

absl::Status Connection::TakeProxyHeader() {
  absl::StatusOr<std::string> told = ReadProxyHeader(wire_.socket());
  if (!told.ok()) {
    if (!absl::IsUnavailable(told.status())) ++stats_.proxy_header_failures;
    return told.status();
  }
  if (told->empty()) return absl::OkStatus();
  proxied_ = *std::move(told);
  client_ = AddressOf(proxied_);
  return absl::OkStatus();
}

absl::Status Connection::StartTls(const TlsServerContext& context) {
  const absl::StatusOr<char> first = PeekByte(wire_.socket());
  if (!first.ok()) return first.status();
  absl::Status started;
  // A handshake's record begins with 22 (RFC 8446 5.1), a method with a letter.
  if (absl::ascii_isalpha(static_cast<unsigned char>(*first))) {
    started = absl::FailedPreconditionError(kPlainOnTls);
  } else {
    started = wire_.StartTls(context);
  }
  ++(started.ok() ? stats_.tls_handshakes : stats_.tls_handshake_failures);
  if (started.ok() && wire_.tls().peer_verified()) {
    client_certificate_ = std::make_unique<const TlsCertificate>(*wire_.tls().peer_certificate());
  }
  return started;
}

void Connection::Drain() {
  if (std::exchange(draining_, true)) return;
  if (switched_.has_value()) switched_->Drain();
  if (!idle_) return;
  // A request may be on the way: closing would reset it, and the client could not tell a daemon
  // that is being replaced from a broken one.
  Hub& hub = *Hub::Current();
  const MonotonicNanos since = used_ ? idle_since_ : hub.now();
  const MonotonicNanos deadline = DeadlineAfter(since, options_.request_grace);
  if (deadline <= hub.now()) return StopWaiting();
  hub.timers().Arm(last_call_, deadline);
}

void Connection::LastCall::Fire(Timer& timer) {
  Connection& connection = static_cast<LastCall&>(timer).connection;
  if (connection.idle_) connection.StopWaiting();
}

void Connection::StopWaiting() {
  reading_stopped_ = true;
  wire_.StopReading();
}

bool Connection::AwaitHead() {
  using Result = RequestParser::Result;
  parser_.Reset();
  Result result = Result::kNeedMore;
  if (wire_.input().empty()) {
    if (!wire_.output().pending().empty()) LetOthersAnswer();
    idle_ = true;
    idle_since_ = Hub::Current()->now();
    ++stats_.idle;
    // Draining, it comes here with a client that was promised an answer to one request more.
    idle_timeout_->Restart(draining_ ? options_.request_grace : options_.idle_timeout);
    const absl::StatusOr<size_t> got = wire_.FillIdle();
    idle_timeout_->Cancel();
    idle_ = false;
    --stats_.idle;
    if (!got.ok() || *got == 0) return false;
  }
  used_ = true;
  began_ = Hub::Current()->now();
  read_before_ = wire_.used_bytes();
  sent_before_ = wire_.output().position();
  result = parser_.Parse(wire_.input().unread());
  if (result == Result::kNeedMore) result = AwaitRestOfHead();
  if (result == Result::kDone) return true;
  if (result == Result::kRefused) Refuse(parser_.refusal(), nullptr);
  return false;
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
  {
    Timeout timeout(options_.header_timeout);
    while (result == Result::kNeedMore) {
      const absl::StatusOr<size_t> got = wire_.Fill();
      if (!got.ok() || *got == 0) break;
      result = parser_.Parse(wire_.input().unread());
    }
    late = timeout.fired();
  }
  // Outside the scope, in which nothing more could be sent.
  if (late && result == Result::kNeedMore) {
    ++stats_.head_timeouts;
    Refuse({408, "the request's head took too long"}, nullptr);
  } else if (result == Result::kNeedMore) {
    writer_.Start(/*head_request=*/false, /*version_minor=*/1);
    NoteUnparsed(/*complete=*/false);
  }
  return result;
}

bool Connection::MayKeepAlive() const {
  return parser_.framing().keep_alive() && (!draining_ || ServesOnWhileDraining()) &&
         served_ < options_.requests_per_connection_max && !body_.failed() &&
         !body_.continue_withheld() && body_.known_left() <= kDiscardBytesMax;
}

// Requests of a batch that is already here are answered: their client cannot know that the first
// answer will be the last.
bool Connection::ServesOnWhileDraining() const {
  return body_.ended() && !wire_.input().empty() && served_while_draining_ < kDrainRequestsMax;
}

absl::StatusOr<Transport*> Connection::HandOver() {
  if (draining_) return absl::UnavailableError("the server is draining");
  if (!body_.ended()) return absl::FailedPreconditionError("the request's body is not read");
  switched_.emplace(wire_);
  --stats_.running;
  ++stats_.switched;
  return &*switched_;
}

void Connection::CancelOnDisconnect() {
  if (reading_stopped_ || client_gone_) return;
  watching_ = true;
  Hub::Current()->descriptors().WatchHangup(wire_.stream().fd(), this);
}

void Connection::OnHangup() {
  client_gone_ = true;
  fiber_->Cancel();
}

bool Connection::Serve() {
  const RequestHead& head = parser_.head();
  if (head.method == "CONNECT") {
    Refuse({501, "this server is no proxy"}, &head);
    return false;
  }
  if (parser_.framing().content_length() > options_.body_max_bytes) {
    Refuse({413, "the request's body is too long"}, &head);
    return false;
  }
  // As far as it is there; else a handler that does not read it would have answered well.
  if (parser_.framing().body() == BodyKind::kChunked &&
      IsMalformedChunked(wire_.input().unread().substr(parser_.head_bytes()))) {
    Refuse({400, "malformed chunked body"}, &head);
    return false;
  }
  ++stats_.requests;
  ++stats_.running;
  ++served_;
  if (draining_) ++served_while_draining_;
  // Earlier responses of the batch must not wait for a handler that parks.
  bool alive = wire_.output().FlushSoon().ok();
  if (alive) {
    wire_.input().Consume(parser_.head_bytes());
    wire_.Pin();
    Request request = MakeRequest(head, &body_, this);
    body_.Start(parser_.framing(), request.trailers);
    writer_.Start(head.method == "HEAD", head.version_minor);
    Response response(writer_);
    const absl::Status result = RunHandler(request, response);
    const bool answered = result.ok() || AnswerFailure(request, response, result);
    RunPostHooks(request, response);
    if (body_.failure_status() == 408) ++stats_.body_timeouts;
    Note(request, {}, answered && writer_.complete());
    alive = answered && Conclude() && !client_gone_;
    wire_.Unpin();
  }
  --(switched_.has_value() ? stats_.switched : stats_.running);
  return alive;
}

absl::Status Connection::RunHandler(Request& request, Response& response) {
  absl::Status result = Guarded([&] {
    absl::Status handled = router_.Dispatch(request, response);
    return handled.ok() ? response.Finish() : handled;
  });
  if (std::exchange(watching_, false)) {
    Hub::Current()->descriptors().WatchHangup(wire_.stream().fd(), nullptr);
  }
  return result;
}

void Connection::RunPostHooks(const Request& request, Response& response) {
  const std::vector<PostHook> hooks = response.TakePostHooks();
  if (hooks.empty()) return;
  const bool sent = wire_.output().Flush().ok();
  const ResponseOutcome outcome{.status = writer_.status(),
                                .body_bytes = writer_.body_bytes(),
                                .complete = sent && writer_.complete()};
  for (const PostHook& hook : hooks) {
    const absl::Status ran = Guarded([&] {
      hook(outcome);
      return absl::OkStatus();
    });
    if (!ran.ok() && options_.on_failure) options_.on_failure(request, ran);
  }
}

bool Connection::AnswerFailure(const Request& request, const Response& response,
                               const absl::Status& failure) {
  // As it asked for: no failure of the handler's.
  if (client_gone_ && absl::IsCancelled(failure)) {
    if (writer_.begun()) Abort();
    return false;
  }
  // Nor is what a client did that left amid its body.
  if (!body_.failed() || body_.failure_status() != 0) {
    ++stats_.handler_failures;
    if (options_.on_failure) options_.on_failure(request, failure);
  }
  if (writer_.complete()) return true;
  if (writer_.begun()) {
    Abort();
    return false;
  }
  int status = body_.failure_status();
  if (status == 0) {
    // The client is gone: whatever the handler made of that, nobody hears it.
    if (body_.failed()) return false;
    status = failure.ok() ? 500 : StatusToHttp(failure.code());
  }
  // What failed inside is for the log; what the client did wrong, for the client.
  const bool tell = status < 500 && !failure.message().empty();
  std::string text(tell ? std::string(failure.message()) : std::string(ReasonPhrase(status)));
  text += "\r\n";
  const Fields always = response.always();
  std::vector<std::pair<std::string, std::string>> fields(always.begin(), always.end());
  if (const auto delay = RetryDelayOf(failure); delay && (status == 429 || status == 503)) {
    fields.emplace_back("Retry-After", RetryAfter(*delay));
  }
  return writer_.Send(status, fields, "text/plain", text).ok();
}

bool Connection::Conclude() {
  if (!writer_.complete()) {
    Abort();
    return false;
  }
  if (writer_.keeps_alive()) {
    if (body_.ended() || body_.Discard(kDiscardBytesMax)) return true;
    staged_close_ = true;
    return false;
  }
  staged_close_ = MayHaveMore();
  return false;
}

bool Connection::MayHaveMore() const {
  return parser_.framing().keep_alive() || !body_.ended() || !wire_.input().empty() ||
         switched_.has_value();
}

void Connection::Refuse(const Refusal& refusal, const RequestHead* head) {
  ++stats_.refused;
  const std::string_view line = RequestLineOf(wire_.input().unread());
  writer_.Start(/*head_request=*/line.starts_with("HEAD "), /*version_minor=*/1);
  const std::pair<std::string, std::string> close[] = {{"Connection", "close"}};
  std::string body(ReasonPhrase(refusal.status));
  body.append(": ").append(refusal.reason).append("\r\n");
  const bool sent = writer_.Send(refusal.status, close, "text/plain", body).ok();
  if (head == nullptr) {
    NoteUnparsed(sent);
  } else {
    Note(MakeRequest(*head, nullptr, nullptr), {}, sent);
  }
  staged_close_ = sent;
}

void Connection::Note(const Request& request, std::string_view refused_line, bool complete) {
  const int64_t wall = Hub::Current()->ReadClock() - began_;
  if (!switched_.has_value()) stats_.CountDuration(wall);
  if (!complete && (client_gone_ || request.body == nullptr || !wire_.output().failure().ok() ||
                    (body_.failed() && body_.failure_status() == 0))) {
    ++stats_.clients_gone;
  }
  stats_.CountMethod(request.method);
  if (options_.access_log == nullptr) return;
  // What a refused request had sent was never used.
  const uint64_t read = refused_line.empty() ? wire_.used_bytes() : wire_.read_bytes();
  options_.access_log->Note({.request = request,
                             .refused_line = refused_line,
                             .status = writer_.status(),
                             .complete = complete,
                             .body_bytes = writer_.body_bytes(),
                             .request_bytes = read - read_before_,
                             .response_bytes = wire_.output().position() - sent_before_,
                             .wall = absl::Nanoseconds(wall)});
}

// The parser's views may be of another request, so the line is looked for anew. Some clients end a
// body with a line end too many and leave: that is no request.
void Connection::NoteUnparsed(bool complete) {
  const std::string_view line = RequestLineOf(wire_.input().unread());
  if (line.empty() && writer_.status() == 0) return;
  const std::string_view method = line.substr(0, line.find(' '));
  RequestHead head{.method = method};
  if (method.size() < line.size()) {
    const std::string_view rest = line.substr(method.size() + 1);
    head.target = rest.substr(0, rest.find(' '));
    const size_t query = head.target.find('?');
    head.path = head.target.substr(0, query);
    if (query != std::string_view::npos) head.query = head.target.substr(query + 1);
  }
  Note(MakeRequest(head, nullptr, nullptr), line.empty() ? "-" : line, complete);
}

void Connection::Linger() {
  if (!wire_.output().Flush().ok() || !wire_.stream().ShutdownWrite().ok()) return;
  wire_.input().Consume(wire_.input().unread().size());
  wire_.Trim();
  Timeout timeout(options_.linger_timeout);
  char scratch[4096];
  uint64_t discarded = 0;
  while (discarded < kLingerBytesMax) {
    const absl::StatusOr<size_t> got = wire_.stream().Read(scratch);
    if (!got.ok() || *got == 0) return;
    discarded += *got;
  }
}

void Connection::Abort() {
  if (!wire_.output().Flush().ok()) return;
  if (!writer_.close_delimited()) return;
  // Only a reset tells such a client that the body is cut short.
  wire_.stream().Abort();
}

}  // namespace grove::http

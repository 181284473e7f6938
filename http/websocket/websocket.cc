// Three kinds of fibers may be at work: the connection's own reads, the users' receive and send,
// and a closer, if there is one, sends a close frame for somebody who must not park. MessageSender
// lets them take turns; after a close frame nothing more is sent, and the timer bounds what is
// still read.
//
// They meet in SessionState (how far the closing is, what the function does) and in the queue, and
// wake each other by three events: `arrived_` for the function, `taken_` for the reader that waits
// for room, `settled_` for the reader that waits with its close frame until the function has
// answered what came before it. Each is set where its
// condition may have become true, and looked at anew by who wakes.
//
// Two orders matter. A close frame counts as sent before it is written: whoever holds a message
// must not send it behind one that is on its way. And why the session failed stands before our
// close frame, as the function is woken by that and must hear the reason.
//
// The reader never waits for who sends: the peer may be one that reads nothing until it is read.
//
// Neither the function's fiber nor the closer outlives Serve(): they use what lies on the stack of
// the connection's fiber, so they are waited for however that is interrupted.
#include "http/websocket/websocket.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http/message/utf8.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {

using websocket::FunctionPhase;
using websocket::kCloseGoingAway;
using websocket::kCloseInternalError;
using websocket::kCloseNormal;
using websocket::MessageReader;
using websocket::Opcode;

namespace {

// For the function to answer what the client sent before it closed or broke the protocol. Short:
// clients wait for our close frame, most for some seconds.
constexpr absl::Duration kAnswerGrace = absl::Seconds(1);
// Asked for at least, and at most, when more is to be read.
constexpr size_t kReadBytesMin = 1024;
constexpr size_t kReadBytesMax = 64 * 1024;

absl::Status FailureStatus(const websocket::CloseStatus& failure) {
  const std::string text =
      absl::StrCat("WebSocket closed with ", failure.code, ": ", failure.reason);
  if (failure.code == websocket::kCloseTooBig || failure.code == websocket::kCloseTryAgainLater) {
    return absl::ResourceExhaustedError(text);
  }
  if (failure.code == kCloseInternalError) return absl::InternalError(text);
  return absl::InvalidArgumentError(text);
}

absl::Status ClosedBy(std::string_view peer, const websocket::CloseStatus& close) {
  const std::string code =
      close.code == websocket::kCloseNoCode ? "no code" : absl::StrCat("code ", close.code);
  return absl::UnavailableError(absl::StrCat("the ", Abseil(peer), " closed the WebSocket with ",
                                             code, close.reason.empty() ? "" : ": ", close.reason));
}

// Codes by which a server says that there is nothing wrong.
bool IsPeaceful(uint16_t code) {
  return code == kCloseNormal || code == kCloseGoingAway || code == websocket::kCloseNoCode;
}

}  // namespace

WebSocket::WebSocket(Transport& transport, websocket::Role role,
                     const WebSocketSessionOptions& options, const websocket::Agreement& agreed)
    : transport_(transport),
      role_(role),
      options_(options),
      agreed_(agreed),
      reader_(role, options.limits, agreed.deflate, options.budget),
      sender_(transport, role, agreed.deflate,
              {.level = options.deflate_level, .bytes_min = options.deflate_bytes_min}, state_,
              [this] { return Gone(); }) {}

WebSocket::~WebSocket() {
  GROVE_CHECK(!close_timer_.armed(), "a WebSocket died while it closes");
}

absl::StatusOr<std::optional<Message>> WebSocket::Receive() {
  state_.Enter(FunctionPhase::kReady);
  while (queue_.empty()) {
    settled_.Set();
    if (closing()) {
      if (!end_status_.ok()) return end_status_;
      return std::optional<Message>();
    }
    arrived_.Reset();
    if (absl::Status arrived = arrived_.Wait(); !arrived.ok()) return arrived;
  }
  std::optional<Message> message(std::move(queue_.front().message));
  queue_.pop_front();
  queued_bytes_ -= message->payload.size();
  state_.Enter(FunctionPhase::kBusy);
  taken_.Set();
  return message;
}

absl::Status WebSocket::Gone() const {
  if (absl::IsUnavailable(end_status_)) return end_status_;
  if (peer_close_.code != websocket::kCloseAbnormal) return ClosedBy(PeerName(), peer_close_);
  return absl::UnavailableError("the WebSocket is closing");
}

absl::Status WebSocket::Send(MessageType type, std::string_view payload) {
  const HalfMessage half{*this};
  return sender_.Send(type, payload);
}

absl::Status WebSocket::SendPieces(MessageType type, websocket::MessageSource next) {
  const HalfMessage half{*this};
  return sender_.SendPieces(type, std::move(next));
}

WebSocket::HalfMessage::~HalfMessage() {
  if (socket.sender_.half_sent()) socket.CloseSoon(kCloseInternalError);
}

absl::Status WebSocket::Ping(std::string_view payload) {
  if (payload.size() > websocket::kControlBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a ping carries at most ", websocket::kControlBytesMax, " bytes"));
  }
  return sender_.SendControl(Opcode::kPing, payload);
}

absl::Status WebSocket::Close(uint16_t code, std::string_view reason) {
  if (!websocket::IsSendableCloseCode(code)) {
    return absl::InvalidArgumentError(absl::StrCat("close code ", code, " may not be sent"));
  }
  if (reason.size() > websocket::kCloseReasonBytesMax || !IsUtf8(reason)) {
    return absl::InvalidArgumentError(absl::StrCat("a close reason is UTF-8 of at most ",
                                                   websocket::kCloseReasonBytesMax, " bytes"));
  }
  return SendClose(code, reason);
}

absl::Status WebSocket::SendClose(uint16_t code, std::string_view reason) {
  if (state_.close_sent()) return absl::OkStatus();
  MutexLock lock(sender_.turn());
  if (!lock.ok()) return lock.status();
  if (state_.close_sent()) return absl::OkStatus();
  state_.SendClose();
  Hub& hub = *Hub::Current();
  if (!state_.read_ended())
    hub.timers().Arm(close_timer_, DeadlineAfter(hub.now(), options_.close_timeout));
  taken_.Set();
  arrived_.Set();
  settled_.Set();
  return sender_.WriteClose(code, reason);
}

void WebSocket::CloseTimer::Fire(Timer& timer) {
  static_cast<CloseTimer&>(timer).socket.transport_.StopReading();
}

void WebSocket::CloseSoon(uint16_t code) {
  if (closing() || (closer_ && !closer_.ended())) return;
  absl::StatusOr<FiberHandle> closer =
      Spawn("http.websocket.close", [this, code] { SendClose(code, {}).IgnoreError(); });
  if (closer.ok()) {
    closer_ = *std::move(closer);
  } else {
    transport_.StopReading();
  }
}

WebSocket::FunctionEnd::~FunctionEnd() {
  socket.state_.Enter(FunctionPhase::kEnded);
  socket.settled_.Set();
  socket.CloseSoon(status.ok() ? kCloseNormal : kCloseInternalError);
}

void WebSocket::End(absl::Status status) {
  state_.EndRead();
  end_status_ = std::move(status);
  Hub::Current()->timers().Cancel(close_timer_);
  arrived_.Set();
}

bool WebSocket::TakeMessage() {
  Received received{.message = reader_.TakeMessage(), .charge = reader_.TakeCharge()};
  // After our close frame the client's messages are not for anybody.
  while (!state_.close_sent() && (queue_.size() >= options_.queued_messages_max ||
                                  queued_bytes_ >= options_.queued_bytes_max)) {
    taken_.Reset();
    if (absl::Status taken = taken_.Wait(); !taken.ok()) {
      End(taken);
      return false;
    }
  }
  if (state_.close_sent()) return true;
  queued_bytes_ += received.message.payload.size();
  queue_.push_back(std::move(received));
  arrived_.Set();
  return true;
}

// The function has answered all that was received, or will answer no more.
bool WebSocket::IsSettled() const {
  if (state_.function() == FunctionPhase::kEnded || state_.close_sent()) return true;
  return state_.function() == FunctionPhase::kReady && queue_.empty();
}

void WebSocket::AwaitAnswers() {
  Timeout timeout(kAnswerGrace);
  while (!IsSettled()) {
    settled_.Reset();
    if (!settled_.Wait().ok()) return;
  }
}

bool WebSocket::TakeInput() {
  for (;;) {
    std::span<char> bytes = transport_.unread();
    const size_t before = bytes.size();
    const MessageReader::Event event = reader_.Next(bytes);
    transport_.Consume(before - bytes.size());
    switch (event) {
      case MessageReader::Event::kNeedMore:
        return true;
      case MessageReader::Event::kMessage:
        if (!TakeMessage()) return false;
        break;
      case MessageReader::Event::kPing:
        AnswerPing();
        break;
      case MessageReader::Event::kPong:
        break;
      case MessageReader::Event::kClose:
        TakeClose();
        return false;
      case MessageReader::Event::kFailed:
        FailPeer();
        return false;
    }
  }
}

void WebSocket::AnswerPing() {
  // The server's transport bounds it by itself.
  Timeout patience(is_client() ? options_.pong_timeout : absl::InfiniteDuration());
  // One that can't be answered shows at the next read or write.
  sender_.Pong(reader_.control_payload()).IgnoreError();
}

void WebSocket::TakeClose() {
  AwaitAnswers();
  peer_close_ = reader_.close();
  // A function is told by peer_close() alone. To who has begun the closing, the answer is none.
  const bool unasked = is_client() && !state_.close_sent();
  absl::Status end =
      unasked && !IsPeaceful(peer_close_.code) ? ClosedBy(PeerName(), peer_close_) : absl::Status();
  end_status_ = end;
  // As it came, also without a code (RFC 6455, 5.5.1): browsers report what we answer.
  SendLastClose(peer_close_.code, peer_close_.reason);
  End(std::move(end));
}

void WebSocket::FailPeer() {
  AwaitAnswers();
  // Set first: the function must not hear of the close without hearing why.
  end_status_ = FailureStatus(reader_.close());
  SendLastClose(reader_.close().code, reader_.close().reason);
  End(end_status_);
}

// Nothing more is read: a peer that takes nothing either is not waited for.
void WebSocket::SendLastClose(uint16_t code, std::string_view reason) {
  Timeout patience(is_client() ? options_.close_timeout : absl::InfiniteDuration());
  SendClose(code, reason).IgnoreError();
}

absl::Duration WebSocket::SilenceMax() const {
  if (state_.close_sent()) return absl::InfiniteDuration();  // close_timer_ bounds it
  return asked_.has_value() ? options_.pong_timeout : options_.ping_interval;
}

void WebSocket::PingSilent() {
  // Amid a message: its bytes show whether the client lives, and this fiber must go on reading.
  if (sender_.busy()) return;
  const Transport::Progress before = transport_.progress();
  {
    Timeout patience(is_client() ? options_.pong_timeout : absl::InfiniteDuration());
    sender_.SendControl(Opcode::kPing, {}).IgnoreError();
  }
  asked_ = {.ping_end = transport_.progress().written,
            .taken = before.taken,
            .left = before.taken >= before.written};
}

bool WebSocket::MayStillAnswer() {
  const Transport::Progress now = transport_.progress();
  // That it takes bytes counts only while it is behind: its kernel alone takes what fits there.
  const bool takes = now.taken > asked_->taken && now.taken < now.written;
  const bool left = now.taken >= asked_->ping_end;
  const bool just_left = left && !asked_->left;
  *asked_ = {.ping_end = asked_->ping_end, .taken = now.taken, .left = left};
  return takes || just_left;
}

bool WebSocket::AwaitMore() {
  const size_t room = std::clamp<uint64_t>(reader_.payload_left(), kReadBytesMin, kReadBytesMax);
  absl::StatusOr<size_t> got;
  bool silent = false;
  {
    Timeout timeout(SilenceMax());
    got = transport_.Fill(room);
    silent = timeout.fired() && !got.ok();
  }
  if (got.ok() && *got > 0) {
    asked_.reset();
    return true;
  }
  if (silent && state_.close_sent()) return true;
  if (silent && !asked_.has_value()) {
    PingSilent();
    return true;
  }
  if (silent && MayStillAnswer()) return true;
  if (silent) {
    absl::Status end = absl::UnavailableError(
        absl::StrCat("the ", Abseil(PeerName()), " answered no ping in time"));
    if (is_client()) end_status_ = end;
    SendLastClose(kCloseInternalError, "no pong in time");
    End(std::move(end));
  } else if (!got.ok()) {
    End(got.status());
  } else {
    // Also where close_timeout ended the wait: then it was we who left.
    End(state_.close_sent() ? absl::OkStatus()
                            : absl::UnavailableError(absl::StrCat("the ", Abseil(PeerName()),
                                                                  " left without a close frame")));
  }
  return false;
}

void WebSocket::Read() {
  while (TakeInput() && AwaitMore()) {
  }
}

// The function's fiber uses this one's memory: whatever happens to this fiber, it is waited for.
void WebSocket::AwaitFunction(FiberHandle& function) {
  function.Join().IgnoreError();
  if (function.ended()) return;
  // This fiber was interrupted: so is the function.
  function.Cancel();
  function.AwaitEnd();
}

void WebSocket::AwaitCloser() {
  if (closer_) closer_.AwaitEnd();
  Hub::Current()->timers().Cancel(close_timer_);
}

void WebSocket::Run() {
  Read();
  AwaitCloser();
}

absl::Status WebSocket::Serve(const std::function<absl::Status()>& function) {
  absl::StatusOr<FiberHandle> spawned = Spawn("http.websocket", [this, &function] {
    FunctionEnd end{*this};
    end.status = function();
    return end.status;
  });
  if (!spawned.ok()) {
    SendClose(kCloseInternalError, {}).IgnoreError();
    End(spawned.status());
    return spawned.status();
  }
  transport_.set_on_drain([this] { CloseSoon(kCloseGoingAway); });
  Read();
  AwaitFunction(*spawned);
  transport_.set_on_drain(nullptr);
  AwaitCloser();
  absl::Status result = spawned->Join();
  // How the connection ended is no failure of the function that passes it on.
  const bool told = absl::IsUnavailable(result) || result == end_status_;
  return told && closing() ? absl::OkStatus() : result;
}

}  // namespace grove::http

#include "http/client/http2_connection.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_format.h"
#include "http/client/client_connection.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/label_scope.h"
#include "runtime/hub/timeout.h"
#include "runtime/trace/span.h"

namespace grove::http {
namespace {

// Gathered for one call of the stream's: four TLS records.
constexpr size_t kWriteBytes = 64 * 1024;
// The head of an answer, or a small one.
constexpr size_t kIdleReadBytes = 1024;
// For the last frames of a connection that ends.
constexpr absl::Duration kGoodbyeMax = absl::Seconds(1);

MonotonicNanos Now() {
  return Hub::CurrentOrDie().now();
}

}  // namespace

Http2Connection::Http2Connection(std::unique_ptr<Stream> stream, ConnectionPool::Lease place,
                                 const Http2Limits& limits, const PoolLimits& pool, Watch& watch)
    : stream_(std::move(stream)),
      place_(std::move(place)),
      limits_(limits),
      idle_max_(pool.idle_max),
      old_at_(DeadlineAfter(Now(), pool.age_max)),
      watch_(&watch),
      session_(limits),
      idle_since_(Now()),
      received_at_(Now()) {}

std::shared_ptr<Http2Connection> Http2Connection::Start(std::unique_ptr<Stream> stream,
                                                        ConnectionPool::Lease place,
                                                        const Http2Limits& limits,
                                                        const PoolLimits& pool, Watch& watch) {
  std::shared_ptr<Http2Connection> made(
      new Http2Connection(std::move(stream), std::move(place), limits, pool, watch));
  absl::StatusOr<FiberHandle> reader = Spawn("http2-reader", [made] { made->Read(); });
  if (!reader.ok()) {
    made->Die(reader.status());
  } else {
    made->ArmTimer();
    made->Flush();
  }
  return made;
}

bool Http2Connection::has_room() const {
  return !closed_ && !draining_ && old_at_ > Now() && session_.has_room(reserved_);
}

void Http2Connection::Unreserve() {
  --reserved_;
  Changed();
}

absl::Status Http2Connection::Submit(const HttpFields& fields, bool has_body, Http2Stream& stream) {
  --reserved_;
  if (closed_) {
    stream.refused = true;
    return absl::UnavailableError("the HTTP/2 connection has ended");
  }
  absl::Status submitted = session_.Submit(fields, has_body, stream);
  was_idle_ = false;
  Flush();
  return submitted;
}

void Http2Connection::Resume(Http2Stream& stream) {
  session_.Resume(stream);
  Flush();
}

void Http2Connection::TakeBody(Http2Stream& stream, std::string& body) {
  session_.TakeBody(stream, body);
  Flush();
}

void Http2Connection::GiveUp(Http2Stream& stream) {
  session_.GiveUp(stream);
  Flush();
  Changed();
}

void Http2Connection::Drain() {
  draining_ = true;
  if (idle()) Close(absl::UnavailableError("the HTTP/2 connection has ended"));
}

void Http2Connection::End(const absl::Status& why) {
  closed_ = true;
  timer_.Cancel();
  session_.Fail(why);
  place_.Drop();
  // Whoever is told may forget it.
  const std::shared_ptr<Http2Connection> held = shared_from_this();
  if (Watch* const told = std::exchange(watch_, nullptr); told != nullptr) told->OnChange(*this);
}

void Http2Connection::Die(const absl::Status& why) {
  const std::shared_ptr<Http2Connection> held = shared_from_this();
  stream_->Close();
  if (!closed_) End(why);
}

void Http2Connection::Close(const absl::Status& why) {
  if (closed_) return;
  const std::shared_ptr<Http2Connection> held = shared_from_this();
  session_.Terminate();
  End(why);
  Flush();
  // The writer closes it behind the last frame, if that is taken in time.
  if (!writing_) return stream_->Close();
  timer_ = ScheduleCall(kGoodbyeMax, [held] { held->stream_->Close(); });
}

void Http2Connection::Changed() {
  if (closed_) return;
  const bool now_idle = idle();
  if (now_idle && !was_idle_) {
    idle_since_ = Now();
    if (NextDue() < timer_due_) ArmTimer();
  }
  was_idle_ = now_idle;
  if (now_idle && (draining_ || session_.draining() || old_at_ <= Now())) {
    return Close(session_.EndReason());
  }
  if (watch_ != nullptr) watch_->OnChange(*this);
}

void Http2Connection::Read() {
  // Nobody's in particular, whoever's request came first.
  const LabelScope nobody(nullptr);
  const TraceScope untraced;
  // A connection may have no stream for long: then it waits with what its stack has.
  char first[kIdleReadBytes];
  std::unique_ptr<char[]> buffer;
  for (;;) {
    if (idle()) {
      buffer = nullptr;
    } else if (buffer == nullptr) {
      buffer.reset(new char[kClientReadBytes]);
    }
    const std::span<char> room =
        buffer == nullptr ? std::span<char>(first) : std::span(buffer.get(), kClientReadBytes);
    absl::StatusOr<size_t> got = stream_->Read(room);
    if (!got.ok()) {
      // What interrupts this fiber is the end of the hub's run.
      return Die(absl::IsUnavailable(got.status())
                     ? got.status()
                     : absl::UnavailableError(got.status().message()));
    }
    if (*got == 0) return Die(absl::UnavailableError("the server closed the connection"));
    if (closed_) continue;
    received_at_ = Now();
    pinged_at_ = 0;
    if (absl::Status status = session_.Receive({room.data(), *got}, received_at_); !status.ok()) {
      Close(status);
      continue;
    }
    Flush();
    Changed();
  }
}

void Http2Connection::Flush() {
  if (writing_ || !stream_->open() || !session_.wants_write()) return;
  absl::StatusOr<FiberHandle> writer =
      Spawn("http2-writer", [self = shared_from_this()] { self->Write(); });
  writing_ = writer.ok();
  if (!writer.ok()) Die(writer.status());
}

absl::Status Http2Connection::WriteAll() {
  // Frames of a batch that nobody takes for so long are those of a connection that does not live.
  Timeout patience(limits_.ping_after + limits_.ping_timeout);
  for (std::string out;; out.clear()) {
    if (absl::Status made = session_.Produce(out, kWriteBytes); !made.ok()) return made;
    if (out.empty()) return absl::OkStatus();
    if (absl::Status sent = stream_->Write(out); !sent.ok()) {
      return patience.Caused(sent) ? absl::UnavailableError("the server takes nothing") : sent;
    }
    patience.Restart(limits_.ping_after + limits_.ping_timeout);
  }
}

void Http2Connection::Write() {
  const LabelScope nobody(nullptr);
  const TraceScope untraced;
  absl::Status written = WriteAll();
  writing_ = false;
  if (closed_) {
    timer_.Cancel();
    return stream_->Close();
  }
  if (!written.ok()) {
    return Die(absl::IsUnavailable(written) ? written : absl::UnavailableError(written.message()));
  }
  if (session_.done()) return Die(session_.EndReason());
  Changed();
}

MonotonicNanos Http2Connection::NextDue() const {
  MonotonicNanos due = pinged_at_ != 0 ? DeadlineAfter(pinged_at_, limits_.ping_timeout)
                                       : DeadlineAfter(received_at_, limits_.ping_after);
  if (idle()) due = std::min(due, DeadlineAfter(idle_since_, idle_max_));
  return due;
}

void Http2Connection::ArmTimer() {
  timer_.Cancel();
  timer_due_ = NextDue();
  if (timer_due_ == kNever) return;
  timer_ = ScheduleCall(absl::Nanoseconds(timer_due_ - Now()), [this] { Tick(); });
}

void Http2Connection::Tick() {
  const MonotonicNanos now = Now();
  if (idle() && DeadlineAfter(idle_since_, idle_max_) <= now) {
    return Close(absl::UnavailableError("the HTTP/2 connection has been idle"));
  }
  if (pinged_at_ != 0) {
    if (DeadlineAfter(pinged_at_, limits_.ping_timeout) <= now) {
      return Die(
          absl::UnavailableError(absl::StrFormat("the server has not answered a ping for %s",
                                                 absl::FormatDuration(limits_.ping_timeout))));
    }
  } else if (DeadlineAfter(received_at_, limits_.ping_after) <= now) {
    pinged_at_ = now;
    session_.Ping();
    Flush();
    if (closed_) return;
  }
  ArmTimer();
}

}  // namespace grove::http

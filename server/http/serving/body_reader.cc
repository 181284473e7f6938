#include "server/http/serving/body_reader.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove::http {
namespace {

// From this size on a read goes straight to the handler's buffer.
constexpr size_t kDirectBytesMin = 4096;

}  // namespace

void BodyReader::Start(const Framing& framing, std::span<const Field>& trailers) {
  kind_ = framing.body();
  ended_ = kind_ == BodyKind::kNone;
  continue_due_ = framing.expect_continue();
  failure_status_ = 0;
  failure_ = absl::OkStatus();
  if (ended_) return;
  left_ = framing.content_length();
  taken_ = 0;
  waited_ = absl::ZeroDuration();
  paced_bytes_ = 0;
  trailers_ = &trailers;
  if (kind_ == BodyKind::kChunked) decoder_.Reset();
}

absl::Status BodyReader::Fail(int http_status, absl::Status status) {
  failure_status_ = http_status;
  failure_ = std::move(status);
  return failure_;
}

absl::Status BodyReader::FailRead(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) {
    return Fail(408, absl::DeadlineExceededError("the client sends the body too slowly"));
  }
  // Not the client's doing: a cancelled fiber, an outer Timeout's end.
  if (!absl::IsUnavailable(status)) return Fail(0, status);
  return Fail(0, absl::UnavailableError(absl::StrCat("reading the body: ", status.message())));
}

absl::StatusOr<size_t> BodyReader::Read(std::span<char> buffer) {
  if (!failure_.ok()) return failure_;
  if (ended_ || buffer.empty()) return size_t{0};
  if (continue_due_) {
    continue_due_ = false;
    // A client that sends the body unasked needs no invitation (RFC 9110, 10.1.1).
    if (wire_.input().empty()) wire_.output().pending().Append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  absl::StatusOr<size_t> got =
      kind_ == BodyKind::kLength ? ReadLength(buffer) : ReadChunked(buffer);
  if (!got.ok()) return got;
  taken_ += *got;
  if (taken_ > options_.body_max_bytes) {
    return Fail(413, absl::ResourceExhaustedError(absl::StrCat("the request's body is longer than ",
                                                               options_.body_max_bytes, " bytes")));
  }
  return got;
}

uint64_t BodyReader::PaceBytes() const {
  const double bytes = absl::ToDoubleSeconds(options_.io_timeout) *
                       static_cast<double>(options_.body_rate_min_bytes_per_s);
  return std::max<uint64_t>(1, static_cast<uint64_t>(bytes));
}

// The time that passes between two calls is the handler's, not the client's.
absl::StatusOr<size_t> BodyReader::Fill(std::span<char> direct) {
  // What was answered so far, "100 Continue" too: the client may wait for it before it sends more.
  // How long it takes for that is not the body's pace: hence outside the time-out.
  if (absl::Status flushed = wire_.Flush(); !flushed.ok()) return Fail(0, std::move(flushed));
  Hub& hub = *Hub::Current();
  const MonotonicNanos began = hub.now();
  Timeout timeout(options_.io_timeout - waited_);
  absl::StatusOr<size_t> got = direct.empty() ? wire_.Fill() : wire_.ReadDirect(direct);
  if (!got.ok()) return FailRead(got.status());
  if (*got == 0) return Fail(0, absl::UnavailableError("the client left amid the body"));
  waited_ += absl::Nanoseconds(hub.now() - began);
  paced_bytes_ += *got;
  if (paced_bytes_ >= PaceBytes()) {
    waited_ = absl::ZeroDuration();
    paced_bytes_ = 0;
  }
  return got;
}

absl::StatusOr<size_t> BodyReader::ReadLength(std::span<char> buffer) {
  buffer = buffer.first(std::min<uint64_t>(buffer.size(), left_));
  size_t taken = 0;
  if (wire_.input().empty() && buffer.size() >= kDirectBytesMin) {
    absl::StatusOr<size_t> got = Fill(buffer);
    if (!got.ok()) return got;
    taken = *got;
  } else {
    if (wire_.input().empty()) {
      if (absl::StatusOr<size_t> filled = Fill(); !filled.ok()) return filled;
    }
    const std::string_view unread = wire_.input().unread();
    taken = std::min(buffer.size(), unread.size());
    std::memcpy(buffer.data(), unread.data(), taken);
    wire_.input().Consume(taken);
  }
  left_ -= taken;
  if (left_ == 0) ended_ = true;
  return taken;
}

absl::StatusOr<size_t> BodyReader::ReadChunked(std::span<char> buffer) {
  size_t taken = 0;
  while (taken < buffer.size()) {
    const std::string_view unread = wire_.input().unread();
    std::string_view rest = unread;
    std::string_view data;
    const ChunkedDecoder::Event event = decoder_.Next(rest, buffer.size() - taken, data);
    wire_.input().Consume(unread.size() - rest.size());
    if (event == ChunkedDecoder::Event::kBad) {
      return Fail(400, absl::InvalidArgumentError("malformed chunked body"));
    }
    if (event == ChunkedDecoder::Event::kDone) {
      ended_ = true;
      *trailers_ = decoder_.trailers();
      return taken;
    }
    if (event == ChunkedDecoder::Event::kData) {
      std::memcpy(buffer.data() + taken, data.data(), data.size());
      taken += data.size();
    } else if (taken > 0) {
      return taken;
    } else if (absl::StatusOr<size_t> filled = Fill(); !filled.ok()) {
      return filled;
    }
  }
  return taken;
}

bool BodyReader::Discard(uint64_t bytes_max) {
  if (continue_due_ || failed() || known_left() > bytes_max) return ended_ && !failed();
  if (!ended_ && !wire_.Flush().ok()) return false;
  char scratch[4096];
  Timeout whole(options_.io_timeout);
  for (uint64_t discarded = 0; !ended_ && discarded <= bytes_max;) {
    absl::StatusOr<size_t> got = Read(scratch);
    if (!got.ok()) return false;
    discarded += *got;
  }
  return ended_;
}

}  // namespace grove::http

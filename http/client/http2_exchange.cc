#include "http/client/http2_exchange.h"

#include <utility>

#include "http/client/request_head.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove::http {

Http2Exchange::~Http2Exchange() {
  EndSending();
  connection_->GiveUp(stream_);
}

absl::Status Http2Exchange::Run(HttpRequest& request, const Url& url, const HeadExtras& extras,
                                bool decode) {
  was_reused_ = connection_->answered();
  if (absl::Status sent = Send(request, url, extras); !sent.ok()) return Fail(std::move(sent));
  while (!stream_.has_head) {
    received_ = received_ || stream_.interims > 0;
    if (stream_.closed) {
      // A stream that was reset is no connection that had gone.
      was_reused_ = was_reused_ && connection_->closed();
      return Fail(stream_.failure);
    }
    stream_.changed.Reset();
    if (absl::Status waited = stream_.changed.Wait(); !waited.ok()) return Fail(std::move(waited));
  }
  received_ = true;
  // An answer without a body ends with its head.
  const bool whole = stream_.ended && stream_.body.empty();
  framing_.body = whole ? ResponseBody::kNone : ResponseBody::kChunked;
  ResponseHead head{.status = stream_.status, .reason = {}, .fields = {}};
  head.fields.reserve(stream_.fields.size());
  for (const auto& [name, value] : stream_.fields) head.fields.push_back({name, value});
  TakeHead(head, decode);
  stream_.fields.clear();
  if (whole) {
    trailers_ = std::move(stream_.trailers);
    Finish();
  }
  return absl::OkStatus();
}

absl::Status Http2Exchange::Send(HttpRequest& request, const Url& url, const HeadExtras& extras) {
  const bool has_body = HasBody(request);
  const bool apart = request.source != nullptr || (request.expect_continue && has_body);
  if (apart) {
    stream_.outgoing_ends = false;
  } else {
    stream_.outgoing = request.body;
  }
  absl::Status asked = connection_->Submit(WriteFields(request, url, extras), has_body, stream_);
  if (!asked.ok() || !apart) return asked;
  return SpawnSender(request);
}

absl::Status Http2Exchange::SendBody(HttpRequest& request) {
  if (request.expect_continue) {
    Timeout patience(kContinueWait);
    while (!stream_.may_send && !stream_.closed) {
      stream_.taken.Reset();
      absl::Status waited = stream_.taken.Wait();
      if (patience.Caused(waited)) break;
      if (!waited.ok()) return waited;
    }
  }
  if (request.source != nullptr) return SendPieces(request);
  stream_.outgoing = request.body;
  stream_.outgoing_ends = true;
  connection_->Resume(stream_);
  return absl::OkStatus();
}

absl::Status Http2Exchange::SendPieces(HttpRequest& request) {
  uint64_t left = request.source_length.value_or(0);
  for (bool ends = false; !ends;) {
    absl::StatusOr<std::string> piece = NextPiece(request, left);
    if (!piece.ok()) return piece.status();
    if (stream_.closed) return absl::CancelledError("the stream has ended");
    outgoing_ = *std::move(piece);
    ends = outgoing_.empty();
    stream_.outgoing = outgoing_;
    stream_.outgoing_ends = ends;
    connection_->Resume(stream_);
    while (!ends && !stream_.outgoing.empty()) {
      if (stream_.closed) return absl::CancelledError("the stream has ended");
      stream_.taken.Reset();
      if (absl::Status waited = stream_.taken.Wait(); !waited.ok()) return waited;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> Http2Exchange::NextCoded() {
  for (;;) {
    if (!stream_.body.empty()) {
      connection_->TakeBody(stream_, incoming_);
      return std::string_view(incoming_);
    }
    if (stream_.ended) {
      trailers_ = std::move(stream_.trailers);
      return std::string_view();
    }
    if (stream_.closed) return stream_.failure;
    stream_.changed.Reset();
    if (absl::Status waited = stream_.changed.Wait(); !waited.ok()) return waited;
  }
}

void Http2Exchange::Finish() {
  ended_ = true;
  Drop();
}

void Http2Exchange::Drop() {
  EndSending();
  connection_->GiveUp(stream_);
}

void Http2Exchange::AbortBody() {
  stream_.closed = true;
  stream_.failure = source_failure_;
  stream_.changed.Set();
}

}  // namespace grove::http

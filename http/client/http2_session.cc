#include "http/client/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "http/client/response_parser.h"
#include "http/message/field.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

// As over HTTP/1: "103 Early Hints" and the like; more is a server gone mad.
constexpr int kInterimMax = 16;
// Frames that carry nothing (RFC 9113, 10.5): at once, and of them a second. A server has no reason
// to send more than some of them; each costs both sides, and this one more.
constexpr int64_t kAllowanceMax = 1024;
constexpr int64_t kAllowancePerSecond = 256;
// What this side sends is answered by such frames, which pay for themselves: a stream by resets and
// the like, a body by WINDOW_UPDATEs. Go's server has sent two of them for each read of its
// handler's, however small.
constexpr int64_t kEarnedPerRequest = 4;
constexpr int64_t kEarnedBytes = 256;
constexpr int64_t kEarnedMax = 64 * 1024;
// The connection's window: its bytes are credited as they come, so that one stream that is not read
// stops no other. What is kept is bounded by the streams' windows.
constexpr int32_t kConnectionWindows = 16;
constexpr int32_t kConnectionWindowMax = 1 << 30;
constexpr size_t kShownBytesMax = 200;

absl::Status Malformed(std::string_view why) {
  return absl::UnavailableError(StrCat("the server's answer is malformed: ", why));
}

bool IsSecret(std::string_view name) {
  return name == "authorization" || name == "proxy-authorization";
}

std::string_view Text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// nghttp2's callbacks; they are called by Receive() and Produce() alone.
struct Http2Callbacks {
  static Http2Session& Self(void* self) { return *static_cast<Http2Session*>(self); }

  static int OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* frame, void* self) {
    Self(self).chunk_bytes_ = 0;
    if (frame->type != NGHTTP2_DATA && frame->type != NGHTTP2_HEADERS) Self(self).Pay();
    // nghttp2 refuses it itself once the server has acknowledged that it must not.
    if (frame->type == NGHTTP2_PUSH_PROMISE) Self(self).Break("it promises what nobody asked for");
    return 0;
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    Http2Stream* const stream = Self(self).Find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->block_status = 0;
    stream->block.clear();
    stream->block_bytes = 0;
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t,
                      void* self) {
    Http2Stream* const stream = Self(self).Find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const std::string_view text = Text(value, value_bytes);
    if (Text(name, name_bytes) == ":status") {
      // nghttp2 has seen to it that these are three digits. It takes those below 100 for final
      // ones.
      stream->block_status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
      if (stream->block_status >= 100) return 0;
      Self(self).FailStream(*stream, Malformed(StrCat("its status is ", text)));
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->block_bytes += name_bytes + value_bytes;
    if (stream->block_bytes > kResponseHeadBytesMax) {
      Self(self).FailStream(
          *stream, absl::ResourceExhaustedError(absl::StrFormat(
                       "the response headers are larger than %d bytes", kResponseHeadBytesMax)));
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (stream->block.size() == kResponseFieldsMax) {
      Self(self).FailStream(*stream, Malformed("it has more than 256 fields"));
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->block.emplace_back(Text(name, name_bytes), text);
    return 0;
  }

  static int OnInvalidHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                             size_t name_bytes, const uint8_t*, size_t, uint8_t, void* self) {
    Http2Stream* const stream = Self(self).Find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const std::string_view shown = Text(name, std::min(name_bytes, kShownBytesMax));
    Self(self).FailStream(
        *stream, Malformed(StrCat("\"", absl::CHexEscape(Abseil(shown)), "\" is no field")));
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int OnChunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data,
                     size_t bytes, void* self) {
    Self(self).chunk_bytes_ += bytes;
    nghttp2_session_consume_connection(session, bytes);
    Http2Stream* const stream = Self(self).Find(id);
    if (stream == nullptr || stream->closed) return 0;
    // nghttp2 resets the stream, but takes its bytes until that has gone out: of a server that
    // reads nothing it would take them for ever.
    if (stream->body.size() + bytes > static_cast<size_t>(Self(self).limits_.stream_window_bytes)) {
      Self(self).Break("it sends more than a stream's window");
      return 0;
    }
    stream->body.append(Text(data, bytes));
    stream->changed.Set();
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    Http2Session& session = Self(self);
    Http2Stream* const stream = session.Find(frame->hd.stream_id);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        session.answered_ = true;
        if (stream != nullptr && !stream->closed) session.EndBlock(*stream, ends);
        break;
      case NGHTTP2_DATA:
        if (session.chunk_bytes_ == 0 && !ends) session.Pay();
        if (stream == nullptr || stream->closed || !ends) break;
        stream->ended = true;
        stream->changed.Set();
        break;
      case NGHTTP2_RST_STREAM:
        if (stream != nullptr) stream->reset = true;
        break;
      case NGHTTP2_SETTINGS:
        session.heard_settings_ = true;
        break;
      case NGHTTP2_GOAWAY:
        session.draining_ = true;
        session.goaway_code_ = frame->goaway.error_code;
        break;
      default:
        break;
    }
    return 0;
  }

  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type == NGHTTP2_DATA) {
      Self(self).Earn(2 + static_cast<int64_t>(frame->hd.length) / kEarnedBytes);
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
      Self(self).Earn(kEarnedPerRequest);
      Http2Stream* const stream = Self(self).Find(frame->hd.stream_id);
      if (stream != nullptr) stream->sent = true;
    }
    return 0;
  }

  static int OnNotSent(nghttp2_session*, const nghttp2_frame* frame, int error, void* self) {
    Http2Stream* const stream = Self(self).Find(frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && stream != nullptr &&
        error == NGHTTP2_ERR_FRAME_SIZE_ERROR) {
      Self(self).FailStream(
          *stream, absl::InvalidArgumentError("headers: larger than the 64 KiB of HTTP/2's block"));
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t id, uint32_t code, void* self) {
    Self(self).Closed(id, code);
    return 0;
  }

  static int OnError(nghttp2_session*, int, const char* text, size_t bytes, void* self) {
    const std::string_view shown(text, std::min(bytes, kShownBytesMax));
    Self(self).last_error_ = absl::CHexEscape(Abseil(shown));
    return 0;
  }

  static int OnInvalidFrame(nghttp2_session*, const nghttp2_frame*, int error, void* self) {
    Self(self).last_error_ = nghttp2_strerror(error);
    return 0;
  }

  static ssize_t OnPull(nghttp2_session*, int32_t id, uint8_t* out, size_t room, uint32_t* flags,
                        nghttp2_data_source*, void* self) {
    Http2Stream* const stream = Self(self).Find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const size_t bytes = std::min(room, stream->outgoing.size());
    if (bytes > 0) memcpy(out, stream->outgoing.data(), bytes);
    stream->outgoing.remove_prefix(bytes);
    if (stream->outgoing.empty()) stream->taken.Set();
    if (stream->outgoing.empty() && stream->outgoing_ends) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (bytes == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(bytes);
  }

  static nghttp2_session_callbacks* Make() {
    nghttp2_session_callbacks* callbacks = nullptr;
    GROVE_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0, "no memory for HTTP/2");
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, OnBeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, OnInvalidHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnChunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, OnNotSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, OnInvalidFrame);
    nghttp2_session_callbacks_set_error_callback2(callbacks, OnError);
    return callbacks;
  }
};

Http2Session::Http2Session(const Http2Limits& limits) : limits_(limits), allowance_(kAllowanceMax) {
  nghttp2_option* option = nullptr;
  GROVE_CHECK(nghttp2_option_new(&option) == 0, "no memory for HTTP/2");
  nghttp2_option_set_no_auto_window_update(option, 1);
  // Closed streams are kept for priorities alone, which nobody here uses.
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session_callbacks* const callbacks = Http2Callbacks::Make();
  const int made = nghttp2_session_client_new2(&session_, callbacks, this, option);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(option);
  GROVE_CHECK(made == 0, "no memory for HTTP/2");
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(limits.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kResponseHeadBytesMax},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  const int64_t window = int64_t{limits.stream_window_bytes} * kConnectionWindows;
  nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0,
      static_cast<int32_t>(std::min<int64_t>(window, kConnectionWindowMax)));
}

Http2Session::~Http2Session() {
  nghttp2_session_del(session_);
}

Http2Stream* Http2Session::Find(int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void Http2Session::Earn(int64_t frames) {
  earned_ = std::min(earned_ + frames, kEarnedMax);
}

void Http2Session::Pay() {
  if (earned_ > 0) {
    --earned_;
    return;
  }
  if (--allowance_ >= 0 || !broken_.ok()) return;
  end_code_ = NGHTTP2_ENHANCE_YOUR_CALM;
  broken_ =
      absl::UnavailableError("the server floods its HTTP/2 connection with frames of no content");
}

void Http2Session::Break(std::string_view why) {
  if (!broken_.ok()) return;
  end_code_ = NGHTTP2_PROTOCOL_ERROR;
  broken_ = absl::UnavailableError(StrCat("the server breaks the rules of HTTP/2: ", why));
}

absl::Status Http2Session::Submit(const HttpFields& fields, bool has_body, Http2Stream& stream) {
  std::vector<nghttp2_nv> block;
  block.reserve(fields.size());
  for (const auto& [name, value] : fields) {
    // What is secret goes into nobody's table (RFC 7541, 7.1.3).
    const uint8_t flags = IsSecret(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    block.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                     reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                     value.size(), flags});
  }
  nghttp2_data_provider body{};
  body.read_callback = Http2Callbacks::OnPull;
  const int32_t id = nghttp2_submit_request(session_, nullptr, block.data(), block.size(),
                                            has_body ? &body : nullptr, nullptr);
  if (id < 0) {
    // Its numbers are used up, or it ends.
    draining_ = true;
    stream.refused = true;
    return absl::UnavailableError(
        StrCat("the HTTP/2 connection takes no more requests: ", nghttp2_strerror(id)));
  }
  stream.id = id;
  streams_[id] = &stream;
  return absl::OkStatus();
}

void Http2Session::Resume(Http2Stream& stream) {
  if (stream.closed) return;
  stream.taken.Reset();
  // It is not deferred if nothing was pulled yet; then it will be.
  (void)nghttp2_session_resume_data(session_, stream.id);
}

void Http2Session::TakeBody(Http2Stream& stream, std::string& body) {
  body.clear();
  std::swap(body, stream.body);
  if (stream.closed || stream.ended) return;
  (void)nghttp2_session_consume_stream(session_, stream.id, body.size());
}

void Http2Session::GiveUp(Http2Stream& stream) {
  const int32_t id = std::exchange(stream.id, 0);
  const auto found = streams_.find(id);
  if (id == 0 || found == streams_.end()) return;
  found->second = nullptr;
  stream.closed = true;
  if (!terminated_) {
    (void)nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  }
}

void Http2Session::Ping() {
  (void)nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void Http2Session::Terminate() {
  if (std::exchange(terminated_, true)) return;
  draining_ = true;
  (void)nghttp2_session_terminate_session(session_, end_code_);
}

void Http2Session::Fail(const absl::Status& why) {
  draining_ = true;
  const auto streams = std::exchange(streams_, {});
  for (const auto& [id, stream] : streams) {
    if (stream == nullptr) continue;
    stream->refused = stream->refused || !stream->sent;
    if (!stream->ended) FailStream(*stream, why);
    stream->closed = true;
    stream->id = 0;
    stream->changed.Set();
    stream->taken.Set();
  }
}

void Http2Session::FailStream(Http2Stream& stream, absl::Status why) {
  if (stream.failure.ok()) stream.failure = std::move(why);
  stream.closed = true;
  stream.changed.Set();
  stream.taken.Set();
}

void Http2Session::EndBlock(Http2Stream& stream, bool ends) {
  const int status = stream.block_status;
  if (status >= 200) {
    stream.status = status;
    stream.fields = std::move(stream.block);
    stream.has_head = true;
  } else if (status != 0) {
    if (status == 100) {
      stream.may_send = true;
      stream.taken.Set();
    }
    if (++stream.interims > kInterimMax) {
      FailStream(stream,
                 absl::UnavailableError(StrCat("more than ", kInterimMax, " interim answers")));
    }
  } else {
    stream.trailers = std::move(stream.block);
  }
  stream.block.clear();
  stream.ended = ends && stream.failure.ok();
  stream.changed.Set();
}

void Http2Session::Closed(int32_t id, uint32_t error_code) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Http2Stream* const stream = found->second;
  streams_.erase(found);
  if (stream == nullptr) return;
  stream->id = 0;
  // RFC 9113, 8.1: a server that has answered may stop the rest of the request so.
  if (!stream->ended && stream->failure.ok()) {
    stream->refused = error_code == NGHTTP2_REFUSED_STREAM || !stream->sent;
    stream->wants_http1 = error_code == NGHTTP2_HTTP_1_1_REQUIRED;
    FailStream(*stream,
               stream->reset || stream->refused
                   ? absl::UnavailableError(StrCat("the server does not answer: it has reset the "
                                                   "stream (",
                                                   nghttp2_http2_strerror(error_code), ")"))
                   : Malformed(last_error_.empty() ? nghttp2_http2_strerror(error_code)
                                                   : last_error_.c_str()));
  }
  stream->closed = true;
  stream->changed.Set();
  stream->taken.Set();
}

absl::Status Http2Session::Receive(std::string_view bytes, MonotonicNanos now) {
  if (!broken_.ok()) return broken_;
  constexpr MonotonicNanos kPeriod = 1'000'000'000 / kAllowancePerSecond;
  const int64_t earned = (now - paid_at_) / kPeriod;
  if (earned > 0) {
    allowance_ = std::min(allowance_ + std::min(earned, kAllowanceMax), kAllowanceMax);
    paid_at_ = now;
  }
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) Break(nghttp2_strerror(static_cast<int>(taken)));
  if (!broken_.ok()) Terminate();
  return broken_;
}

absl::Status Http2Session::Produce(std::string& out, size_t bytes_max) {
  while (out.size() < bytes_max) {
    const uint8_t* piece = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(session_, &piece);
    if (bytes < 0) {
      return absl::UnavailableError(StrCat("HTTP/2: ", nghttp2_strerror(static_cast<int>(bytes))));
    }
    if (bytes == 0) break;
    out.append(Text(piece, static_cast<size_t>(bytes)));
  }
  return absl::OkStatus();
}

bool Http2Session::wants_write() const {
  return nghttp2_session_want_write(session_) != 0;
}

bool Http2Session::done() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

absl::Status Http2Session::EndReason() const {
  if (!broken_.ok()) return broken_;
  if (draining_ && last_error_.empty()) {
    return absl::UnavailableError(StrCat("the server has ended the HTTP/2 connection (",
                                         nghttp2_http2_strerror(goaway_code_), ")"));
  }
  return absl::UnavailableError(
      StrCat("the server breaks the rules of HTTP/2: ",
             last_error_.empty() ? "a frame that may not be there" : last_error_));
}

bool Http2Session::has_room(int64_t reserved) const {
  if (draining_ || terminated_) return false;
  if (!heard_settings_) return streams() + reserved == 0;
  const uint32_t allowed =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return streams() + reserved < std::min<int64_t>(allowed, limits_.streams_max);
}

}  // namespace grove::http

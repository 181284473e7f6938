// Http2Session: the client's side of an HTTP/2 connection (RFC 9113), over nghttp2.
//
// Told the bytes that have come, it yields those to send, and keeps what has come of each answer
// until its reader takes it. What a server may make it hold or do has limits: nghttp2's own (header
// blocks, CONTINUATIONs, entries of SETTINGS, answers to PING, windows), those of Http2Limits, and
// an allowance of frames that carry nothing.
// It does no I/O and never parks. Hub thread only.
#ifndef GROVE_HTTP_CLIENT_HTTP2_SESSION_H_
#define GROVE_HTTP_CLIENT_HTTP2_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "http/client/http_request.h"
#include "runtime/hub/clock.h"
#include "runtime/sync/event.h"

struct nghttp2_session;

namespace grove::http {

struct Http2Limits {
  // Of one connection, whatever more its server allows.
  int64_t streams_max = 100;
  // What a server may send of a body ahead of who reads it; so much is kept of each stream.
  int32_t stream_window_bytes = 256 * 1024;
  // A connection that nothing has come over for so long is asked whether it lives, and is closed if
  // nothing comes in ping_timeout either.
  absl::Duration ping_after = absl::Seconds(45);
  absl::Duration ping_timeout = absl::Seconds(15);
};

// A request, and what has come of its answer. Its owner's, who gives it up before it ends.
struct Http2Stream {
  // --- What is sent: the owner's to set, before Submit() and Resume().
  // Not taken yet; its bytes stand until it is empty, or given up.
  std::string_view outgoing;
  // Nothing comes behind it.
  bool outgoing_ends = true;

  // --- What has come.
  bool may_send = false;  // "100 Continue"
  bool has_head = false;
  int status = 0;
  HttpFields fields;
  HttpFields trailers;
  std::string body;    // not read yet
  bool ended = false;  // the answer is whole
  // Nothing more comes; `failure` says why unless it has ended.
  bool closed = false;
  absl::Status failure;
  // The server has not acted upon it and will not (RFC 9113, 8.7): asking again is safe.
  bool refused = false;
  // It must be asked over HTTP/1.1.
  bool wants_http1 = false;

  Event changed;  // for who reads: any of these
  Event taken;    // for who writes: `outgoing` is empty, may_send, or closed

  // --- The session's.
  int32_t id = 0;
  bool sent = false;
  bool reset = false;  // by the server
  int interims = 0;
  int block_status = 0;
  HttpFields block;
  size_t block_bytes = 0;
};

class Http2Session {
 public:
  explicit Http2Session(const Http2Limits& limits);
  // Requires: no stream is open that is not given up.
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Asks. `fields`: the pseudo fields first. `stream` must outlive it, or be given up.
  // kUnavailable: the connection takes no more.
  absl::Status Submit(const HttpFields& fields, bool has_body, Http2Stream& stream);
  // There is more of `outgoing`.
  void Resume(Http2Stream& stream);
  // Puts what is there of the body into `body`, whose bytes are gone, and lets more come.
  void TakeBody(Http2Stream& stream, std::string& body);
  // The stream is forgotten, and the server told if it is open.
  void GiveUp(Http2Stream& stream);
  void Ping();
  // Says that the connection ends; nothing that comes counts from now on.
  void Terminate();
  // Closes all streams for that reason.
  void Fail(const absl::Status& why);

  // kUnavailable: the server breaks the protocol, or floods; Terminate() has been called.
  absl::Status Receive(std::string_view bytes, MonotonicNanos now);
  // Appends what is to be sent: `bytes_max` of it, and the rest of a frame.
  absl::Status Produce(std::string& out, size_t bytes_max);
  bool wants_write() const;
  // Both sides have said all.
  bool done() const;
  // Why, as far as is known.
  absl::Status EndReason() const;

  // For a stream beside those that are reserved. Until the server has said what it allows there is
  // room for one: RFC 9113 leaves it free to refuse the others.
  bool has_room(int64_t reserved) const;
  int64_t streams() const { return static_cast<int64_t>(streams_.size()); }
  bool heard_settings() const { return heard_settings_; }
  // The server takes no further streams.
  bool draining() const { return draining_; }
  // An answer has come over it.
  bool answered() const { return answered_; }

 private:
  friend struct Http2Callbacks;

  Http2Stream* Find(int32_t id) const;
  // For a frame that carries nothing.
  void Pay();
  // What this side sends is answered by such frames.
  void Earn(int64_t frames);
  void Break(std::string_view why);
  void EndBlock(Http2Stream& stream, bool ends);
  void FailStream(Http2Stream& stream, absl::Status why);
  void Closed(int32_t id, uint32_t error_code);

  const Http2Limits limits_;
  nghttp2_session* session_ = nullptr;
  // Null: given up, and not closed yet.
  absl::flat_hash_map<int32_t, Http2Stream*> streams_;
  bool draining_ = false;
  bool answered_ = false;
  // The server has said what it allows.
  bool heard_settings_ = false;
  bool terminated_ = false;
  uint32_t goaway_code_ = 0;
  absl::Status broken_;
  uint32_t end_code_ = 0;  // of this side's goodbye
  std::string last_error_;
  int64_t allowance_;
  int64_t earned_ = 0;
  MonotonicNanos paid_at_ = 0;
  // Of the DATA frame that comes.
  size_t chunk_bytes_ = 0;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP2_SESSION_H_

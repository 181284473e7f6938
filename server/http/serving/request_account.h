// RequestAccount: what a connection's requests come to: in ServerStats and in the access log.
//
// One request at a time: Open() at its first byte, Close() at its end, whatever became of it.
// Decides nothing, and never parks. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_REQUEST_ACCOUNT_H_
#define GROVE_SERVER_HTTP_SERVING_REQUEST_ACCOUNT_H_

#include <cstdint>
#include <string_view>

#include "runtime/hub/clock.h"
#include "server/http/handler/request.h"
#include "server/http/serving/body_reader.h"
#include "server/http/serving/options.h"
#include "server/http/serving/response_writer.h"
#include "server/http/serving/stats.h"
#include "server/http/serving/wire.h"

namespace grove::http {

class RequestAccount {
 public:
  enum class End : uint8_t {
    kWhole,     // as far as the handler is concerned
    kCutShort,  // for whatever reason: our failure or a client that left
    kLeft,      // by a client that was watched
  };

  // All must outlive it.
  RequestAccount(const ServerOptions& options, ServerStats& stats, const Wire& wire,
                 const BodyReader& body, const ResponseWriter& writer)
      : options_(options), stats_(stats), wire_(wire), body_(body), writer_(writer) {}

  // Waiting for a first byte begins, or ends.
  void NoteIdle() { ++stats_.idle; }
  void NoteBusy() { --stats_.idle; }

  // A request's first byte is here.
  void Open(MonotonicNanos now) {
    began_ = now;
    read_before_ = wire_.used_bytes();
    sent_before_ = wire_.output().position();
    protocol_ = Protocol::kHttp;
  }
  // A handler has it from now on, till NoteHandled().
  void NoteHandler() {
    ++stats_.requests;
    ++stats_.running;
  }
  // The handler has taken the connection over.
  void NoteSwitch() {
    --stats_.running;
    ++stats_.switched;
    protocol_ = Protocol::kOther;
  }
  void NoteHandled() { --(protocol_ == Protocol::kOther ? stats_.switched : stats_.running); }
  void NoteRefusal(RefusalKind kind) { stats_.CountRefusal(kind); }
  void NoteLateHead() { stats_.CountTimeout(TimedOut::kHead); }
  // `request`'s handler failed, or a hook of its response.
  void NoteFailure(const Request& request, const absl::Status& failure);
  // It ends with what the client did, which Close() counts.
  void NoteClientFailure(const Request& request, const absl::Status& failure);
  void NoteHookFailure(const Request& request, const absl::Status& failure);

  void Close(const Request& request, End end) { Close(request, {}, end); }
  // The same for a request without a whole head. `line`: what came of its first line; that a client
  // sent nothing but line ends is no request (some end a body with one too many, and leave).
  void CloseUnparsed(const Request& request, std::string_view line, End end) {
    if (line.empty() && writer_.status() == 0) return;
    Close(request, line.empty() ? "-" : line, end);
  }

 private:
  enum class Protocol : uint8_t { kHttp, kOther };

  void Close(const Request& request, std::string_view refused_line, End end);
  bool IsClientsDoing(const Request& request, End end) const;
  void Log(const Request& request, std::string_view refused_line, End end, int64_t wall) const;

  const ServerOptions& options_;
  ServerStats& stats_;
  const Wire& wire_;
  const BodyReader& body_;
  const ResponseWriter& writer_;
  // When the request's first byte came, and where both directions stood.
  MonotonicNanos began_ = 0;
  uint64_t read_before_ = 0;
  uint64_t sent_before_ = 0;
  Protocol protocol_ = Protocol::kHttp;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_REQUEST_ACCOUNT_H_

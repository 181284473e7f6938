// The answer is the own server's: its lines end in CRLF, its fields are "Name: value", and it says
// how long a body is, or sends it in chunks, or closes. What is malformed all the same (a handler
// that took the connection over) is told as broken.
#include "server/worker/injection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "http/message/chunked.h"
#include "http/message/field.h"
#include "proto/well_known_times.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/refusal.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

using Answer = v1::InjectHttpRequestResponse;

// Of the answer, with all interim ones before it.
constexpr size_t kHeadBytesMax = 256 << 10;
constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kNameBytesMax = 1024;

std::string TextOf(const v1::InjectHttpRequestRequest& request) {
  std::string text = StrCat(request.method(), " ", request.target(), " HTTP/1.1\r\n");
  for (const v1::HttpField& header : request.headers()) {
    text += StrCat(header.name(), ": ", header.value(), "\r\n");
  }
  const std::string& method = request.method();
  if (!request.body().empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    text += StrCat("Content-Length: ", request.body().size(), "\r\n");
  }
  // It would wait for another request otherwise.
  text += "Connection: close\r\n\r\n";
  text += request.body();
  return text;
}

// Reads an answer from its first byte on.
class AnswerReader {
 public:
  AnswerReader(Socket& socket, bool has_no_body, int64_t body_max)
      : socket_(socket), has_no_body_(has_no_body), body_max_(static_cast<size_t>(body_max)) {}

  // Interim answers are passed over. kUnavailable: the connection has ended. **Parks.**
  absl::Status ReadHead(Answer& answer) {
    for (;;) {
      const size_t end = bytes_.find("\r\n\r\n");
      if (end == bytes_.npos) {
        if (bytes_.size() > kHeadBytesMax) return Broken();
        const absl::StatusOr<size_t> got = Fill();
        if (!got.ok()) return got.status();
        if (*got == 0) return Broken();
        continue;
      }
      const std::string head = bytes_.substr(0, end + 2);
      bytes_.erase(0, end + 4);
      answer.clear_headers();
      if (!ParseHead(head, answer)) return Broken();
      if (answer.status() >= 200 || answer.status() == 101) return absl::OkStatus();
    }
  }

  // Fills the body, and says how it ended: never an error but kCancelled. **Parks.**
  absl::Status ReadBody(Answer& answer) {
    const int status = answer.status();
    if (has_no_body_ || status == 204 || status == 304 || status == 101) {
      answer.set_body_end(Answer::BODY_END_COMPLETE);
      return absl::OkStatus();
    }
    for (;;) {
      const Answer::BodyEnd end = Take(*answer.mutable_body());
      if (end != Answer::BODY_END_UNSPECIFIED) {
        answer.set_body_end(end);
        return absl::OkStatus();
      }
      const absl::StatusOr<size_t> got = Fill();
      if (absl::IsCancelled(got.status())) return got.status();
      if (absl::IsDeadlineExceeded(got.status())) {
        answer.set_body_end(Answer::BODY_END_TOO_SLOW);
        return absl::OkStatus();
      }
      if (got.ok() && *got > 0) continue;
      const bool whole = got.ok() && !is_chunked_ && !length_;
      answer.set_body_end(whole ? Answer::BODY_END_COMPLETE : Answer::BODY_END_BROKEN);
      return absl::OkStatus();
    }
  }

 private:
  static absl::Status Broken() {
    return absl::UnavailableError("the worker ended the connection without an answer");
  }

  absl::StatusOr<size_t> Fill() {
    const size_t before = bytes_.size();
    bytes_.resize(before + kReadBytes);
    absl::StatusOr<size_t> got = socket_.Read(std::span(bytes_.data() + before, kReadBytes));
    bytes_.resize(before + got.value_or(0));
    return got;
  }

  bool ParseHead(std::string_view head, Answer& answer) {
    int status = 0;
    if (!head.starts_with("HTTP/1.") || head.size() < 12 ||
        !SimpleAtoi(head.substr(9, 3), &status)) {
      return false;
    }
    answer.set_status(status);
    length_.reset();
    is_chunked_ = false;
    std::string_view lines = head.substr(head.find("\r\n") + 2);
    while (!lines.empty()) {
      const size_t end = lines.find("\r\n");
      if (end == lines.npos) return false;
      const std::string_view line = lines.substr(0, end);
      lines.remove_prefix(end + 2);
      const size_t colon = line.find(':');
      if (colon == line.npos) return false;
      std::string_view value = line.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      TakeField(line.substr(0, colon), value, answer);
    }
    return true;
  }

  void TakeField(std::string_view name, std::string_view value, Answer& answer) {
    v1::HttpField& field = *answer.add_headers();
    field.set_name(Utf8Text(name, kNameBytesMax));
    field.set_value(std::string(value));
    uint64_t length = 0;
    if (http::EqualsIgnoreCase(name, "content-length") && SimpleAtoi(value, &length)) {
      length_ = length;
    }
    if (http::EqualsIgnoreCase(name, "transfer-encoding")) is_chunked_ = true;
  }

  // Moves what has come into the body; UNSPECIFIED: there is more to come.
  Answer::BodyEnd Take(std::string& body) {
    if (is_chunked_) return TakeChunks(body);
    const size_t room = body_max_ - body.size();
    const size_t left = length_ ? static_cast<size_t>(*length_) - body.size() : SIZE_MAX;
    const size_t taken = std::min({bytes_.size(), left, room});
    body.append(bytes_, 0, taken);
    bytes_.erase(0, taken);
    if (left == taken) return Answer::BODY_END_COMPLETE;
    // Of an unknown length: only what comes beyond shows that there is more.
    const bool is_full = body.size() == body_max_;
    return is_full && (length_ || !bytes_.empty()) ? Answer::BODY_END_TOO_LONG
                                                   : Answer::BODY_END_UNSPECIFIED;
  }

  Answer::BodyEnd TakeChunks(std::string& body) {
    std::string_view rest = bytes_;
    for (std::string_view data;;) {
      switch (chunks_.Next(rest, kReadBytes, data)) {
        case http::ChunkedDecoder::Event::kData:
          if (data.size() > body_max_ - body.size()) {
            body.append(data.substr(0, body_max_ - body.size()));
            return Answer::BODY_END_TOO_LONG;
          }
          body.append(data);
          break;
        case http::ChunkedDecoder::Event::kNeedMore:
          bytes_.clear();
          return Answer::BODY_END_UNSPECIFIED;
        case http::ChunkedDecoder::Event::kDone:
          return Answer::BODY_END_COMPLETE;
        case http::ChunkedDecoder::Event::kBad:
          return Answer::BODY_END_BROKEN;
      }
    }
  }

  Socket& socket_;
  const bool has_no_body_;
  const size_t body_max_;
  std::string bytes_;  // that were not taken yet
  std::optional<uint64_t> length_;
  bool is_chunked_ = false;
  http::ChunkedDecoder chunks_;
};

absl::StatusOr<Socket> Connect(http::Server& server) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
    return ErrnoStatus(errno, "socketpair");
  }
  absl::StatusOr<Socket> own = Socket::Adopt(fds[0]);
  absl::StatusOr<Socket> theirs = Socket::Adopt(fds[1]);
  if (!own.ok()) return own;
  if (!theirs.ok()) return theirs;
  if (absl::Status adopted = server.Adopt(*std::move(theirs)); !adopted.ok()) return adopted;
  return own;
}

absl::Status AsRefusal(const absl::Status& why, bool timed_out) {
  if (absl::IsCancelled(why)) return why;
  if (timed_out) {
    return Refusal(absl::StatusCode::kDeadlineExceeded, "NO_ANSWER",
                   "the worker has not begun to answer in time; it may have done its work");
  }
  return Refusal(absl::StatusCode::kUnavailable, "NO_ANSWER", Std(why.message()));
}

}  // namespace

absl::StatusOr<Answer> InjectHttpRequest(http::Server& server,
                                         const v1::InjectHttpRequestRequest& request) {
  const MonotonicNanos began = Hub::Current()->ReadClock();
  const auto so_far = [began] { return (Hub::Current()->ReadClock() - began) / 1000; };
  absl::StatusOr<Socket> socket = Connect(server);
  if (!socket.ok()) {
    const bool full = absl::IsResourceExhausted(socket.status());
    return Refusal(full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable,
                   full ? "TOO_MANY_INJECTED" : "WORKER_UNREACHABLE",
                   Std(socket.status().message()));
  }
  const Timeout timeout(absl::Microseconds(proto::ToMicros(request.timeout())));
  // Beside the reading: a handler may answer before it has read all, and more than fits in between.
  // A server that refuses the body closes before it has it: the answer counts.
  absl::StatusOr<FiberHandle> writer = Spawn(
      "link.inject.body", [&socket, &request] { socket->Write(TextOf(request)).IgnoreError(); });
  if (!writer.ok()) return writer.status();
  Answer answer;
  AnswerReader reader(*socket, request.method() == "HEAD", request.body_bytes_max());
  absl::Status read = reader.ReadHead(answer);
  const bool has_head = read.ok();
  proto::SetMicros(so_far(), answer.mutable_head_duration());
  if (has_head) read = reader.ReadBody(answer);
  proto::SetMicros(so_far(), answer.mutable_duration());
  const bool timed_out = timeout.fired();
  writer->Cancel();
  writer->AwaitEnd();
  if (!read.ok()) return AsRefusal(read, timed_out && !has_head);
  return answer;
}

}  // namespace grove::worker

#include "server/handlers/try_out.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "runtime/hub/hub.h"
#include "server/handlers/query_input.h"
#include "server/http/handler/status.h"

namespace grove::handlers {
namespace {

constexpr size_t kEchoPieceBytes = 16 * 1024;
constexpr size_t kFailPieceBytes = 16 * 1024;
constexpr char kText[] = "text/plain; charset=utf-8";

// Fields that a sender may not put into trailers (RFC 9110, 6.5.1): what frames, routes or
// authenticates would be merged by a careless recipient.
bool MayBeTrailer(std::string_view name) {
  for (const std::string_view refused :
       {"transfer-encoding", "content-length", "host", "keep-alive", "trailer", "upgrade",
        "connection", "te", "authorization", "set-cookie", "content-encoding", "content-type",
        "content-range"}) {
    if (http::EqualsIgnoreCase(name, refused)) return false;
  }
  return true;
}

// "0123456789012…": a reader sees where something is missing.
std::string Digits(size_t bytes) {
  std::string text(bytes, '0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('0' + i % 10);
  return text;
}

}  // namespace

absl::Status EchoBody(http::Request& request, http::Response& response) {
  response.Add("Content-Type", request.Get("content-type").value_or("application/octet-stream"));
  if (const auto length = request.Get("content-length")) response.Add("Content-Length", *length);
  const std::unique_ptr<char[]> piece(new char[kEchoPieceBytes]);
  while (true) {
    const absl::StatusOr<size_t> got = request.ReadBody({piece.get(), kEchoPieceBytes});
    if (!got.ok()) return got.status();
    if (*got == 0) break;
    absl::Status written = response.Write({piece.get(), *got});
    if (!written.ok()) return written;
  }
  for (const http::Field& trailer : request.trailers) {
    if (MayBeTrailer(trailer.name)) response.AddTrailer(trailer.name, trailer.value);
  }
  return response.Finish();
}

absl::Status IgnoreBody(http::Request&, http::Response& response) {
  return response.Send(200, kText, "ignored\n");
}

absl::Status StreamChunks(http::Request& request, http::Response& response) {
  const auto input = QueryInput::Parse(request.query, {"chunks", "bytes", "delay_ms"});
  if (!input.ok()) return input.status();
  const auto chunks = input->Integer("chunks", 0, kStreamChunksMax, 10);
  if (!chunks.ok()) return chunks.status();
  const auto bytes = input->Integer("bytes", 1, kStreamChunkBytesMax, 1024);
  if (!bytes.ok()) return bytes.status();
  const auto delay_ms = input->Integer("delay_ms", 0, kStreamDelayMsMax, 0);
  if (!delay_ms.ok()) return delay_ms.status();
  const std::string chunk = Digits(static_cast<size_t>(*bytes));
  response.Add("Content-Type", "text/plain");
  // An empty stream is a stream, too.
  if (absl::Status begun = response.Write(""); !begun.ok()) return begun;
  for (int64_t i = 0; i < *chunks; ++i) {
    // The client must be given the time in which others run, whether or not there is a delay.
    if (i > 0) {
      absl::Status slept = Sleep(absl::Milliseconds(*delay_ms));
      if (!slept.ok()) return slept;
    }
    if (absl::Status written = response.Write(chunk); !written.ok()) return written;
    if (absl::Status sent = response.Flush(); !sent.ok()) return sent;
  }
  return response.Finish();
}

absl::Status AnswerStatus(http::Request& request, http::Response& response) {
  const auto input = QueryInput::Parse(request.query, {"code"});
  if (!input.ok()) return input.status();
  const auto code = input->Integer("code", 200, 599, 200);
  if (!code.ok()) return code.status();
  const int status = static_cast<int>(*code);
  // A body would be none of a 204's, 205's or 304's (RFC 9110, 15).
  if (status == 204 || status == 205 || status == 304) return response.Send(status, "", "");
  return response.Send(status, kText,
                       absl::StrFormat("%d %s\n", status, http::ReasonPhrase(status)));
}

absl::Status SleepThenAnswer(http::Request& request, http::Response& response) {
  const auto input = QueryInput::Parse(request.query, {"seconds", "cancel_on_disconnect"});
  if (!input.ok()) return input.status();
  const auto seconds = input->Number("seconds", 0, kTrySleepSecondsMax, 1);
  if (!seconds.ok()) return seconds.status();
  const auto cancel = input->Flag("cancel_on_disconnect");
  if (!cancel.ok()) return cancel.status();
  if (*cancel) request.CancelOnDisconnect();
  if (absl::Status slept = Sleep(absl::Seconds(*seconds)); !slept.ok()) return slept;
  return response.Send(200, kText, absl::StrFormat("slept %g s\n", *seconds));
}

absl::Status FailToAnswer(http::Request& request, http::Response& response) {
  const auto input = QueryInput::Parse(request.query, {"after_bytes"});
  if (!input.ok()) return input.status();
  const auto after = input->Integer("after_bytes", 0, kFailAfterBytesMax, 0);
  if (!after.ok()) return after.status();
  const std::string piece = Digits(std::min<size_t>(*after, kFailPieceBytes));
  if (*after > 0) response.Add("Content-Type", "text/plain");
  for (size_t left = static_cast<size_t>(*after); left > 0;) {
    const std::string_view next = std::string_view(piece).substr(0, left);
    if (absl::Status written = response.Write(next); !written.ok()) return written;
    left -= next.size();
  }
  return absl::InternalError("failed as it was told to");
}

}  // namespace grove::handlers

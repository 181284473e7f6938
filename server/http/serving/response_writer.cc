// A response is head, body, end; what delimits the body is decided once, when the head is written,
// from the request's version, the status and what the handler has said of a length (Decide()).
// Everything after it follows from that: Write() counts down, or frames, or passes through.
//
// Bytes go straight to Output's pending block, at addresses that are known to have room: a head is
// one Reserve() and a row of memcpy, since this is most of what a small answer costs. A chunk's
// size stands before its data and grows with it, as long as nobody has taken the block to be
// written.
//
// A handler that breaks its own promise (more or less than its Content-Length) is told so with
// kInternal, and the client sees the truncation, by a length that is not reached or a reset.
#include "server/http/serving/response_writer.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

// Bodies up to this length are copied behind their head, to leave with it in one piece.
constexpr size_t kCopyBytesMax = 8 * 1024;
// Status line, standing fields, Connection, Content-Length, "Content-Type: " and line ends.
constexpr size_t kHeadBytesMax = 320;
// A number, as PutNumber bounds it, and a line end.
constexpr size_t kChunkHeadBytesMax = 22;

char* Put(char* place, std::string_view text) {
  // The data of an empty one may be null, which memcpy must not see.
  if (!text.empty()) std::memcpy(place, text.data(), text.size());
  return place + text.size();
}

char* PutNumber(char* place, uint64_t number, int base = 10) {
  return std::to_chars(place, place + 20, number, base).ptr;
}

char* PutField(char* place, std::string_view name, std::string_view value) {
  return Put(Put(Put(Put(place, name), ": "), value), "\r\n");
}

bool HasNoBody(int status) {
  return status == 204 || status == 304;
}

// What tells a client to clear its form has nothing to show in its place (RFC 9110, 15.3.6).
bool IsEmpty(int status) {
  return status == 205;
}

bool IsOurs(std::string_view name) {
  return EqualsIgnoreCase(name, "content-length") || EqualsIgnoreCase(name, "connection");
}

}  // namespace

void ResponseWriter::Start(const Asked& asked) {
  head_request_ = asked.head;
  version_minor_ = asked.version_minor;
  begun_ = false;
  complete_ = false;
  keep_alive_ = true;
  bodiless_ = false;
  delimiter_ = Delimiter::kNone;
  left_ = 0;
  status_ = 0;
  body_bytes_ = 0;
  last_chunk_ = {};
}

absl::Status ResponseWriter::Read(FieldSpan fields, Said& said) {
  for (const auto& [name, value] : fields) {
    said.bytes += name.size() + value.size() + 4;
    if (EqualsIgnoreCase(name, "content-length")) {
      uint64_t length = 0;
      if (said.content_length.has_value() ||
          !absl::SimpleAtoi({value.data(), value.size()}, &length)) {
        return absl::InternalError(StrCat("the handler added Content-Length ", value));
      }
      said.content_length = length;
    } else if (EqualsIgnoreCase(name, "connection")) {
      said.close = true;  // Response::Add takes no other value
    } else if (EqualsIgnoreCase(name, "upgrade")) {
      said.upgrade = true;
    } else if (EqualsIgnoreCase(name, "date")) {
      said.date = true;
    } else if (EqualsIgnoreCase(name, "server")) {
      said.server = true;
    }
  }
  return absl::OkStatus();
}

void ResponseWriter::Decide(int status, const Said& said,
                            const std::optional<uint64_t>& body_bytes) {
  bodiless_ = head_request_ || HasNoBody(status) || IsEmpty(status);
  left_ = body_bytes.value_or(0);
  keep_alive_ = !said.close && owner_.MayKeepAlive();
  if (HasNoBody(status)) {
    delimiter_ = Delimiter::kNone;
  } else if (body_bytes.has_value()) {
    delimiter_ = Delimiter::kLength;
  } else if (version_minor_ >= 1) {
    delimiter_ = Delimiter::kChunked;
  } else {
    delimiter_ = Delimiter::kClose;
    keep_alive_ = false;
  }
}

void ResponseWriter::WriteHead(int status, FieldSpan fields, const Said& said,
                               std::string_view content_type,
                               const std::optional<uint64_t>& body_bytes) {
  ByteBlock& block = output_.pending();
  const std::time_t now = std::time(nullptr);
  char* p = block.Reserve(kHeadBytesMax + content_type.size() + said.bytes);
  if (status == 200 && !said.date && !said.server) [[likely]] {
    p = Put(p, standing_.OkHeadAt(now));
  } else {
    p = Put(p, StatusLine(status));
    if (!said.date) p = Put(p, standing_.DateAt(now));
    if (!said.server) p = Put(p, StandingFields::Server());
  }
  if (!content_type.empty()) p = Put(Put(Put(p, "Content-Type: "), content_type), "\r\n");
  for (const auto& [name, value] : fields) {
    if (!IsOurs(name)) p = PutField(p, name, value);
  }
  if (said.upgrade && version_minor_ > 0) {  // hop-by-hop: to be named here (RFC 9110, 7.8)
    p = Put(p, keep_alive_ ? "Connection: Upgrade\r\n" : "Connection: close, Upgrade\r\n");
  } else if (!keep_alive_) {
    p = Put(p, "Connection: close\r\n");
  } else if (version_minor_ == 0) {
    p = Put(p, "Connection: keep-alive\r\n");
  }
  if (delimiter_ == Delimiter::kLength) {
    p = Put(PutNumber(Put(p, "Content-Length: "), *body_bytes), "\r\n");
  } else if (delimiter_ == Delimiter::kChunked) {
    p = Put(p, "Transfer-Encoding: chunked\r\n");
  }
  block.Commit(Put(p, "\r\n"));
  body_at_ = output_.position();
  begun_ = true;
  status_ = status;
  stats_.CountResponse(status);
}

uint64_t ResponseWriter::body_bytes() const {
  if (output_.failure().ok()) return body_bytes_;
  const uint64_t sent = output_.position();
  return std::min(body_bytes_, sent - std::min(sent, body_at_));
}

absl::Status ResponseWriter::Begin(int status, FieldSpan fields, std::optional<size_t> body_bytes) {
  Said said;
  if (absl::Status read = Read(fields, said); !read.ok()) return read;
  std::optional<uint64_t> length = said.content_length;
  if (!length.has_value() && body_bytes.has_value()) length = *body_bytes;
  if (IsEmpty(status)) length = 0;
  Decide(status, said, length);
  WriteHead(status, fields, said, {}, length);
  return output_.FlushSoon();
}

absl::Status ResponseWriter::Write(std::string_view bytes) {
  if (bodiless_) return absl::OkStatus();
  if (delimiter_ == Delimiter::kChunked) return WriteChunk(bytes);
  if (absl::Status taken = TakeFromLength(bytes.size()); !taken.ok()) return taken;
  body_bytes_ += bytes.size();
  if (absl::Status written = output_.Write(bytes); !written.ok()) return written;
  return output_.FlushSoon();
}

absl::Status ResponseWriter::TakeFromLength(uint64_t bytes) {
  if (delimiter_ != Delimiter::kLength) return absl::OkStatus();
  if (bytes > left_) {
    return absl::InternalError(absl::StrCat("the handler wrote ", bytes, " bytes where ", left_,
                                            " were left of its Content-Length"));
  }
  left_ -= bytes;
  return absl::OkStatus();
}

absl::Status ResponseWriter::WriteFile(int file, uint64_t offset, uint64_t length) {
  if (bodiless_) return absl::OkStatus();
  if (absl::Status taken = TakeFromLength(length); !taken.ok()) return taken;
  const bool chunked = delimiter_ == Delimiter::kChunked;
  if (chunked) PutChunkHead(length);
  const uint64_t before = output_.position();
  absl::Status written = output_.WriteFile(file, offset, length);
  // What the file had, if it was too short.
  body_bytes_ += written.ok() ? length : output_.position() - std::min(output_.position(), before);
  if (!written.ok()) return written;
  if (chunked) output_.pending().Append("\r\n");
  return output_.FlushSoon();
}

absl::Status ResponseWriter::SendInterim(int status, FieldSpan fields) {
  if (version_minor_ == 0) return absl::OkStatus();  // RFC 9110, 15.2
  ByteBlock& block = output_.pending();
  block.Append(StatusLine(status));
  for (const auto& [name, value] : fields) {
    char* p = block.Reserve(name.size() + value.size() + 4);
    block.Commit(PutField(p, name, value));
  }
  block.Append("\r\n");
  if (status == 100) owner_.NoteContinue();
  return output_.FlushSoon();
}

void ResponseWriter::PutChunkHead(uint64_t bytes) {
  char* p = output_.pending().Reserve(kChunkHeadBytesMax);
  output_.pending().Commit(Put(PutNumber(p, bytes, 16), "\r\n"));
}

// Rewrites the size in front of the last chunk's data, which moves if that takes a digit more.
bool ResponseWriter::ExtendChunk(std::string_view bytes) {
  ByteBlock& block = output_.pending();
  LastChunk& chunk = last_chunk_;
  if (chunk.bytes == 0 || chunk.batch != output_.batch() || chunk.end != block.size() ||
      block.size() + bytes.size() > kOutputGatherBytes) {
    return false;
  }
  char size[kChunkHeadBytesMax];
  const size_t size_bytes = Put(PutNumber(size, chunk.bytes + bytes.size(), 16), "\r\n") - size;
  block.Reserve(bytes.size() + kChunkHeadBytesMax);
  char* const head = block.Reserve(0) - (chunk.end - chunk.at);
  const size_t old_size_bytes = chunk.end - chunk.at - chunk.bytes - 2;
  if (size_bytes != old_size_bytes) {
    std::memmove(head + size_bytes, head + old_size_bytes, chunk.bytes);
  }
  Put(head, {size, size_bytes});
  block.Commit(Put(Put(head + size_bytes + chunk.bytes, bytes), "\r\n"));
  chunk.bytes += bytes.size();
  chunk.end = block.size();
  return true;
}

absl::Status ResponseWriter::WriteChunk(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (ExtendChunk(bytes)) return output_.FlushSoon();
  const size_t at = output_.pending().size();
  const uint64_t batch = output_.batch();
  PutChunkHead(bytes.size());
  if (absl::Status written = output_.Write(bytes); !written.ok()) return written;
  output_.pending().Append("\r\n");
  last_chunk_ = {};
  if (batch == output_.batch()) last_chunk_ = {batch, at, bytes.size(), output_.pending().size()};
  return output_.FlushSoon();
}

absl::Status ResponseWriter::Finish(FieldSpan trailers) {
  if (!bodiless_ && delimiter_ == Delimiter::kLength && left_ > 0) {
    return absl::InternalError(
        absl::StrCat("the handler wrote ", left_, " bytes less than its Content-Length"));
  }
  complete_ = true;
  if (bodiless_ || delimiter_ != Delimiter::kChunked) return absl::OkStatus();
  ByteBlock& block = output_.pending();
  block.Append("0\r\n");
  for (const auto& [name, value] : trailers) {
    char* p = block.Reserve(name.size() + value.size() + 4);
    block.Commit(PutField(p, name, value));
  }
  block.Append("\r\n");
  return absl::OkStatus();
}

// RFC 9110, 7.8 and 15.2.2. Without the standing fields, as it is no final response.
absl::StatusOr<Transport*> ResponseWriter::Switch(std::string_view protocol, FieldSpan fields) {
  if (version_minor_ == 0) {
    return absl::FailedPreconditionError("HTTP/1.0 knows no switch of protocols");
  }
  absl::StatusOr<Transport*> transport = owner_.HandOver();
  if (!transport.ok()) return transport;
  ByteBlock& block = output_.pending();
  block.Append(StatusLine(101));
  block.Append("Upgrade: ");
  block.Append(protocol);
  block.Append("\r\nConnection: Upgrade\r\n");
  for (const auto& [name, value] : fields) {
    if (IsOurs(name) || EqualsIgnoreCase(name, "upgrade")) continue;
    char* p = block.Reserve(name.size() + value.size() + 4);
    block.Commit(PutField(p, name, value));
  }
  block.Append("\r\n");
  begun_ = true;
  complete_ = true;
  keep_alive_ = false;
  status_ = 101;
  stats_.CountResponse(101);
  if (absl::Status flushed = output_.FlushSoon(); !flushed.ok()) return flushed;
  return transport;
}

absl::Status ResponseWriter::Send(int status, FieldSpan fields, std::string_view content_type,
                                  std::string_view body) {
  Said said;
  if (!fields.empty()) {
    if (absl::Status read = Read(fields, said); !read.ok()) return read;
  }
  const std::optional<uint64_t> length = IsEmpty(status) ? 0 : body.size();
  Decide(status, said, length);
  WriteHead(status, fields, said, content_type, length);
  complete_ = bodiless_ || body.empty();
  if (complete_) return absl::OkStatus();
  body_bytes_ = body.size();
  if (body.size() <= kCopyBytesMax && output_.pending().size() <= kOutputGatherBytes) {
    output_.pending().Append(body);
    complete_ = true;
    return absl::OkStatus();
  }
  absl::Status written = output_.Write(body);
  complete_ = written.ok();
  return written;
}

}  // namespace grove::http

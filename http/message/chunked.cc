#include "http/message/chunked.h"

#include <algorithm>

#include "http/message/field_line.h"
#include "http/message/scan.h"

namespace grove::http {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view SkipBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  return text;
}

// Takes a token off the front; false if there is none.
bool TakeToken(std::string_view& text) {
  const char* end = SkipToken(text.data(), text.data() + text.size());
  if (end == text.data()) return false;
  text.remove_prefix(end - text.data());
  return true;
}

bool TakeQuotedString(std::string_view& text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
    if (text[i] == '\\' && ++i == text.size()) return false;
    if (!IsValueChar(text[i])) return false;
  }
  return false;
}

// *( BWS ";" BWS name [ BWS "=" BWS value ] ), where the first ";" follows the size at once.
bool AreExtensions(std::string_view text) {
  while (!text.empty()) {
    if (text.front() != ';') return false;
    text = SkipBlanks(text.substr(1));
    if (!TakeToken(text)) return false;
    text = SkipBlanks(text);
    if (text.empty() || text.front() != '=') continue;
    text = SkipBlanks(text.substr(1));
    const bool quoted = !text.empty() && text.front() == '"';
    if (!(quoted ? TakeQuotedString(text) : TakeToken(text))) return false;
    text = SkipBlanks(text);
  }
  return true;
}

// What may never stand in a trailer section: it would reframe or reroute (RFC 9110, 6.5.1).
bool IsForbiddenTrailer(std::string_view name) {
  return EqualsIgnoreCase(name, "content-length") || EqualsIgnoreCase(name, "transfer-encoding") ||
         EqualsIgnoreCase(name, "host");
}

}  // namespace

void ChunkedDecoder::Reset() {
  stage_ = Stage::kSize;
  left_ = 0;
  extension_bytes_ = 0;
  trailer_count_ = 0;
  line_.clear();
  trailer_bytes_.clear();
  trailers_.clear();
}

ChunkedDecoder::Event ChunkedDecoder::Fail() {
  stage_ = Stage::kBad;
  return Event::kBad;
}

bool ChunkedDecoder::TakeLine(std::string_view& bytes, std::string_view& line) {
  const size_t feed = bytes.find('\n');
  const size_t taken = feed == std::string_view::npos ? bytes.size() : feed + 1;
  if (line_.empty() && feed != std::string_view::npos) {
    line = bytes.substr(0, taken);
  } else {
    // One byte more than any limit is enough to see that it is exceeded.
    line_.append(bytes.substr(0, std::min(taken, kTrailersBytesMax + 1)));
    line = line_;
  }
  bytes.remove_prefix(taken);
  return feed != std::string_view::npos;
}

ChunkedDecoder::Event ChunkedDecoder::Next(std::string_view& bytes, size_t data_max,
                                           std::string_view& data) {
  std::string_view line;
  while (stage_ != Stage::kDone && stage_ != Stage::kBad) {
    if (bytes.empty()) return Event::kNeedMore;
    if (stage_ == Stage::kData) {
      data = bytes.substr(0, std::min<uint64_t>(left_, data_max));
      bytes.remove_prefix(data.size());
      left_ -= data.size();
      if (left_ == 0) stage_ = Stage::kDataEnd;
      return Event::kData;
    }
    const bool complete = TakeLine(bytes, line);
    const size_t line_max = stage_ == Stage::kTrailers  ? kTrailersBytesMax
                            : stage_ == Stage::kDataEnd ? 2
                                                        : kChunkLineBytesMax + 2;
    if (line.size() > line_max) return Fail();
    if (!complete) {
      // Garbage without a line end must not wait for a time-out.
      if (stage_ == Stage::kSize && HexValue(line.front()) < 0) return Fail();
      if (stage_ == Stage::kDataEnd && line.front() != '\r') return Fail();
      return Event::kNeedMore;
    }
    if (stage_ == Stage::kSize) {
      if (!ParseSizeLine(line)) return Fail();
      stage_ = left_ > 0 ? Stage::kData : Stage::kTrailers;
    } else if (stage_ == Stage::kDataEnd) {
      if (line != "\r\n") return Fail();
      stage_ = Stage::kSize;
    } else if (line == "\r\n") {
      CollectTrailers();
      stage_ = Stage::kDone;
    } else if (!TakeTrailer(line)) {
      return Fail();
    }
    line_.clear();
  }
  return stage_ == Stage::kDone ? Event::kDone : Event::kBad;
}

bool ChunkedDecoder::ParseSizeLine(std::string_view line) {
  if (line.size() < 3 || line[line.size() - 2] != '\r') return false;
  line.remove_suffix(2);
  left_ = 0;
  size_t digits = 0;
  for (; digits < line.size() && HexValue(line[digits]) >= 0; ++digits) {
    if (left_ >> 60 != 0) return false;
    left_ = left_ << 4 | HexValue(line[digits]);
  }
  line.remove_prefix(digits);
  extension_bytes_ += line.size();
  return digits > 0 && extension_bytes_ <= kChunkExtensionBytesMax && AreExtensions(line);
}

bool ChunkedDecoder::TakeTrailer(std::string_view line) {
  Field field;
  const FieldLine parsed = ParseFieldLine(line.data(), line.data() + line.size(), field);
  if (parsed.kind != FieldLine::Kind::kField || IsForbiddenTrailer(field.name)) return false;
  if (++trailer_count_ > kTrailersMax) return false;
  trailer_bytes_.append(line);
  return trailer_bytes_.size() <= kTrailersBytesMax;
}

void ChunkedDecoder::CollectTrailers() {
  const char* end = trailer_bytes_.data() + trailer_bytes_.size();
  for (const char* line = trailer_bytes_.data(); line != end;) {
    Field field;
    line = ParseFieldLine(line, end, field).next;
    trailers_.push_back(field);
  }
}

bool IsMalformedChunked(std::string_view bytes) {
  ChunkedDecoder decoder;
  ChunkedDecoder::Event event;
  std::string_view data;
  do {
    event = decoder.Next(bytes, bytes.size(), data);
  } while (event == ChunkedDecoder::Event::kData);
  return event == ChunkedDecoder::Event::kBad;
}

}  // namespace grove::http

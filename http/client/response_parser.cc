#include "http/client/response_parser.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

constexpr size_t kShownBytesMax = 60;

absl::Status BadResponse(std::string_view why) {
  return absl::UnavailableError(StrCat("the server's answer is malformed: ", why));
}

// Digits alone, and no overflow.
std::optional<uint64_t> ParseLength(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsDigit)) return std::nullopt;
  uint64_t length = 0;
  for (const char c : text) {
    const auto digit = static_cast<uint64_t>(c - '0');
    if (length > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    length = length * 10 + digit;
  }
  return length;
}

// Calls `each` with the elements of a list, without those that are empty (RFC 9110, 5.6.1).
template <typename F>
void ForEachElement(std::string_view list, F each) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = TrimBlanks(list.substr(0, comma));
    if (!element.empty()) each(element);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// What the fields say about the body and the connection.
struct Said {
  bool has_length = false;
  bool lengths_differ = false;
  uint64_t length = 0;
  bool has_coding = false;
  bool chunked_last = false;
  bool other_coding = false;
  bool close = false;
  bool keep_alive = false;

  void NoteLength(std::string_view value) {
    ForEachElement(value, [this](std::string_view element) {
      const std::optional<uint64_t> parsed = ParseLength(element);
      lengths_differ |= !parsed.has_value() || (has_length && *parsed != length);
      length = parsed.value_or(0);
      has_length = true;
    });
    lengths_differ |= !has_length;  // an empty one
    has_length = true;
  }
  void NoteCoding(std::string_view value) {
    has_coding = true;
    ForEachElement(value, [this](std::string_view element) {
      other_coding |= chunked_last;  // chunked twice, or not last
      chunked_last = EqualsIgnoreCase(element, "chunked");
      other_coding |= !chunked_last && !EqualsIgnoreCase(element, "identity");
    });
  }
  void NoteConnection(std::string_view value) {
    ForEachElement(value, [this](std::string_view element) {
      close |= EqualsIgnoreCase(element, "close");
      keep_alive |= EqualsIgnoreCase(element, "keep-alive");
    });
  }
};

Said Read(const std::vector<Field>& fields) {
  Said said;
  for (const Field& field : fields) {
    switch (field.name.size()) {
      case 10:
        if (EqualsIgnoreCase(field.name, "connection")) said.NoteConnection(field.value);
        break;
      case 14:
        if (EqualsIgnoreCase(field.name, "content-length")) said.NoteLength(field.value);
        break;
      case 17:
        if (EqualsIgnoreCase(field.name, "transfer-encoding")) said.NoteCoding(field.value);
        break;
      default:
        break;
    }
  }
  return said;
}

}  // namespace

void ResponseParser::Reset() {
  base_ = nullptr;
  line_start_ = searched_ = 0;
  has_status_line_ = sloppy_ = false;
  head_.status = 0;
  head_.fields.clear();
  error_ = absl::OkStatus();
}

ResponseParser::Result ResponseParser::Fail(std::string_view why) {
  error_ = BadResponse(why);
  return Result::kBad;
}

// The views that it has made so far go along with the bytes.
void ResponseParser::Rebase(const char* base) {
  if (base_ != nullptr && base != base_) {
    const auto move = [this, base](std::string_view& view) {
      if (view.data() != nullptr) view = {base + (view.data() - base_), view.size()};
    };
    move(head_.reason);
    for (Field& field : head_.fields) {
      move(field.name);
      move(field.value);
    }
  }
  base_ = base;
}

bool ResponseParser::ParseStatusLine(std::string_view line) {
  // "HTTP/1.1 200 OK"; the reason, and the blank before it, may lack.
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || !IsDigit(line[7]) || line[8] != ' ') {
    return false;
  }
  const std::string_view code = line.substr(9, 3);
  if (!std::all_of(code.begin(), code.end(), IsDigit) || code[0] == '0') return false;
  if (line.size() > 12 && line[12] != ' ') return false;
  head_.version_minor = line[7] - '0';
  head_.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  head_.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  return IsValue(head_.reason);
}

bool ResponseParser::ParseField(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return false;
  const std::string_view value = TrimBlanks(line.substr(colon + 1));
  if (!IsValue(value)) return false;
  head_.fields.push_back({line.substr(0, colon), value});
  return true;
}

ResponseParser::Result ResponseParser::Parse(std::span<char> bytes) {
  Rebase(bytes.data());
  for (;;) {
    const size_t window = std::min(bytes.size(), kResponseHeadBytesMax);
    const char* const line = bytes.data() + line_start_;
    const void* found =
        searched_ < window ? memchr(bytes.data() + searched_, '\n', window - searched_) : nullptr;
    if (found == nullptr) {
      searched_ = window;
      // What is no status line's beginning will be none with more bytes either.
      constexpr std::string_view kBegin = "HTTP/1.";
      const size_t there = std::min(kBegin.size(), window);
      if (!has_status_line_ && std::string_view(bytes.data(), there) != kBegin.substr(0, there)) {
        return Fail("it is no HTTP/1");
      }
      if (bytes.size() < kResponseHeadBytesMax) return Result::kNeedMore;
      error_ = absl::ResourceExhaustedError(
          absl::StrFormat("the response headers are larger than %d bytes", kResponseHeadBytesMax));
      return Result::kBad;
    }
    const char* const newline = static_cast<const char*>(found);
    const size_t next = static_cast<size_t>(newline - bytes.data()) + 1;
    const bool has_cr = newline != line && newline[-1] == '\r';
    const std::string_view text(line, static_cast<size_t>(newline - line) - (has_cr ? 1 : 0));
    sloppy_ |= !has_cr;
    if (!has_status_line_) {
      if (!ParseStatusLine(text)) {
        return Fail(StrCat("\"", absl::CHexEscape(Abseil(text.substr(0, kShownBytesMax))),
                           "\" is no status line"));
      }
      has_status_line_ = true;
    } else if (text.empty()) {
      line_start_ = searched_ = next;
      return Result::kDone;
    } else {
      // A line that the next one continues is one with it: blanks in place of the line's end
      // (RFC 9112, 5.2).
      if (next == bytes.size()) return Result::kNeedMore;
      if (IsBlank(bytes[next])) {
        sloppy_ = true;
        bytes[next - 1] = ' ';
        if (has_cr) bytes[next - 2] = ' ';
        searched_ = next;
        continue;
      }
      if (head_.fields.size() == kResponseFieldsMax) return Fail("it has more than 256 fields");
      if (!ParseField(text)) {
        return Fail(StrCat("\"", absl::CHexEscape(Abseil(text.substr(0, kShownBytesMax))),
                           "\" is no field"));
      }
    }
    line_start_ = searched_ = next;
  }
}

absl::Status ResponseParser::Frame(std::string_view request_method,
                                   ResponseFraming& framing) const {
  const Said said = Read(head_.fields);
  framing = {};
  framing.keep_alive = !sloppy_ && !said.close && (head_.version_minor >= 1 || said.keep_alive);
  const int status = head_.status;
  if (status == 101 || (request_method == "CONNECT" && status >= 200 && status < 300)) {
    framing.body = ResponseBody::kTunnel;
    return absl::OkStatus();
  }
  if (request_method == "HEAD" || status < 200 || status == 204 || status == 304) {
    return absl::OkStatus();
  }
  if (said.has_coding) {
    if (said.other_coding) return BadResponse("it has a transfer coding that nobody asked for");
    // Both, or one that HTTP/1.0 does not have: the next answer may be part of this one.
    framing.keep_alive &= !said.has_length && head_.version_minor >= 1;
    framing.body = said.chunked_last ? ResponseBody::kChunked : ResponseBody::kUntilClose;
  } else if (said.has_length) {
    if (said.lengths_differ) return BadResponse("its Content-Length is no number, or several");
    framing.content_length = said.length;
    framing.body = said.length == 0 ? ResponseBody::kNone : ResponseBody::kLength;
  } else {
    framing.body = ResponseBody::kUntilClose;
  }
  if (framing.body == ResponseBody::kUntilClose) framing.keep_alive = false;
  return absl::OkStatus();
}

}  // namespace grove::http

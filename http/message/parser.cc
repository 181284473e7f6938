// A line is parsed from its start each time until it is complete; then the state moves behind it.
// So the outcome is a function of the bytes so far, and a refusal, once due, stays whatever
// follows: each check looks at bytes in order, inside a window that the line's limit bounds. That
// is what makes every split equal to the whole.
#include "http/message/parser.h"

#include <algorithm>
#include <cstring>

#include "http/message/field_line.h"
#include "http/message/scan.h"
#include "http/message/target.h"

namespace grove::http {
namespace {

using enum RefusalKind;

constexpr Refusal kLongRequestLine{414, kTooLarge, "request line too long"};
constexpr Refusal kMalformedTarget{400, kTarget, "malformed request target"};

}  // namespace

void RequestParser::Reset() {
  stage_ = Stage::kRequestLine;
  base_ = nullptr;
  line_start_ = 0;
  fields_start_ = 0;
  empty_lines_ = 0;
  head_.fields.clear();
  framing_.Reset();
  refusal_ = {};
}

RequestParser::Result RequestParser::Refuse(Refusal refusal) {
  stage_ = Stage::kRefused;
  refusal_ = refusal;
  return Result::kRefused;
}

RequestParser::Result RequestParser::Incomplete(Window window, Refusal too_long) {
  return window == Window::kFull ? Refuse(too_long) : Result::kNeedMore;
}

// The buffer was moved to grow: the views follow.
void RequestParser::Rebase(const char* base) {
  if (base_ != nullptr && base_ != base && stage_ == Stage::kFields) {
    auto move = [&](std::string_view& view) {
      view = std::string_view(base + (view.data() - base_), view.size());
    };
    move(head_.method);
    move(head_.target);
    for (Field& field : head_.fields) {
      move(field.name);
      move(field.value);
    }
  }
  base_ = base;
}

RequestParser::Result RequestParser::Parse(std::string_view bytes) {
  Rebase(bytes.data());
  if (stage_ == Stage::kRequestLine) {
    const Result result = ParseRequestLine(bytes);
    if (result != Result::kDone) return result;
    stage_ = Stage::kFields;
  }
  if (stage_ == Stage::kFields) return ParseFields(bytes);
  return stage_ == Stage::kDone ? Result::kDone : Result::kRefused;
}

RequestParser::Result RequestParser::ParseRequestLine(std::string_view bytes) {
  const char* end = bytes.data() + bytes.size();
  const char* line = bytes.data() + line_start_;
  for (; line != end && *line == '\r'; line += 2, line_start_ += 2) {
    if (line + 1 == end) return Result::kNeedMore;
    if (line[1] != '\n' || ++empty_lines_ > kEmptyLinesMax)
      return Refuse({400, kRequestLine, "no request line"});
  }
  Window window = Window::kOpen;
  if (static_cast<size_t>(end - line) >= kRequestLineBytesMax + 2) {
    window = Window::kFull;
    end = line + kRequestLineBytesMax + 2;
  }

  const char* p = SkipToken(line, end);
  if (p == end) return Incomplete(window, kLongRequestLine);
  if (*p != ' ' || p == line) return Refuse({400, kRequestLine, "malformed method"});
  head_.method = std::string_view(line, p - line);
  const char* target = ++p;
  p = SkipTarget(p, end);
  if (p == end) return Incomplete(window, kLongRequestLine);
  if (*p != ' ' || p == target) return Refuse({400, kRequestLine, "malformed request line"});
  head_.target = std::string_view(target, p - target);
  if (!IsTargetText(head_.target, target_text_)) return Refuse(kMalformedTarget);
  return ParseVersion(p + 1, end, window);
}

RequestParser::Result RequestParser::ParseVersion(const char* version, const char* end,
                                                  Window window) {
  constexpr std::string_view kPattern = "HTTP/1.1\r\n";
  const size_t got = std::min(kPattern.size(), static_cast<size_t>(end - version));
  if (got < kPattern.size() || std::memcmp(version, kPattern.data(), kPattern.size()) != 0) {
    for (size_t i = 0; i < got; ++i) {
      const bool digit_place = i == 5 || i == 7;
      if (digit_place ? !IsDigit(version[i]) : version[i] != kPattern[i]) {
        return Refuse({400, kVersion, "malformed version or line end"});
      }
    }
    if (got < kPattern.size()) return Incomplete(window, kLongRequestLine);
    if (version[5] != '1') return Refuse({505, kVersion, "HTTP version other than 1.x"});
  }
  // A higher minor version is served as the highest one known (RFC 9110, 6.2).
  head_.version_minor = std::min(version[7] - '0', 1);
  line_start_ = version + kPattern.size() - base_;
  fields_start_ = line_start_;
  return Result::kDone;
}

RequestParser::Result RequestParser::ParseFields(std::string_view bytes) {
  const char* end = bytes.data() + bytes.size();
  while (true) {
    const char* line = base_ + line_start_;
    const size_t bytes_max =
        std::min(kFieldLineBytesMax + 2, fields_start_ + kFieldsBytesMax - line_start_);
    const bool full = static_cast<size_t>(end - line) >= bytes_max;
    // Straight into its place.
    Field& field = head_.fields.emplace_back();
    const FieldLine parsed = ParseFieldLine(line, full ? line + bytes_max : end, field);
    if (parsed.kind != FieldLine::Kind::kField) [[unlikely]] {
      head_.fields.pop_back();
      return EndFields(parsed, full ? Window::kFull : Window::kOpen);
    }
    const size_t count = head_.fields.size();
    if (count > kFieldsMax) return Refuse({431, kTooLarge, "too many header fields"});
    if (Refusal refusal = framing_.Note(field, static_cast<int>(count - 1))) return Refuse(refusal);
    line_start_ = parsed.next - base_;
  }
}

RequestParser::Result RequestParser::EndFields(const FieldLine& last, Window window) {
  switch (last.kind) {
    case FieldLine::Kind::kNeedMore:
      return Incomplete(window, {431, kTooLarge, "header fields too large"});
    case FieldLine::Kind::kEnd:
      line_start_ = last.next - base_;
      return Complete();
    default:
      return Refuse({400, kField, "malformed header field"});
  }
}

RequestParser::Result RequestParser::Complete() {
  if (Refusal refusal = framing_.Decide(head_.version_minor)) return Refuse(refusal);
  Target target;
  if (!ParseTarget(head_.method, head_.target, target)) {
    return Refuse(kMalformedTarget);
  }
  head_.path = target.path;
  head_.query = target.query;
  head_.scheme = target.scheme;
  // An absolute target's authority wins over Host (RFC 9112, 3.2.2).
  if (!target.authority.empty()) {
    head_.host = target.authority;
  } else {
    const int host = framing_.host_index();
    head_.host = host < 0 ? std::string_view() : head_.fields[host].value;
  }
  stage_ = Stage::kDone;
  return Result::kDone;
}

}  // namespace grove::http

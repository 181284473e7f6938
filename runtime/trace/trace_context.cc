#include "runtime/trace/trace_context.h"

#include <algorithm>
#include <vector>

namespace grove {
namespace {

// version-trace-span-flags (3.2.2).
constexpr size_t kTraceparentBytes = 2 + 1 + 32 + 1 + 16 + 1 + 2;
constexpr uint8_t kSampledFlag = 0x01;
// Left out first of what is too long (3.3.1.5).
constexpr size_t kLongMemberBytes = 128;

// Upper case is malformed.
int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<uint64_t> ParseHex(std::string_view text) {
  uint64_t value = 0;
  for (const char c : text) {
    const int digit = DigitOf(c);
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
  return value;
}

void AppendHex(uint64_t value, std::string& text) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) text.push_back(kDigits[value >> shift & 0xf]);
}

std::string_view Trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// "key=value", both printable; what else a key may be is for whoever uses it.
bool IsMember(std::string_view member) {
  const size_t equals = member.find('=');
  if (equals == 0 || equals == std::string_view::npos || equals + 1 == member.size()) return false;
  return std::all_of(member.begin(), member.end(), [](char c) { return c >= ' ' && c <= '~'; }) &&
         member.find('=', equals + 1) == std::string_view::npos;
}

size_t JoinedBytes(const std::vector<std::string_view>& members) {
  size_t bytes = members.empty() ? 0 : members.size() - 1;
  for (const std::string_view member : members) bytes += member.size();
  return bytes;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view text) {
  if (text.size() < kTraceparentBytes) return std::nullopt;
  const std::optional<uint64_t> version = ParseHex(text.substr(0, 2));
  // 255 is no version; of the first one nothing follows (3.2.2.1, 3.2.4).
  if (!version || *version == 0xff) return std::nullopt;
  const bool is_longer = text.size() > kTraceparentBytes;
  if (is_longer && (*version == 0 || text[kTraceparentBytes] != '-')) return std::nullopt;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const std::optional<uint64_t> high = ParseHex(text.substr(3, 16));
  const std::optional<uint64_t> low = ParseHex(text.substr(19, 16));
  const std::optional<uint64_t> span = ParseHex(text.substr(36, 16));
  const std::optional<uint64_t> flags = ParseHex(text.substr(53, 2));
  if (!high || !low || !span || !flags) return std::nullopt;
  TraceContext context;
  context.trace = {*high, *low};
  context.span = *span;
  context.sampled = (*flags & kSampledFlag) != 0;
  if (!context.valid()) return std::nullopt;
  return context;
}

std::string FormatTraceparent(const TraceContext& context) {
  std::string text;
  text.reserve(kTraceparentBytes);
  text.append("00-");
  AppendHex(context.trace.high, text);
  AppendHex(context.trace.low, text);
  text.push_back('-');
  AppendHex(context.span, text);
  text.append(context.sampled ? "-01" : "-00");
  return text;
}

std::string NormaliseTracestate(std::string_view text) {
  std::vector<std::string_view> members;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view member = Trimmed(text.substr(at, comma - at));
    at = comma + 1;
    if (member.empty()) continue;
    if (!IsMember(member)) return "";
    members.push_back(member);
  }
  if (members.size() > static_cast<size_t>(kTracestateMembersMax)) return "";
  if (JoinedBytes(members) > kTracestateBytesMax) {
    std::erase_if(members,
                  [](std::string_view member) { return member.size() > kLongMemberBytes; });
  }
  while (JoinedBytes(members) > kTracestateBytesMax) members.pop_back();
  std::string joined;
  for (const std::string_view member : members) {
    if (!joined.empty()) joined.push_back(',');
    joined.append(member);
  }
  return joined;
}

std::string FormatTraceId(TraceId trace) {
  std::string text;
  text.reserve(32);
  AppendHex(trace.high, text);
  AppendHex(trace.low, text);
  return text;
}

std::string FormatSpanId(uint64_t span) {
  std::string text;
  AppendHex(span, text);
  return text;
}

}  // namespace grove

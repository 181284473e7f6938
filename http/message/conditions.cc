#include "http/message/conditions.h"

#include <optional>

#include "http/message/http_date.h"
#include "http/message/scan.h"

namespace grove::http {
namespace {

// What a list of entity tags says about one of them. kAbsent: there is no such field.
enum class Match : uint8_t { kAbsent, kNo, kYes };
enum class Comparison : uint8_t { kStrong, kWeak };

// RFC 9110, 8.8.3.2. The current tag is strong.
bool TagMatches(std::string_view tag, std::string_view current, Comparison comparison) {
  if (tag.starts_with("W/")) {
    if (comparison == Comparison::kStrong) return false;
    tag.remove_prefix(2);
  }
  return tag == current;
}

// Cuts the first entity tag off `list`, with the comma behind it; empty if what comes is none.
std::string_view TakeTag(std::string_view& list) {
  while (!list.empty() && (IsBlank(list.front()) || list.front() == ',')) list.remove_prefix(1);
  const size_t open = list.starts_with("W/") ? 2 : 0;
  if (list.size() <= open || list[open] != '"') return {};
  const size_t close = list.find('"', open + 1);
  if (close == std::string_view::npos) return {};
  const std::string_view tag = list.substr(0, close + 1);
  list.remove_prefix(close + 1);
  return tag;
}

// Over all fields of that name: they are one list (RFC 9110, 5.3).
Match MatchTags(std::span<const Field> fields, std::string_view name, std::string_view current,
                Comparison comparison) {
  Match match = Match::kAbsent;
  for (const Field& field : fields) {
    if (!EqualsIgnoreCase(field.name, name)) continue;
    if (match == Match::kAbsent) match = Match::kNo;
    std::string_view list = TrimBlanks(field.value);
    if (list == "*") return Match::kYes;
    for (std::string_view tag; !(tag = TakeTag(list)).empty();) {
      if (TagMatches(tag, current, comparison)) return Match::kYes;
    }
  }
  return match;
}

// A date that stands once. More than one is malformed, and ignored as such.
std::optional<std::time_t> DateOf(std::span<const Field> fields, std::string_view name,
                                  std::time_t now) {
  std::optional<std::string_view> value;
  for (const Field& field : fields) {
    if (!EqualsIgnoreCase(field.name, name)) continue;
    if (value.has_value()) return std::nullopt;
    value = field.value;
  }
  if (!value.has_value()) return std::nullopt;
  return ParseHttpDate(TrimBlanks(*value), now);
}

}  // namespace

Verdict JudgeConditions(std::span<const Field> fields, const Validators& current, std::time_t now) {
  const Match if_match = MatchTags(fields, "if-match", current.etag, Comparison::kStrong);
  if (if_match == Match::kNo) return Verdict::kFailed;
  if (if_match == Match::kAbsent) {
    const auto unmodified_since = DateOf(fields, "if-unmodified-since", now);
    if (unmodified_since && current.last_modified > *unmodified_since) return Verdict::kFailed;
  }
  const Match if_none_match = MatchTags(fields, "if-none-match", current.etag, Comparison::kWeak);
  if (if_none_match == Match::kYes) return Verdict::kNotModified;
  if (if_none_match == Match::kAbsent) {
    const auto modified_since = DateOf(fields, "if-modified-since", now);
    if (modified_since && current.last_modified <= *modified_since) return Verdict::kNotModified;
  }
  return Verdict::kProceed;
}

bool RangeStands(std::span<const Field> fields, const Validators& current, std::time_t now) {
  std::optional<std::string_view> value;
  for (const Field& field : fields) {
    if (!EqualsIgnoreCase(field.name, "if-range")) continue;
    if (value.has_value()) return false;
    value = TrimBlanks(field.value);
  }
  if (!value.has_value()) return true;
  if (value->starts_with('"') || value->starts_with("W/")) {
    return TagMatches(*value, current.etag, Comparison::kStrong);
  }
  // RFC 9110, 8.8.2.2: a Last-Modified is strong once its second is over.
  const std::optional<std::time_t> date = ParseHttpDate(*value, now);
  return date == current.last_modified && current.last_modified < now;
}

}  // namespace grove::http

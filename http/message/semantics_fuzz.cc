// libFuzzer target: whatever Range, If-* and dates say, ranges lie within the file, dates survive
// being written and read, and conditions judge alike whatever else stands among the fields.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "http/message/byte_ranges.h"
#include "http/message/conditions.h"
#include "http/message/http_date.h"

namespace {

using grove::http::Field;

constexpr std::time_t kNow = 1'800'000'000;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void CheckRange(std::string_view field, uint64_t size) {
  using Kind = grove::http::RangeRequest::Kind;
  const grove::http::RangeRequest asked = grove::http::ParseRange(field, size);
  Require((asked.kind == Kind::kPart) == !asked.ranges.empty(), "a part without ranges");
  Require(asked.ranges.size() <= grove::http::kByteRangesMax, "too many ranges");
  for (const grove::http::ByteRange& range : asked.ranges) {
    Require(range.length >= 1 && range.first < size, "a range behind the end");
    Require(range.length <= size - range.first, "a range over the end");
  }
}

void CheckDate(std::string_view text) {
  const auto seconds = grove::http::ParseHttpDate(text, kNow);
  if (!seconds) return;
  const auto again = grove::http::ParseHttpDate(grove::http::FormatHttpDate(*seconds), kNow);
  Require(again == seconds, "a date changed by being written");
}

// "name:value" a line.
std::vector<Field> FieldsOf(std::string_view text) {
  std::vector<Field> fields;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    fields.push_back({line.substr(0, colon), line.substr(colon + 1)});
  }
  return fields;
}

void CheckConditions(std::string_view text) {
  const grove::http::Validators current{.etag = "\"a1\"", .last_modified = kNow - 1000};
  std::vector<Field> fields = FieldsOf(text);
  const auto verdict = grove::http::JudgeConditions(fields, current, kNow);
  const bool stands = grove::http::RangeStands(fields, current, kNow);
  fields.insert(fields.begin(), {"X-First", "\"a1\""});
  fields.push_back({"X-Last", "*"});
  Require(grove::http::JudgeConditions(fields, current, kNow) == verdict, "judged otherwise");
  Require(grove::http::RangeStands(fields, current, kNow) == stands, "ranged otherwise");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, UINT64_MAX}) {
    CheckRange(text, length);
  }
  CheckDate(text);
  CheckConditions(text);
  return 0;
}

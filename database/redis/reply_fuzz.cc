// Fuzzer of what a Redis server may say.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on. Whatever the split of
// the bytes, the outcome is that of the whole.
#include <cstdint>
#include <string>
#include <string_view>

#include "database/redis/reply_parser.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"

namespace grove::redis {
namespace {

void Tell(const Value& value, std::string& text) {
  StrAppend(&text, static_cast<int>(value.kind()), ":", value.text(), ":",
            value.String().value_or("-"), "[");
  for (const Value& element : value.elements()) Tell(element, text);
  text += "]";
}

std::string Parsed(std::string_view bytes, size_t step) {
  ReplyParser parser({.bytes_max = 4096, .depth_max = 8});
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += step) {
    parser.Feed(bytes.substr(at, step));
    for (;;) {
      const absl::StatusOr<std::optional<Value>> value = parser.Next();
      if (!value.ok()) return text + value.status().ToString();
      if (!value->has_value()) break;
      Tell(**value, text);
    }
  }
  return text;
}

}  // namespace
}  // namespace grove::redis

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = grove::redis::Parsed(bytes, bytes.size() + 1);
  for (const size_t step : {1, 7}) {
    GROVE_CHECK(grove::redis::Parsed(bytes, step) == whole,
                "a reply is another one when it comes in pieces");
  }
  return 0;
}

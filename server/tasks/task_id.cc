#include "server/tasks/task_id.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace grove::tasks {
namespace {

// Crockford's base32: no I, L, O and U, so that ids survive being read aloud.
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr int kTimeShift = 16;
constexpr uint64_t kTimeMax = (uint64_t{1} << 48) - 1;
constexpr uint8_t kNoDigit = 0xff;

constexpr std::array<uint8_t, 256> MakeDigits() {
  std::array<uint8_t, 256> digits;
  digits.fill(kNoDigit);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}
constexpr std::array<uint8_t, 256> kDigits = MakeDigits();

}  // namespace

std::optional<TaskId> TaskId::Parse(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  TaskId id;
  // 26 digits hold 130 bits: the first one may only use 3 of its 5.
  if (text[0] > '7') return std::nullopt;
  for (char c : text) {
    const uint8_t digit = kDigits[static_cast<unsigned char>(c)];
    if (digit == kNoDigit) return std::nullopt;
    id.high = id.high << 5 | id.low >> 59;
    id.low = id.low << 5 | digit;
  }
  return id;
}

std::array<char, TaskId::kTextSize> TaskId::ToText() const {
  std::array<char, kTextSize> text;
  uint64_t rest_high = high;
  uint64_t rest_low = low;
  for (size_t i = kTextSize; i-- > 0;) {
    text[i] = kAlphabet[rest_low & 31];
    rest_low = rest_low >> 5 | rest_high << 59;
    rest_high >>= 5;
  }
  return text;
}

std::string TaskId::ToString() const {
  const std::array<char, kTextSize> text = ToText();
  return std::string(text.data(), text.size());
}

TaskId TaskIdSource::Next(EngineMicros now_us) {
  const uint64_t now_ms = std::min<uint64_t>(std::max<int64_t>(now_us, 0) / 1000, kTimeMax);
  if (now_ms > last_.high >> kTimeShift) {
    last_.high = now_ms << kTimeShift | (random_() & 0xffff);
    last_.low = random_();
    return last_;
  }
  // A random step keeps ids of one millisecond hard to guess from each other.
  const uint64_t step = 1 + (random_() >> 24);
  last_.low += step;
  if (last_.low < step) ++last_.high;
  return last_;
}

}  // namespace grove::tasks

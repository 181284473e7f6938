#include "server/control/page_token.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/list_token.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

constexpr size_t kPositionBytes = 12;
constexpr size_t kChecksumBytes = 8;

void AppendBigEndian(uint64_t value, size_t bytes, std::string& out) {
  for (size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t ReadBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

std::string EncodePageToken(std::string_view list, const PagePosition& position) {
  std::string bytes;
  AppendBigEndian(position.worker, 4, bytes);
  AppendBigEndian(position.after, 8, bytes);
  const uint64_t checksum = tasks::ListChecksum(list, bytes);
  AppendBigEndian(checksum, kChecksumBytes, bytes);
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<PagePosition> DecodePageToken(std::string_view list, std::string_view token) {
  if (token.empty()) return PagePosition{};
  std::string bytes;
  if (absl::WebSafeBase64Unescape(Abseil(token), &bytes) &&
      bytes.size() == kPositionBytes + kChecksumBytes) {
    const std::string_view position = std::string_view(bytes).substr(0, kPositionBytes);
    if (ReadBigEndian(std::string_view(bytes).substr(kPositionBytes)) ==
        tasks::ListChecksum(list, position)) {
      return PagePosition{static_cast<uint32_t>(ReadBigEndian(position.substr(0, 4))),
                          ReadBigEndian(position.substr(4))};
    }
  }
  return tasks::BadField("page_token", "PAGE_TOKEN_INVALID",
                         "is not one that this list returned; leave it empty for the first page");
}

absl::StatusOr<int32_t> PageSize(int32_t size, int32_t size_default, int32_t size_max) {
  if (size < 0) {
    return tasks::BadField("page_size", "PAGE_SIZE_NEGATIVE",
                           StrCat("is ", size, "; 0 stands for ", size_default));
  }
  return size == 0 ? size_default : std::min(size, size_max);
}

}  // namespace grove::control

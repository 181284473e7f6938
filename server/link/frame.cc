#include "server/link/frame.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace grove::link {
namespace {

// A peer that announces much and sends little must not cost memory: the buffer grows with what
// came.
constexpr size_t kFirstPiece = size_t{1} << 20;

}  // namespace

std::array<char, kFrameHeaderBytes> EncodeFrameLength(uint32_t length) {
  return {static_cast<char>(length >> 24), static_cast<char>(length >> 16),
          static_cast<char>(length >> 8), static_cast<char>(length)};
}

uint32_t DecodeFrameLength(std::string_view bytes) {
  uint32_t length = 0;
  for (const char byte : bytes.substr(0, kFrameHeaderBytes)) {
    length = length << 8 | static_cast<unsigned char>(byte);
  }
  return length;
}

absl::StatusOr<std::string> ReadFrame(Socket& socket, size_t bytes_max) {
  std::array<char, kFrameHeaderBytes> header;
  if (absl::Status status = socket.ReadFull(header); !status.ok()) return status;
  const size_t length = DecodeFrameLength({header.data(), header.size()});
  if (length > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("frame of ", length, " bytes; at most ", bytes_max, " are allowed"));
  }
  std::string bytes;
  while (bytes.size() < length) {
    const size_t have = bytes.size();
    bytes.resize(std::min(length, std::max(kFirstPiece, 2 * have)));
    absl::Status status = socket.ReadFull(std::span(bytes).subspan(have));
    if (absl::IsOutOfRange(status)) return absl::UnavailableError("stream ended inside a frame");
    if (!status.ok()) return status;
  }
  return bytes;
}

absl::Status WriteFrame(Socket& socket, std::string_view bytes) {
  if (bytes.size() > kFrameBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("frame of ", bytes.size(), " bytes; at most ",
                                                   kFrameBytesMax, " are allowed"));
  }
  std::array<char, kFrameHeaderBytes> header =
      EncodeFrameLength(static_cast<uint32_t>(bytes.size()));
  std::array<iovec, 2> parts = {iovec{header.data(), header.size()},
                                iovec{const_cast<char*>(bytes.data()), bytes.size()}};
  return socket.Writev(std::span(parts).first(bytes.empty() ? 1 : 2));
}

}  // namespace grove::link

#include "http/client/zstd_decoder.h"

#include <zstd.h>
#include <zstd_errors.h>

namespace grove::http {
namespace {

// RFC 9659, 3.
constexpr int kWindowLogMax = 23;

}  // namespace

ZstdDecoder::ZstdDecoder() : zstd_(ZSTD_createDCtx()) {
  if (zstd_ != nullptr) ZSTD_DCtx_setParameter(zstd_, ZSTD_d_windowLogMax, kWindowLogMax);
}

ZstdDecoder::~ZstdDecoder() {
  ZSTD_freeDCtx(zstd_);
}

absl::Status ZstdDecoder::Next(std::string_view& coded, std::string& piece) {
  piece.clear();
  if (zstd_ == nullptr) return absl::ResourceExhaustedError("zstd: out of memory");
  if (coded.empty() && !has_more_) return absl::OkStatus();
  piece.resize(kPieceBytes);
  ZSTD_inBuffer in = {coded.data(), coded.size(), 0};
  ZSTD_outBuffer out = {piece.data(), piece.size(), 0};
  const size_t result = ZSTD_decompressStream(zstd_, &out, &in);
  if (ZSTD_isError(result) != 0) {
    piece.clear();
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) {
      return absl::ResourceExhaustedError("zstd: out of memory");
    }
    return NotCodedAs("zstd");
  }
  coded.remove_prefix(in.pos);
  piece.resize(out.pos);
  // Of the frame; another one may follow.
  at_end_ = result == 0;
  has_more_ = !at_end_ && out.pos == out.size;
  return absl::OkStatus();
}

}  // namespace grove::http

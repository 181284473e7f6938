#include "http/client/inflater.h"

#include <zlib.h>

namespace grove::http {
namespace {

// zlib.h: 32 beside the window says that gzip or zlib is told by its first bytes; a negative window
// that there is neither's head, as some servers understand "deflate".
constexpr int kByItsHead = 32 + MAX_WBITS;
constexpr int kWithoutHead = -MAX_WBITS;

bool BeginsAsGzipOrZlib(std::string_view coded) {
  const auto first = static_cast<uint8_t>(coded[0]);
  if (first == 0x1f) return true;
  if ((first & 0x0f) != Z_DEFLATED || first >> 4 > 7) return false;
  // RFC 1950, 2.2: both bytes together are a multiple of 31.
  return coded.size() < 2 || (first * 256 + static_cast<uint8_t>(coded[1])) % 31 == 0;
}

}  // namespace

Inflater::Inflater() : zlib_(std::make_unique<z_stream>()) {}

Inflater::~Inflater() {
  if (begun_) inflateEnd(zlib_.get());
}

absl::Status Inflater::Restart(int window_bits) {
  const int made =
      begun_ ? inflateReset2(zlib_.get(), window_bits) : inflateInit2(zlib_.get(), window_bits);
  if (made != Z_OK) return absl::ResourceExhaustedError("inflate: out of memory");
  begun_ = true;
  at_end_ = false;
  return absl::OkStatus();
}

absl::Status Inflater::Next(std::string_view& coded, std::string& piece) {
  piece.clear();
  if (coded.empty() && !has_more_) return absl::OkStatus();
  if (!begun_ || at_end_) {
    absl::Status restarted = Restart(BeginsAsGzipOrZlib(coded) ? kByItsHead : kWithoutHead);
    if (!restarted.ok()) return restarted;
  }
  piece.resize(kPieceBytes);
  zlib_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
  zlib_->avail_in = static_cast<uInt>(coded.size());
  zlib_->next_out = reinterpret_cast<Bytef*>(piece.data());
  zlib_->avail_out = static_cast<uInt>(piece.size());
  const int code = inflate(zlib_.get(), Z_NO_FLUSH);
  if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
    piece.clear();
    return NotCodedAs("gzip or deflate");
  }
  coded.remove_prefix(coded.size() - zlib_->avail_in);
  piece.resize(piece.size() - zlib_->avail_out);
  at_end_ = code == Z_STREAM_END;
  has_more_ = !at_end_ && zlib_->avail_out == 0;
  return absl::OkStatus();
}

}  // namespace grove::http

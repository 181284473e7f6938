#include "http/client/brotli_decoder.h"

#include <brotli/decode.h>

namespace grove::http {

BrotliDecoder::BrotliDecoder() : brotli_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}

BrotliDecoder::~BrotliDecoder() {
  if (brotli_ != nullptr) BrotliDecoderDestroyInstance(brotli_);
}

absl::Status BrotliDecoder::Next(std::string_view& coded, std::string& piece) {
  piece.clear();
  if (brotli_ == nullptr) return absl::ResourceExhaustedError("brotli: out of memory");
  if (coded.empty() && !has_more_) return absl::OkStatus();
  // There is one stream, and nothing behind it.
  if (at_end_) return NotCodedAs("br");
  piece.resize(kPieceBytes);
  const auto* in = reinterpret_cast<const uint8_t*>(coded.data());
  auto* out = reinterpret_cast<uint8_t*>(piece.data());
  size_t in_left = coded.size();
  size_t out_left = piece.size();
  const BrotliDecoderResult result =
      BrotliDecoderDecompressStream(brotli_, &in_left, &in, &out_left, &out, nullptr);
  if (result == BROTLI_DECODER_RESULT_ERROR) {
    piece.clear();
    return NotCodedAs("br");
  }
  coded.remove_prefix(coded.size() - in_left);
  piece.resize(piece.size() - out_left);
  at_end_ = result == BROTLI_DECODER_RESULT_SUCCESS;
  has_more_ = result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
  return absl::OkStatus();
}

}  // namespace grove::http

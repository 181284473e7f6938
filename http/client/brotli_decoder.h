// BrotliDecoder: the coding "br" (RFC 7932).
//
// Its window is 16 MiB at most; the larger ones that the library knows are not HTTP's.
#ifndef GROVE_HTTP_CLIENT_BROTLI_DECODER_H_
#define GROVE_HTTP_CLIENT_BROTLI_DECODER_H_

#include "http/client/content_decoder.h"

struct BrotliDecoderStateStruct;

namespace grove::http {

class BrotliDecoder final : public ContentDecoder {
 public:
  BrotliDecoder();
  ~BrotliDecoder() override;

  absl::Status Next(std::string_view& coded, std::string& piece) override;
  bool has_more() const override { return has_more_; }
  bool at_end() const override { return at_end_; }

 private:
  BrotliDecoderStateStruct* const brotli_;  // null: no memory
  bool has_more_ = false;
  bool at_end_ = false;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_BROTLI_DECODER_H_

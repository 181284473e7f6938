// ZstdDecoder: the coding "zstd" (RFC 8878), with the window of 8 MiB that RFC 9659 bounds it to.
#ifndef GROVE_HTTP_CLIENT_ZSTD_DECODER_H_
#define GROVE_HTTP_CLIENT_ZSTD_DECODER_H_

#include "http/client/content_decoder.h"

struct ZSTD_DCtx_s;

namespace grove::http {

class ZstdDecoder final : public ContentDecoder {
 public:
  ZstdDecoder();
  ~ZstdDecoder() override;

  absl::Status Next(std::string_view& coded, std::string& piece) override;
  bool has_more() const override { return has_more_; }
  bool at_end() const override { return at_end_; }

 private:
  ZSTD_DCtx_s* const zstd_;  // null: no memory
  bool has_more_ = false;
  bool at_end_ = false;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_ZSTD_DECODER_H_

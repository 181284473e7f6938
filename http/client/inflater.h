// Inflater: the codings "gzip" and "deflate" (RFC 9110, 8.4.1), whichever of them it is called.
#ifndef GROVE_HTTP_CLIENT_INFLATER_H_
#define GROVE_HTTP_CLIENT_INFLATER_H_

#include <memory>

#include "http/client/content_decoder.h"

struct z_stream_s;

namespace grove::http {

class Inflater final : public ContentDecoder {
 public:
  Inflater();
  ~Inflater() override;

  absl::Status Next(std::string_view& coded, std::string& piece) override;
  bool has_more() const override { return has_more_; }
  bool at_end() const override { return at_end_; }

 private:
  absl::Status Restart(int window_bits);

  std::unique_ptr<z_stream_s> zlib_;
  bool begun_ = false;
  bool has_more_ = false;
  bool at_end_ = false;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_INFLATER_H_

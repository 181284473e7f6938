#include "http/client/content_decoder.h"

#include "http/client/brotli_decoder.h"
#include "http/client/inflater.h"
#include "http/client/zstd_decoder.h"
#include "http/message/field.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {

std::unique_ptr<ContentDecoder> ContentDecoder::Of(std::string_view coding) {
  if (EqualsIgnoreCase(coding, "gzip") || EqualsIgnoreCase(coding, "x-gzip") ||
      EqualsIgnoreCase(coding, "deflate")) {
    return std::make_unique<Inflater>();
  }
  if (EqualsIgnoreCase(coding, "br")) return std::make_unique<BrotliDecoder>();
  if (EqualsIgnoreCase(coding, "zstd")) return std::make_unique<ZstdDecoder>();
  return nullptr;
}

absl::Status NotCodedAs(std::string_view coding) {
  return absl::UnavailableError(
      StrCat("the body's Content-Encoding does not hold: it is no ", coding));
}

}  // namespace grove::http

// libFuzzer target: a multipart body has the same parts however its bytes come, and what is read
// of it is no more than there is.
//
// The first byte of an input is the size of the pieces. `./dev fuzz` builds it, and runs it from
// the corpus in testdata/fuzz on.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "server/http/handler/multipart.h"

namespace {

using grove::http::BodySource;
using grove::http::Multipart;
using grove::http::Part;

class Pieces final : public BodySource {
 public:
  Pieces(std::string_view body, size_t step) : body_(body), step_(step) {}
  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t got = std::min({buffer.size(), step_, body_.size()});
    body_.copy(buffer.data(), got);
    body_.remove_prefix(got);
    return got;
  }

 private:
  std::string_view body_;
  const size_t step_;
};

// All that a reader is told.
std::string Transcript(std::string_view body, size_t step, size_t& content) {
  Pieces pieces(body, step);
  Multipart form(pieces, "B", {.parts_max = 20, .head_bytes_max = 500});
  std::string told;
  for (;;) {
    const absl::StatusOr<std::optional<Part>> part = form.Next();
    if (!part.ok()) return told + "\n!" + std::string(part.status().message());
    if (!*part) return told + "\n.";
    told += "\n#" + (*part)->name + "\n#" + (*part)->filename.value_or("-") + "\n#" +
            (*part)->content_type + "\n=";
    char some[7];
    for (;;) {
      const absl::StatusOr<size_t> got = form.Read(some);
      if (!got.ok()) return told + "\n!" + std::string(got.status().message());
      if (*got == 0) break;
      content += *got;
      told.append(some, *got);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  size_t content = 0;
  size_t content_by_pieces = 0;
  const std::string whole = Transcript(body, size, content);
  const std::string by_pieces =
      Transcript(body, std::max<size_t>(bytes[0] % 32, 1), content_by_pieces);
  if (whole != by_pieces || content > body.size()) {
    std::fprintf(stderr, "whole:%s\nby pieces:%s\n", whole.c_str(), by_pieces.c_str());
    std::abort();
  }
  return 0;
}

#include "runtime/io/stream.h"

#include "absl/strings/str_cat.h"

namespace grove {

absl::Status Stream::ReadFull(std::span<char> buffer) {
  for (size_t have = 0; have < buffer.size();) {
    absl::StatusOr<size_t> got = Read(buffer.subspan(have));
    if (!got.ok()) return got.status();
    if (*got == 0 && have == 0) return absl::OutOfRangeError("end of stream");
    if (*got == 0) {
      return absl::UnavailableError(
          absl::StrCat("the stream ended after ", have, " of ", buffer.size(), " bytes"));
    }
    have += *got;
  }
  return absl::OkStatus();
}

}  // namespace grove

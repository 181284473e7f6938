#include "server/http/handler/response_sink.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::http {
namespace {

// Read at once where a file's bytes must pass through this process; other fibers run between two.
constexpr size_t kFilePieceBytes = 64 * 1024;

}  // namespace

absl::Status ResponseSink::Send(int status, FieldSpan fields, std::string_view content_type,
                                std::string_view body) {
  std::vector<Field> all(fields.begin(), fields.end());
  if (!content_type.empty()) all.push_back({"Content-Type", content_type});
  absl::Status sent = Begin(status, all, body.size());
  if (sent.ok() && !body.empty()) sent = Write(body);
  return sent.ok() ? Finish({}) : sent;
}

absl::StatusOr<Transport*> ResponseSink::Switch(std::string_view protocol, FieldSpan) {
  return absl::UnimplementedError(StrCat("no switch to ", protocol, " on this connection"));
}

absl::Status ResponseSink::WriteFile(int file, uint64_t offset, uint64_t length) {
  const size_t piece_bytes = std::min<uint64_t>(length, kFilePieceBytes);
  const std::unique_ptr<char[]> piece(new char[piece_bytes]);
  while (length > 0) {
    const ssize_t got = pread(file, piece.get(), std::min<uint64_t>(length, piece_bytes),
                              static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "pread");
    if (got == 0) {
      return absl::OutOfRangeError(absl::StrCat("the file ends at byte ", offset, ", ", length,
                                                " bytes before the end of the range"));
    }
    const size_t taken = static_cast<size_t>(got);
    if (absl::Status written = Write({piece.get(), taken}); !written.ok()) return written;
    offset += taken;
    length -= taken;
    if (length > 0 && Hub::Current() != nullptr) Yield();
  }
  return absl::OkStatus();
}

}  // namespace grove::http

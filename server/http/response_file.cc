// What handler.h declares for bodies out of files.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/io/socket.h"
#include "runtime/switch/errno_status.h"
#include "server/http/handler.h"

namespace grove::http {
namespace {

// Read at once where a file's bytes must pass through this process; other fibers run between two.
constexpr size_t kFilePieceBytes = 64 * 1024;

}  // namespace

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

absl::Status Response::WriteFile(int file, uint64_t offset, uint64_t length) {
  if (finished_) return absl::FailedPreconditionError("the response is finished already");
  if (!begun_) {
    if (absl::Status begun = Begin(std::nullopt); !begun.ok()) return begun;
  }
  if (length == 0) return absl::OkStatus();
  body_bytes_ += length;
  return sink_->WriteFile(file, offset, length);
}

absl::Status Response::SendFile(int status, std::string_view content_type, int file,
                                uint64_t offset, uint64_t length) {
  status_ = status;
  if (!content_type.empty()) Add("Content-Type", content_type);
  if (absl::Status begun = Begin(length); !begun.ok()) return begun;
  if (absl::Status written = WriteFile(file, offset, length); !written.ok()) return written;
  return Finish();
}

}  // namespace grove::http

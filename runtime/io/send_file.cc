#include "runtime/io/send_file.h"

#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/io/pipe.h"
#include "runtime/switch/errno_status.h"

namespace grove {

absl::Status SendFile(Socket& to, int file, int64_t offset, uint64_t length) {
  IgnoreBrokenPipes();
  DescriptorTable& table = Hub::Current()->descriptors();
  off_t at = offset;
  for (uint64_t left = length; left > 0;) {
    absl::Status ready = table.Await(to.fd(), Direction::kWrite, WaitFor::Kind::kWrite);
    if (!ready.ok()) return ready;
    const ssize_t sent =
        sendfile(to.fd(), file, &at, std::min<uint64_t>(left, kSendFileChunkBytes));
    if (sent == 0) {
      return absl::OutOfRangeError(absl::StrCat("the file ends at byte ", at, ", ", left,
                                                " bytes before the end of the range"));
    }
    if (sent > 0) {
      left -= static_cast<uint64_t>(sent);
      if (left > 0) Yield();
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return ErrnoStatus(errno, "sendfile");
    table.NotReady(to.fd(), Direction::kWrite);
  }
  return absl::OkStatus();
}

}  // namespace grove

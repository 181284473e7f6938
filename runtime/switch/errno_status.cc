#include "runtime/switch/errno_status.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_format.h"

namespace grove {

absl::Status ErrnoStatus(int error, std::string_view call) {
  const std::string text = absl::StrFormat("%s: %s", call, strerror(error));
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ESHUTDOWN:
    case ENOTCONN:
    case ECONNABORTED:
    case ECONNREFUSED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
      return absl::UnavailableError(text);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::Status(absl::ErrnoToStatusCode(error), text);
  }
}

}  // namespace grove

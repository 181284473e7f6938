#include "zeromq/zmq_error.h"

#include <zmq.h>

#include <cerrno>
#include <string>

#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::zeromq {

absl::Status ZmqStatus(int error, std::string_view call) {
  const std::string text = StrCat(call, ": ", zmq_strerror(error));
  switch (error) {
    case EFSM:
      return absl::FailedPreconditionError(
          StrCat(text, " (a REQ socket sends and receives by turns, a REP the other way)"));
    case ENOTSUP:
      return absl::FailedPreconditionError(StrCat(text, " (this type of socket does not do that)"));
    case EHOSTUNREACH:
      return absl::NotFoundError(StrCat(text, " (no peer has this routing id)"));
    case ETERM:
      return absl::AbortedError(text);
    case EINVAL:
    case ENOCOMPATPROTO:
    case EPROTONOSUPPORT:
      return absl::InvalidArgumentError(text);
    case EMTHREAD:
      return absl::ResourceExhaustedError(text);
    default:
      return ErrnoStatus(error, call);
  }
}

}  // namespace grove::zeromq

#include "server/http/serving/switched_transport.h"

#include "absl/strings/str_cat.h"

namespace grove::http {

absl::StatusOr<size_t> SwitchedTransport::Fill(size_t room) {
  if (wire_.reading_stopped()) return size_t{0};
  if (wire_.input().empty()) {
    // What a message needed is not kept for the pause after it.
    wire_.Trim();
  }
  absl::StatusOr<size_t> got = wire_.Fill(room);
  if (wire_.reading_stopped()) return size_t{0};
  return got;
}

absl::Status SwitchedTransport::Write(std::string_view head, std::string_view body) {
  if (!broken_.ok()) {
    return absl::UnavailableError(absl::StrCat("sending failed before: ", broken_.message()));
  }
  wire_.output().pending().Append(head);
  // Half of what belongs together may have been sent: nothing may follow it.
  if (broken_ = wire_.output().Write(body); !broken_.ok()) {
    StopReading();
    return broken_;
  }
  return wire_.output().FlushSoon();
}

void SwitchedTransport::StopReading() {
  // The kernel still yields what it has, and what a client goes on sending: hence Fill() asks
  // first.
  wire_.StopReading();
}

}  // namespace grove::http

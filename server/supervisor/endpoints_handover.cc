// How sockets come from one program of the supervisor's process to the next. The next one has
// copies (dup(2)): until it has proven itself, the earlier one may have to go on with its own.
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/supervisor/endpoints.h"

namespace grove::supervisor {
namespace {

using internal::v1::HandedHttpSockets;
using internal::v1::HandedSlotSockets;
using internal::v1::SupervisorHandover;

// Into `to`; -1 stays so.
absl::Status Duplicate(int fd, int& to) {
  if (fd < 0) return absl::OkStatus();
  to = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return to >= 0 ? absl::OkStatus() : ErrnoStatus(errno, StrCat("dup of descriptor ", fd));
}

bool IsOf(const HandedHttpSockets& handed, const config::v1::HttpListener& listener) {
  return handed.name() == listener.name() && handed.wanted() == listener.address() &&
         handed.reuse_port() == listener.reuse_port() && handed.fds_size() > 0;
}

}  // namespace

absl::StatusOr<Endpoints> Endpoints::Adopt(const config::v1::Http& http, const std::string& run_dir,
                                           const SupervisorHandover& handover) {
  Endpoints endpoints;
  endpoints.config_ = http;
  endpoints.run_dir_ = run_dir;
  auto handed = handover.http();
  for (int index = 0; index < http.listeners_size(); ++index) {
    absl::StatusOr<bool> adopted = endpoints.AdoptHttp(index, handed);
    if (!adopted.ok()) return adopted.status();
    InheritedSockets none;
    absl::Status added =
        *adopted ? absl::OkStatus() : endpoints.AddHttp(http, index, handover.workers(), none);
    if (!added.ok()) return added;
  }
  for (const HandedSlotSockets& slot : handover.slots()) {
    const auto place = static_cast<size_t>(slot.slot());
    if (place >= endpoints.slots_.size()) endpoints.slots_.resize(place + 1);
    Slot& taken = endpoints.slots_[place];
    absl::Status status = Duplicate(slot.link_fd(), taken.link.fd);
    if (status.ok()) status = Duplicate(slot.backdoor_fd(), taken.backdoor.fd);
    if (!status.ok()) return status;
    taken.link.name = {slot.link_path(), slot.link_inode()};
    taken.backdoor.name = {slot.backdoor_path(), slot.backdoor_inode()};
  }
  return endpoints;
}

absl::StatusOr<bool> Endpoints::AdoptHttp(
    int index, google::protobuf::RepeatedPtrField<HandedHttpSockets>& handed) {
  const config::v1::HttpListener& listener = config_.listeners(index);
  for (int place = 0; place < handed.size(); ++place) {
    const HandedHttpSockets& sockets = handed[place];
    if (!IsOf(sockets, listener)) continue;
    Http& taken = http_.emplace_back();
    taken.own = sockets.reuse_port();
    taken.address = sockets.address();
    taken.listener = index;
    taken.name = {sockets.path(), sockets.inode()};
    for (const int fd : sockets.fds()) {
      absl::Status status = Duplicate(fd, taken.fds.emplace_back(-1));
      if (!status.ok()) return status;
      // It may be another one now.
      if (fd >= 0 && listener.backlog() > 0) listen(fd, static_cast<int>(listener.backlog()));
    }
    handed.DeleteSubrange(place, 1);
    return true;
  }
  return false;
}

void Endpoints::Describe(SupervisorHandover& handover) const {
  for (const Http& http : http_) {
    const config::v1::HttpListener& listener = config_.listeners(http.listener);
    HandedHttpSockets* handed = handover.add_http();
    handed->set_name(listener.name());
    handed->set_wanted(listener.address());
    handed->set_reuse_port(listener.reuse_port());
    handed->set_address(http.address);
    for (const int fd : http.fds) handed->add_fds(fd);
    handed->set_path(http.name.path);
    handed->set_inode(http.name.inode);
  }
  for (size_t place = 0; place < slots_.size(); ++place) {
    const Slot& slot = slots_[place];
    if (slot.link.fd < 0 && slot.backdoor.fd < 0) continue;
    HandedSlotSockets* handed = handover.add_slots();
    handed->set_slot(static_cast<int32_t>(place));
    handed->set_link_fd(slot.link.fd);
    handed->set_link_path(slot.link.name.path);
    handed->set_link_inode(slot.link.name.inode);
    handed->set_backdoor_fd(slot.backdoor.fd);
    handed->set_backdoor_path(slot.backdoor.name.path);
    handed->set_backdoor_inode(slot.backdoor.name.inode);
  }
}

}  // namespace grove::supervisor

// How sockets come from one program of the supervisor's process to the next. The next one has
// copies (dup(2)): until it has proven itself, the earlier one may have to go on with its own.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/config/http_listeners.h"
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

constexpr mode_t kModeBits = 0777;

// As bind(2) makes it, if the config says nothing.
mode_t UnixModeOf(const config::v1::HttpListener& listener) {
  if (const std::optional<mode_t> mode = config::ParseUnixMode(listener.unix_mode())) return *mode;
  const mode_t mask = umask(0);
  umask(mask);
  return kModeBits & ~mask;
}

bool IsOf(const HandedHttpSockets& handed, const config::v1::HttpListener& listener) {
  if (handed.wanted() != listener.address() || handed.fds_size() == 0) return false;
  if (handed.reuse_port() != listener.reuse_port()) return false;
  // Several may want a port that the kernel chooses.
  const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(listener.address());
  const bool any_port = address.ok() && address->family() != AF_UNIX && address->port() == 0;
  return handed.name() == listener.name() || !any_port;
}

}  // namespace

absl::StatusOr<Endpoints> Endpoints::Adopt(const config::v1::Http& http, const std::string& run_dir,
                                           const SupervisorHandover& handover) {
  Endpoints endpoints;
  endpoints.config_ = http;
  endpoints.run_dir_ = run_dir;
  absl::Status status = endpoints.AdoptAll(handover);
  // What was handed is shared with whoever goes on if this fails: set up once nothing else can.
  if (status.ok()) status = endpoints.SetUpAdopted(handover);
  if (status.ok()) return endpoints;
  endpoints.RemoveNamesBut(handover);
  return status;
}

absl::Status Endpoints::AdoptAll(const SupervisorHandover& handover) {
  auto handed = handover.http();
  for (int index = 0; index < config_.listeners_size(); ++index) {
    absl::StatusOr<bool> adopted = AdoptHttp(index, handed);
    if (!adopted.ok()) return adopted.status();
    InheritedSockets none;
    absl::Status added =
        *adopted ? absl::OkStatus() : AddHttp(config_, index, handover.workers(), none);
    if (!added.ok()) return added;
  }
  for (const HandedSlotSockets& slot : handover.slots()) {
    const auto place = static_cast<size_t>(slot.slot());
    if (place >= slots_.size()) slots_.resize(place + 1);
    Slot& taken = slots_[place];
    absl::Status status = Duplicate(slot.link_fd(), taken.link.fd);
    if (status.ok()) status = Duplicate(slot.backdoor_fd(), taken.backdoor.fd);
    if (!status.ok()) return status;
    taken.link.name = {slot.link_path(), slot.link_inode()};
    taken.backdoor.name = {slot.backdoor_path(), slot.backdoor_inode()};
  }
  return absl::OkStatus();
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
    }
    handed.DeleteSubrange(place, 1);
    return true;
  }
  return false;
}

absl::Status Endpoints::SetUpAdopted(const SupervisorHandover& handover) {
  std::vector<std::pair<std::string, mode_t>> changed;
  for (const Http& http : http_) {
    if (!IsHanded(http.name, handover)) continue;
    const std::string& path = http.name.path;
    struct stat now;
    // A name that somebody has removed is made anew by Restore().
    if (stat(path.c_str(), &now) != 0 || now.st_ino != http.name.inode) continue;
    const mode_t mode = UnixModeOf(config_.listeners(http.listener));
    if ((now.st_mode & kModeBits) == mode) continue;
    if (chmod(path.c_str(), mode) != 0) {
      absl::Status failed = ErrnoStatus(errno, StrCat("chmod of ", path));
      for (const auto& [name, before] : changed) chmod(name.c_str(), before);
      return failed;
    }
    changed.emplace_back(path, now.st_mode & kModeBits);
  }
  for (const Http& http : http_) {
    const ListenOptions options = OptionsOf(config_.listeners(http.listener));
    for (const int fd : http.fds) {
      if (fd < 0) continue;
      listen(fd, options.backlog);
      if (http.name.path.empty()) SetDeferAccept(fd, options.defer_accept);
    }
  }
  return absl::OkStatus();
}

void Endpoints::RemoveNamesBut(const SupervisorHandover& kept) const {
  for (const Http& http : http_) {
    if (http.name.path.empty() || IsHanded(http.name, kept)) continue;
    http.name.Remove();
  }
}

bool Endpoints::IsHanded(const SocketName& name, const SupervisorHandover& handover) {
  return !name.path.empty() && std::any_of(handover.http().begin(), handover.http().end(),
                                           [&](const HandedHttpSockets& each) {
                                             return each.path() == name.path &&
                                                    each.inode() == name.inode;
                                           });
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

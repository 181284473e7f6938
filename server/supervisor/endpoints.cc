#include "server/supervisor/endpoints.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>

#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/config/http_listeners.h"

namespace grove::supervisor {
namespace {

// `status` names the call and the address.
absl::Status CannotBind(std::string_view key, const absl::Status& status) {
  return absl::Status(status.code(), StrCat("cannot ", status.message(), " (", key, ")"));
}

void CloseIfOpen(int& fd) {
  if (fd >= 0) close(std::exchange(fd, -1));
}

// Puts a port that the kernel chooses into `address`, for several sockets to share. Asked for port
// 0 by a socket that shares, the kernel may choose one that strangers share already; so the
// descriptor returned has it alone first, and then lets others in. To be closed when they are.
absl::StatusOr<int> FindSharedPort(SocketAddress* address) {
  absl::StatusOr<int> fd = BindListener(*address);
  if (!fd.ok()) return fd;
  *address = SocketAddress::OfLocal(*fd);
  const int on = 1;
  if (setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) return fd;
  absl::Status failed = ErrnoStatus(errno, "setsockopt(SO_REUSEPORT)");
  close(*fd);
  return failed;
}

}  // namespace

absl::StatusOr<Endpoints> Endpoints::Bind(const config::v1::Http& http, const std::string& run_dir,
                                          int workers, InheritedSockets inherited) {
  Endpoints endpoints;
  endpoints.config_ = http;
  endpoints.run_dir_ = run_dir;
  for (int index = 0; index < http.listeners_size(); ++index) {
    absl::Status added = endpoints.AddHttp(http, index, workers, inherited);
    if (!added.ok()) return added;
  }
  if (absl::Status s = inherited.CheckAllTaken(); !s.ok()) return s;
  for (int worker = 0; worker < workers; ++worker) {
    if (absl::Status bound = endpoints.BindSlot(worker); !bound.ok()) return bound;
  }
  return endpoints;
}

ListenOptions Endpoints::OptionsOf(const config::v1::HttpListener& listener) {
  ListenOptions options;
  options.defer_accept = SilenceOf(listener);
  if (listener.backlog() > 0) options.backlog = listener.backlog();
  options.reuse_port = listener.reuse_port();
  options.unix_mode = config::ParseUnixMode(listener.unix_mode());
  return options;
}

absl::Status Endpoints::BindSlot(int worker) {
  if (static_cast<size_t>(worker) >= slots_.size()) slots_.resize(static_cast<size_t>(worker) + 1);
  const std::string stem = StrCat(run_dir_, "/worker-", worker);
  for (auto [socket, suffix] :
       {std::pair(&slots_[worker].link, ".link"), {&slots_[worker].backdoor, ".backdoor"}}) {
    if (socket->fd >= 0) continue;
    absl::StatusOr<Private> bound = BindPrivate(stem + suffix);
    if (!bound.ok()) return bound.status();
    *socket = *std::move(bound);
  }
  for (Http& http : http_) {
    if (!http.own) continue;
    if (absl::Status bound = BindOwnHttp(http, worker); !bound.ok()) return bound;
  }
  return absl::OkStatus();
}

absl::Status Endpoints::BindOwnHttp(Http& http, int worker) {
  if (static_cast<size_t>(worker) >= http.fds.size()) {
    http.fds.resize(static_cast<size_t>(worker) + 1, -1);
  }
  if (http.fds[worker] >= 0) return absl::OkStatus();
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(http.address);
  if (!address.ok()) return address.status();
  absl::StatusOr<int> fd = BindListener(*address, OptionsOf(config_.listeners(http.listener)));
  if (!fd.ok()) return CannotBind(config::HttpListenerKey(config_, http.listener), fd.status());
  http.fds[worker] = *fd;
  return absl::OkStatus();
}

void Endpoints::ReleaseSlot(int worker) {
  CloseOwnHttp(worker);
  if (static_cast<size_t>(worker) >= slots_.size()) return;
  for (Private* each : {&slots_[worker].link, &slots_[worker].backdoor}) {
    CloseIfOpen(each->fd);
    each->name.Remove();
    each->name = {};
  }
}

void Endpoints::CloseOwnHttp(int worker) {
  for (Http& http : http_) {
    if (http.own && static_cast<size_t>(worker) < http.fds.size()) CloseIfOpen(http.fds[worker]);
  }
}

std::vector<std::string> Endpoints::paths() const {
  std::vector<std::string> paths;
  for (const Http& http : http_) paths.push_back(http.name.path);
  for (const Slot& slot : slots_) {
    paths.push_back(slot.link.name.path);
    paths.push_back(slot.backdoor.name.path);
  }
  std::erase(paths, "");
  return paths;
}

absl::Status Endpoints::AddHttp(const config::v1::Http& http, int index, int workers,
                                InheritedSockets& inherited) {
  const config::v1::HttpListener& listener = http.listeners(index);
  const std::string key = config::HttpListenerKey(http, index);
  absl::StatusOr<SocketAddress> wanted = SocketAddress::Parse(listener.address());
  if (!wanted.ok()) return wanted.status();
  SocketAddress real = *wanted;
  if (const int fd = inherited.Take(listener.name(), *wanted, &real); fd >= 0) {
    if (real.family() != AF_UNIX) SetDeferAccept(fd, SilenceOf(listener));
    // Its name is not ours to watch.
    http_.push_back(
        {.fds = {fd}, .own = false, .address = real.ToString(), .listener = index, .name = {}});
    if (listener.reuse_port()) {
      return absl::InvalidArgumentError(StrCat(
          key, ".reuse_port: its socket is inherited (LISTEN_FDS), and there is but one of it"));
    }
    // Found by its name, it may be bound to what the config did not foresee.
    if (config::MayServeAt(http, listener, real)) return absl::OkStatus();
    return absl::InvalidArgumentError(StrCat(
        key, ": its inherited socket is bound to ", real.ToString(),
        ", which is reachable beyond this machine without TLS; accept it with insecure: true"));
  }
  http_.emplace_back();
  absl::Status bound = BindHttp(listener, *wanted, workers);
  if (!bound.ok()) return CannotBind(key == "http.listen" ? "--http, http.listen" : key, bound);
  if (wanted->family() == AF_UNIX) http_.back().name = SocketName::Of(std::string(wanted->path()));
  http_.back().own = listener.reuse_port();
  http_.back().listener = index;
  http_.back().address = SocketAddress::OfLocal(http_.back().fds[0]).ToString();
  return absl::OkStatus();
}

absl::Status Endpoints::BindHttp(const config::v1::HttpListener& listener,
                                 const SocketAddress& wanted, int workers) {
  std::vector<int>& fds = http_.back().fds;
  SocketAddress address = wanted;
  ListenOptions options = OptionsOf(listener);
  int probe = -1;
  if (options.reuse_port && wanted.port() == 0) {
    absl::StatusOr<int> found = FindSharedPort(&address);
    if (!found.ok()) return found.status();
    probe = *found;
  }
  absl::Status status;
  const int wanted_count = options.reuse_port ? workers : 1;
  while (status.ok() && static_cast<int>(fds.size()) < wanted_count) {
    absl::StatusOr<int> fd = BindListener(address, options);
    if (fd.ok()) fds.push_back(*fd);
    status = fd.status();
  }
  if (probe >= 0) close(probe);
  return status;
}

std::vector<process::HttpSocket> Endpoints::http_sockets(int worker) const {
  std::vector<process::HttpSocket> sockets;
  for (const Http& http : http_)
    sockets.push_back({http.fds[http.own ? worker : 0], http.listener});
  return sockets;
}

std::vector<process::HttpSocket> Endpoints::all_http_sockets() const {
  std::vector<process::HttpSocket> sockets;
  for (const Http& http : http_) {
    for (const int fd : http.fds) {
      if (fd >= 0) sockets.push_back({fd, http.listener});
    }
  }
  return sockets;
}

std::vector<std::string> Endpoints::http_addresses() const {
  std::vector<std::string> addresses;
  for (const Http& http : http_) addresses.push_back(http.address);
  return addresses;
}

absl::StatusOr<std::vector<int>> Endpoints::Restore() {
  std::vector<int> workers;
  bool any_http = false;
  for (Http& http : http_) {
    absl::StatusOr<bool> bound = RebindHttp(http);
    if (!bound.ok()) return bound.status();
    any_http = any_http || *bound;
  }
  for (int worker = 0; worker < static_cast<int>(slots_.size()); ++worker) {
    bool any = any_http;
    for (Private* each : {&slots_[worker].link, &slots_[worker].backdoor}) {
      absl::StatusOr<bool> bound = Rebind(*each);
      if (!bound.ok()) return bound.status();
      any = any || *bound;
    }
    if (any) workers.push_back(worker);
  }
  return workers;
}

absl::StatusOr<bool> Endpoints::Rebind(Private& socket) {
  if (socket.name.Stands()) return false;
  absl::StatusOr<Private> bound = BindPrivate(socket.name.path);
  if (!bound.ok()) return bound.status();
  CloseIfOpen(socket.fd);
  socket = *std::move(bound);
  return true;
}

absl::StatusOr<bool> Endpoints::RebindHttp(Http& http) {
  // Closed ones are not served any more.
  if (http.name.Stands() || http.fds.empty() || http.fds[0] < 0) return false;
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(StrCat("unix:", http.name.path));
  if (!address.ok()) return address.status();
  absl::StatusOr<int> fd = BindListener(*address, OptionsOf(config_.listeners(http.listener)));
  if (!fd.ok()) return fd.status();
  close(std::exchange(http.fds[0], *fd));
  http.name = SocketName::Of(http.name.path);
  return true;
}

absl::StatusOr<Endpoints::Private> Endpoints::BindPrivate(std::string path) {
  const std::string address = StrCat("unix:", path);
  absl::StatusOr<SocketAddress> parsed = SocketAddress::Parse(address);
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(), StrCat("run_dir: ", parsed.status().message()));
  }
  const mode_t before = umask(0177);
  absl::StatusOr<int> fd = BindListener(*parsed);
  umask(before);
  if (!fd.ok()) return CannotBind("--run_dir, run_dir", fd.status());
  return Private{*fd, SocketName::Of(std::move(path))};
}

Endpoints& Endpoints::operator=(Endpoints&& other) noexcept {
  if (this == &other) return *this;
  CloseHttp();
  KeepPrivate(-1);
  config_ = std::move(other.config_);
  run_dir_ = std::move(other.run_dir_);
  http_ = std::exchange(other.http_, {});
  slots_ = std::exchange(other.slots_, {});
  return *this;
}

Endpoints::~Endpoints() {
  CloseHttp();
  KeepPrivate(-1);
}

void Endpoints::CloseHttp() {
  for (Http& http : http_) {
    for (int& fd : http.fds) CloseIfOpen(fd);
  }
}

void Endpoints::KeepOnly(int worker) {
  KeepPrivate(worker);
  for (int slot = 0; slot < static_cast<int>(slots_.size()); ++slot) {
    if (slot != worker) CloseOwnHttp(slot);
  }
}

void Endpoints::KeepPrivate(int worker) {
  for (int slot = 0; slot < static_cast<int>(slots_.size()); ++slot) {
    if (slot == worker) continue;
    CloseIfOpen(slots_[slot].link.fd);
    CloseIfOpen(slots_[slot].backdoor.fd);
  }
}

}  // namespace grove::supervisor

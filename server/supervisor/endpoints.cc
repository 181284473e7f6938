#include "server/supervisor/endpoints.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "runtime/listener.h"
#include "server/config/address.h"
#include "server/config/http_listeners.h"

namespace grove {
namespace {

SocketAddress ToSocketAddress(const ListenAddress& address) {
  SocketAddress result;
  result.length = address.ToSockaddr(&result.storage);
  return result;
}

// `status` names the call and the address.
absl::Status CannotBind(absl::string_view key, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("cannot ", status.message(), " (", key, ")"));
}

ListenOptions ListenOptionsOf(const config::v1::HttpListener& listener) {
  ListenOptions options;
  if (listener.backlog() > 0) options.backlog = listener.backlog();
  options.unix_mode = ParseUnixMode(listener.unix_mode());
  return options;
}

absl::StatusOr<ListenAddress> BoundAddress(int fd) {
  SocketAddress bound;
  bound.length = sizeof(bound.storage);
  auto* address = reinterpret_cast<sockaddr*>(&bound.storage);
  if (getsockname(fd, address, &bound.length) != 0) {
    return absl::ErrnoToStatus(errno, "getsockname");
  }
  return ListenAddress::FromSockaddr(address, bound.length);
}

}  // namespace

absl::StatusOr<Endpoints> Endpoints::Bind(const config::v1::Http& http, const std::string& run_dir,
                                          int workers, InheritedSockets inherited) {
  Endpoints endpoints;
  for (int index = 0; index < http.listeners_size(); ++index) {
    if (absl::Status s = endpoints.AddHttp(http, index, inherited); !s.ok()) return s;
  }
  if (absl::Status s = inherited.CheckAllTaken(); !s.ok()) return s;
  for (int worker = 0; worker < workers; ++worker) {
    const std::string stem = absl::StrCat(run_dir, "/worker-", worker);
    absl::StatusOr<int> link = endpoints.BindPrivate(stem + ".link");
    if (!link.ok()) return link.status();
    endpoints.slots_.push_back({*link, -1});
    absl::StatusOr<int> backdoor = endpoints.BindPrivate(stem + ".backdoor");
    if (!backdoor.ok()) return backdoor.status();
    endpoints.slots_.back().backdoor = *backdoor;
  }
  return endpoints;
}

absl::Status Endpoints::AddHttp(const config::v1::Http& http, int index,
                                InheritedSockets& inherited) {
  const config::v1::HttpListener& listener = http.listeners(index);
  const std::string key = HttpListenerKey(http, index);
  absl::StatusOr<ListenAddress> wanted = ListenAddress::Parse(listener.address());
  if (!wanted.ok()) return wanted.status();
  ListenAddress real = *wanted;
  if (const int fd = inherited.Take(listener.name(), *wanted, &real); fd >= 0) {
    http_.push_back({fd, real.Format()});
    // Found by its name, it may be bound to what the config did not foresee.
    if (MayServeAt(http, listener, real)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        key, ": its inherited socket is bound to ", real.Format(),
        ", which is reachable beyond this machine without TLS; accept it with insecure: true"));
  }
  absl::StatusOr<int> fd = BindListener(ToSocketAddress(*wanted), ListenOptionsOf(listener));
  if (!fd.ok()) return CannotBind(key == "http.listen" ? "--http, http.listen" : key, fd.status());
  if (wanted->kind() == ListenAddress::Kind::kUnix) paths_.push_back(wanted->path());
  http_.push_back({*fd, ""});
  absl::StatusOr<ListenAddress> bound = BoundAddress(*fd);
  if (bound.ok()) http_.back().address = bound->Format();
  return bound.status();
}

std::vector<int> Endpoints::http_fds() const {
  std::vector<int> fds;
  for (const Http& http : http_) fds.push_back(http.fd);
  return fds;
}

std::vector<std::string> Endpoints::http_addresses() const {
  std::vector<std::string> addresses;
  for (const Http& http : http_) addresses.push_back(http.address);
  return addresses;
}

absl::StatusOr<int> Endpoints::BindPrivate(const std::string& path) {
  const std::string address = absl::StrCat("unix:", path);
  absl::StatusOr<ListenAddress> parsed = ListenAddress::Parse(address);
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(),
                        absl::StrCat("run_dir: ", parsed.status().message()));
  }
  const mode_t before = umask(0177);
  absl::StatusOr<int> fd = BindListener(ToSocketAddress(*parsed));
  umask(before);
  if (!fd.ok()) return CannotBind("--run_dir, run_dir", fd.status());
  paths_.push_back(path);
  return fd;
}

Endpoints::~Endpoints() {
  CloseHttp();
  KeepOnly(-1);
}

void Endpoints::CloseHttp() {
  for (Http& http : http_) {
    if (http.fd >= 0) close(std::exchange(http.fd, -1));
  }
}

void Endpoints::KeepOnly(int worker) {
  for (int slot = 0; slot < static_cast<int>(slots_.size()); ++slot) {
    if (slot == worker) continue;
    for (int* fd : {&slots_[slot].link, &slots_[slot].backdoor}) {
      if (*fd >= 0) close(*fd);
      *fd = -1;
    }
  }
}

}  // namespace grove

#include "server/supervisor/endpoints.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "runtime/listener.h"
#include "server/config/address.h"

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

}  // namespace

absl::StatusOr<Endpoints> Endpoints::Bind(const std::string& http, const std::string& run_dir,
                                          int workers) {
  Endpoints endpoints;
  absl::StatusOr<ListenAddress> wanted = ListenAddress::Parse(http);
  if (!wanted.ok()) return wanted.status();
  absl::StatusOr<int> fd = BindListener(ToSocketAddress(*wanted));
  if (!fd.ok()) return CannotBind("--http, http.listen", fd.status());
  endpoints.http_fd_ = *fd;
  if (wanted->kind() == ListenAddress::Kind::kUnix) endpoints.paths_.push_back(wanted->path());
  SocketAddress bound;
  bound.length = sizeof(bound.storage);
  auto* sockaddr_in_use = reinterpret_cast<sockaddr*>(&bound.storage);
  if (getsockname(*fd, sockaddr_in_use, &bound.length) != 0) {
    return absl::ErrnoToStatus(errno, "getsockname");
  }
  absl::StatusOr<ListenAddress> real = ListenAddress::FromSockaddr(sockaddr_in_use, bound.length);
  if (!real.ok()) return real.status();
  endpoints.http_address_ = real->Format();
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
  if (http_fd_ >= 0) close(std::exchange(http_fd_, -1));
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

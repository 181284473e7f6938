#include "runtime/dns/dns_query.h"

#include <ares.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

// What a c-ares status means, and whose fault it is.
absl::Status AresStatus(int status, std::string_view name) {
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  switch (status) {
    case ARES_SUCCESS:
      return absl::OkStatus();
    case ARES_ENOTFOUND:
      return absl::NotFoundError(absl::StrFormat("resolve %s: no such name", name));
    case ARES_ENODATA:
      return absl::NotFoundError(
          absl::StrFormat("resolve %s: the name has no address of this family", name));
    case ARES_ETIMEOUT:
      return absl::UnavailableError(
          absl::StrFormat("resolve %s: the DNS servers don't answer", name));
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
    case ARES_EBADFAMILY:
      code = absl::StatusCode::kInvalidArgument;
      break;
    case ARES_ENOMEM:
      code = absl::StatusCode::kResourceExhausted;
      break;
    default:
      break;
  }
  return absl::Status(code, absl::StrFormat("resolve %s: %s", name, ares_strerror(status)));
}

// A c-ares channel with its options.
class Channel {
 public:
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  // Answers what is still open with ARES_EDESTRUCTION.
  ~Channel() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  // `on_socket` is told which sockets are to be watched.
  absl::Status Open(const DnsQueryOptions& options, ares_sock_state_cb on_socket, void* data) {
    // Counts its calls; on this platform it only makes the library usable, from then on for ever.
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    if (library != ARES_SUCCESS) return AresStatus(library, "(c-ares)");
    char lookups[] = "b";  // DNS only: the hosts file is the resolver's business
    ares_options raw{};
    raw.timeout = static_cast<int>(
        std::clamp<int64_t>(absl::ToInt64Milliseconds(options.timeout_per_try), 1, 60'000));
    raw.tries = options.tries;
    raw.lookups = lookups;
    raw.sock_state_cb = on_socket;
    raw.sock_state_cb_data = data;
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    std::vector<char*> domains;  // c-ares copies them
    if (options.search_domains.has_value()) {
      for (const std::string& domain : *options.search_domains) {
        domains.push_back(const_cast<char*>(domain.c_str()));
      }
      raw.domains = domains.data();
      raw.ndomains = static_cast<int>(domains.size());
      mask |= ARES_OPT_DOMAINS;
    }
    if (!options.resolv_conf.empty()) {
      raw.resolvconf_path = const_cast<char*>(options.resolv_conf.c_str());
      mask |= ARES_OPT_RESOLVCONF;
    }
    if (const int made = ares_init_options(&channel_, &raw, mask); made != ARES_SUCCESS) {
      channel_ = nullptr;
      return AresStatus(made, "(c-ares)");
    }
    return SetServers(options.servers);
  }

  ares_channel get() const { return channel_; }

 private:
  absl::Status SetServers(const std::vector<std::string>& servers) {
    if (servers.empty()) return absl::OkStatus();
    const std::string list = absl::StrJoin(servers, ",");
    if (ares_set_servers_ports_csv(channel_, list.c_str()) == ARES_SUCCESS) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrFormat(
        "DNS servers \"%s\": each must be ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT", list));
  }

  ares_channel channel_ = nullptr;
};

// One query: its channel, and a nested epoll(7) with the channel's sockets. The hub registers that
// one descriptor only; c-ares wants its sockets level-triggered, and several at once.
class Query {
 public:
  absl::Status Open(const DnsQueryOptions& options) {
    const int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return ErrnoStatus(errno, "epoll_create1");
    absl::StatusOr<Socket> epoll = Socket::Adopt(fd);
    if (!epoll.ok()) return epoll.status();
    epoll_ = *std::move(epoll);
    return channel_.Open(options, &Query::OnSocket, this);
  }

  void Start(const std::string& name, int family) {
    ares_addrinfo_hints hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;  // one entry per address
    ares_getaddrinfo(channel_.get(), name.c_str(), nullptr, &hints, &Query::OnDone, this);
  }

  // OK when there is an outcome.
  absl::Status Await() {
    while (!done_) {
      timeval storage{};
      const timeval* next = ares_timeout(channel_.get(), nullptr, &storage);
      absl::Status ready;
      bool ticked = false;
      {
        Timeout tick(next != nullptr ? absl::DurationFromTimeval(*next) : absl::InfiniteDuration());
        ready = AwaitReadable(epoll_.fd());
        ticked = tick.fired();
      }
      if (!ready.ok() && !ticked) return ready;
      Process();
    }
    return absl::OkStatus();
  }

  int status() const { return status_; }
  DnsAnswer TakeAnswer() { return std::move(answer_); }

 private:
  static void OnSocket(void* data, ares_socket_t fd, int readable, int writable) {
    const int epoll = static_cast<Query*>(data)->epoll_.fd();
    epoll_event event{};
    event.data.fd = fd;
    if (readable != 0) event.events |= EPOLLIN;
    if (writable != 0) event.events |= EPOLLOUT;
    if (event.events == 0) {
      epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
    } else if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
  }

  static void OnDone(void* data, int status, int /*timeouts*/, ares_addrinfo* result) {
    Query& self = *static_cast<Query*>(data);
    self.done_ = true;
    self.status_ = status;
    if (result == nullptr) return;
    int64_t ttl = INT32_MAX;
    for (const ares_addrinfo_cname* alias = result->cnames; alias != nullptr; alias = alias->next) {
      ttl = std::min<int64_t>(ttl, alias->ttl);
    }
    for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
      ttl = std::min<int64_t>(ttl, node->ai_ttl);
      if (self.answer_.addresses.size() == kDnsAddressesMax) continue;
      SocketAddress& address = self.answer_.addresses.emplace_back();
      memcpy(&address.storage, node->ai_addr, node->ai_addrlen);
      address.length = node->ai_addrlen;
    }
    self.answer_.ttl = absl::Seconds(std::max<int64_t>(ttl, 0));
    ares_freeaddrinfo(result);
  }

  // Lets c-ares use the sockets that are ready, and look at its clock.
  void Process() {
    std::array<epoll_event, 16> events;
    const int count = epoll_wait(epoll_.fd(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const bool failed = (events[i].events & (EPOLLERR | EPOLLHUP)) != 0;
      const bool readable = failed || (events[i].events & EPOLLIN) != 0;
      const bool writable = failed || (events[i].events & EPOLLOUT) != 0;
      ares_process_fd(channel_.get(), readable ? events[i].data.fd : ARES_SOCKET_BAD,
                      writable ? events[i].data.fd : ARES_SOCKET_BAD);
    }
    if (count > 0) return;
    Hub::Current()->descriptors().NotReady(epoll_.fd(), Direction::kRead);
    ares_process_fd(channel_.get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  }

  DnsAnswer answer_;
  int status_ = ARES_SUCCESS;
  bool done_ = false;
  Socket epoll_;
  Channel channel_;  // last: its end still calls OnSocket and OnDone
};

}  // namespace

absl::Status ValidateDnsOptions(const DnsQueryOptions& options) {
  if (options.tries < 1 || options.tries > 10) {
    return absl::InvalidArgumentError(
        absl::StrFormat("DNS tries must be 1 to 10, not %d", options.tries));
  }
  if (options.timeout_per_try < absl::Milliseconds(1) ||
      options.timeout_per_try > absl::Minutes(1)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("DNS timeout_per_try must be 1ms to 1m, not %s",
                        absl::FormatDuration(options.timeout_per_try)));
  }
  if (options.servers.size() > kDnsServersMax) {
    return absl::InvalidArgumentError(
        absl::StrFormat("at most %d DNS servers, not %d", kDnsServersMax, options.servers.size()));
  }
  Channel channel;
  return channel.Open(options, nullptr, nullptr);
}

absl::StatusOr<DnsAnswer> QueryDns(const std::string& name, int family,
                                   const DnsQueryOptions& options) {
  Query query;
  if (absl::Status opened = query.Open(options); !opened.ok()) return opened;
  query.Start(name, family);
  if (absl::Status waited = query.Await(); !waited.ok()) return waited;
  if (query.status() != ARES_SUCCESS) return AresStatus(query.status(), name);
  DnsAnswer answer = query.TakeAnswer();
  if (answer.addresses.empty()) return AresStatus(ARES_ENODATA, name);
  return answer;
}

}  // namespace grove

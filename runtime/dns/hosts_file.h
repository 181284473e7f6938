// HostsFile: the names of hosts(5), kept current.
//
// Looks at the file at most every kHostsRecheck, reads it again when it has changed, and keeps the
// last names while it can't be read; no file: no names. Told the time. One user at a time.
#ifndef GROVE_RUNTIME_DNS_HOSTS_FILE_H_
#define GROVE_RUNTIME_DNS_HOSTS_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "runtime/hub/clock.h"
#include "runtime/io/socket.h"

namespace grove {

// How long a change of the file may go unseen: eventlet's HOSTS_TTL.
inline constexpr absl::Duration kHostsRecheck = absl::Seconds(10);
// Reading it stops the hub: what lies behind is not looked at. Distributions' files have a few
// lines; block lists of 100,000 names fit.
inline constexpr size_t kHostsBytesMax = size_t{4} << 20;

// Names in lower case, without a final dot; addresses in the file's order, port 0.
using HostsTable = absl::flat_hash_map<std::string, std::vector<SocketAddress>>;

// Lines that don't begin with an address are passed over, as resolvers do.
HostsTable ParseHosts(std::string_view text);

class HostsFile {
 public:
  // Reads nothing yet.
  explicit HostsFile(std::string path) : path_(std::move(path)) {}

  // The addresses of `name` (lower case, no final dot) in `family` (AF_UNSPEC: in any).
  std::vector<SocketAddress> Find(std::string_view name, int family, MonotonicNanos now);

 private:
  // Tells one version of the file from another.
  struct Version {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t bytes = 0;
    int64_t changed_ns = 0;
    bool operator==(const Version&) const = default;
  };
  void Recheck(MonotonicNanos now);

  const std::string path_;
  HostsTable table_;
  Version version_;
  MonotonicNanos recheck_at_ = 0;
};

// The address that `text` spells ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"), port 0; false if
// none.
bool ParseAddress(std::string_view text, SocketAddress& address);

}  // namespace grove

#endif  // GROVE_RUNTIME_DNS_HOSTS_FILE_H_

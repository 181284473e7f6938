#include "runtime/dns/hosts_file.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace grove {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

// The next word of `line`, taken off it; empty at its end.
std::string_view TakeWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

// The first kHostsBytesMax bytes; a line that they cut is left out. Nothing if it can't be read.
std::optional<std::string> ReadStart(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::string text(kHostsBytesMax, '\0');
  size_t have = 0;
  ssize_t got = 1;
  while (have < text.size() && got > 0) {
    got = read(fd, text.data() + have, text.size() - have);
    if (got > 0) have += static_cast<size_t>(got);
    if (got < 0 && errno == EINTR) got = 1;
  }
  close(fd);
  if (got < 0) return std::nullopt;
  if (have == text.size()) have = text.rfind('\n') + 1;
  text.resize(have);
  return text;
}

}  // namespace

bool ParseAddress(std::string_view text, SocketAddress& address) {
  const size_t percent = text.find('%');
  const std::optional<IpAddress> host = IpAddress::Parse(text.substr(0, percent));
  if (!host.has_value()) return false;
  address = SocketAddress::Of(*host, 0);
  if (percent == text.npos) return true;
  if (host->family() != AF_INET6) return false;
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  // RFC 4007 section 11: the zone is a name or a number of an interface.
  const std::string zone(text.substr(percent + 1));
  v6.sin6_scope_id = if_nametoindex(zone.c_str());
  return v6.sin6_scope_id != 0 || absl::SimpleAtoi(zone, &v6.sin6_scope_id);
}

HostsTable ParseHosts(std::string_view text) {
  HostsTable table;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    SocketAddress address;
    if (!ParseAddress(TakeWord(line), address)) continue;
    for (std::string_view name = TakeWord(line); !name.empty(); name = TakeWord(line)) {
      if (name.back() == '.') name.remove_suffix(1);
      table[absl::AsciiStrToLower(std::string(name))].push_back(address);
    }
  }
  return table;
}

void HostsFile::Recheck(MonotonicNanos now) {
  if (now < recheck_at_) return;
  recheck_at_ = DeadlineAfter(now, kHostsRecheck);
  struct stat file {};
  if (stat(path_.c_str(), &file) != 0) {
    if (errno == ENOENT) {
      table_.clear();
      version_ = Version();
    }
    return;
  }
  const Version found{
      .device = file.st_dev,
      .inode = file.st_ino,
      .bytes = file.st_size,
      .changed_ns = int64_t{file.st_mtim.tv_sec} * 1'000'000'000 + file.st_mtim.tv_nsec};
  if (found == version_ || !S_ISREG(file.st_mode)) return;
  const std::optional<std::string> text = ReadStart(path_);
  if (!text.has_value()) return;
  table_ = ParseHosts(*text);
  version_ = found;
}

std::vector<SocketAddress> HostsFile::Find(std::string_view name, int family, MonotonicNanos now) {
  Recheck(now);
  std::vector<SocketAddress> found;
  const auto entry = table_.find(std::string(name));
  if (entry == table_.end()) return found;
  for (const SocketAddress& address : entry->second) {
    if (family == AF_UNSPEC || address.storage.ss_family == family) found.push_back(address);
  }
  return found;
}

}  // namespace grove

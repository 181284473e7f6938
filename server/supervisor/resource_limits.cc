#include "server/supervisor/resource_limits.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <memory>
#include <string_view>

#include "runtime/switch/abseil_text.h"
#include "server/config/cgroup.h"
#include "server/config/memory_allowance.h"

namespace grove::supervisor {
namespace {

// What control has of each once it serves, measured, with as much again for a larger machine, whose
// gRPC starts more threads; a worker has less.
constexpr int64_t kAddressSpace = int64_t{1} << 30;
constexpr int64_t kData = int64_t{256} << 20;
constexpr int64_t kThreadsOfControl = 32;
// Beside the offload threads: hub, log, watchdog, access log.
constexpr int64_t kThreadsOfAWorker = 4;
// Resident, after the start.
constexpr int64_t kMemoryOfControl = int64_t{48} << 20;
constexpr int64_t kMemoryOfAWorker = int64_t{16} << 20;
// Beside connections: libraries, pipes, epoll, logs, the store, listeners, fetches under way.
constexpr int64_t kDescriptors = 64;

int64_t SoftLimit(__rlimit_resource resource) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return INT64_MAX;
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
}

int64_t ThreadsOf(const std::string& process) {
  std::ifstream status(StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    std::string_view rest = line;
    int64_t threads = 0;
    if (ConsumePrefix(&rest, "Threads:") && SimpleAtoi(rest, &threads)) return threads;
  }
  return 0;
}

// RLIMIT_NPROC counts threads, of all processes of a user (getrlimit(2)).
int64_t ThreadsOfThisUser() {
  std::unique_ptr<DIR, int (*)(DIR*)> processes(opendir("/proc"), &closedir);
  if (processes == nullptr) return 0;
  int64_t threads = 0;
  while (const dirent* const entry = readdir(processes.get())) {
    struct stat status;
    if (!isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
    if (stat(StrCat("/proc/", entry->d_name).c_str(), &status) != 0) continue;
    if (status.st_uid == getuid()) threads += ThreadsOf(entry->d_name);
  }
  return threads;
}

void TakeThreadLimit(int64_t left, std::string source, ResourceLimits& limits) {
  if (left >= limits.threads_left) return;
  limits.threads_left = left;
  limits.threads_source = std::move(source);
}

void ReadThreadLimits(ResourceLimits& limits) {
  // The kernel lets root pass it.
  const int64_t processes = SoftLimit(RLIMIT_NPROC);
  if (processes != INT64_MAX && getuid() != 0) {
    TakeThreadLimit(std::max<int64_t>(processes - ThreadsOfThisUser(), 0),
                    "RLIMIT_NPROC (ulimit -u)", limits);
  }
  for (const config::CgroupFolder& folder : config::CgroupFolders("pids", "")) {
    int64_t most = 0;
    int64_t now = 0;
    const std::string file = folder.path + "/pids.max";
    if (!SimpleAtoi(config::FirstLine(file), &most)) continue;
    if (!SimpleAtoi(config::FirstLine(folder.path + "/pids.current"), &now)) continue;
    TakeThreadLimit(std::max<int64_t>(most - now, 0), file, limits);
  }
}

}  // namespace

ResourceLimits ResourceLimits::Read() {
  ResourceLimits limits;
  limits.descriptors = SoftLimit(RLIMIT_NOFILE);
  limits.address_space = SoftLimit(RLIMIT_AS);
  limits.data = SoftLimit(RLIMIT_DATA);
  const config::MemoryAllowance memory = config::MemoryAllowance::Of(INT64_MAX, INT64_MAX, "");
  limits.memory = memory.bytes;
  limits.memory_source = memory.source;
  ReadThreadLimits(limits);
  return limits;
}

std::vector<LowLimit> FindLowLimits(const ResourceLimits& limits,
                                    const config::v1::Config& config) {
  const int64_t workers = config.workers();
  const int64_t worker_threads = kThreadsOfAWorker + config.runtime().offload_threads();
  const int64_t http = config.http().connections_max() + kDescriptors;
  const int64_t control =
      config.control().connections_max() + config.admin().connections_max() + kDescriptors;
  const LowLimit wanted[] = {
      {"RLIMIT_NOFILE (ulimit -n)", limits.descriptors, kDescriptors, "a process starts", true},
      {"RLIMIT_NOFILE (ulimit -n)", limits.descriptors, http, "http.connections_max, and 64 more",
       false},
      {"RLIMIT_NOFILE (ulimit -n)", limits.descriptors, control,
       "control.connections_max, admin.connections_max, and 64 more", false},
      {"RLIMIT_AS (ulimit -v)", limits.address_space, kAddressSpace, "control starts", true},
      {"RLIMIT_DATA (ulimit -d)", limits.data, kData, "control starts", true},
      {limits.memory_source, limits.memory, kMemoryOfControl + workers * kMemoryOfAWorker,
       "control and the workers start", true},
      {limits.threads_source, limits.threads_left, kThreadsOfControl + workers * worker_threads,
       "threads of control and the workers", true},
  };
  std::vector<LowLimit> low;
  for (const LowLimit& each : wanted) {
    // Once each: what kills stands first.
    const bool named = std::any_of(low.begin(), low.end(),
                                   [&](const LowLimit& one) { return one.limit == each.limit; });
    if (each.is < each.wanted && !named) low.push_back(each);
  }
  return low;
}

}  // namespace grove::supervisor

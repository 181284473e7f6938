#include "server/metrics/process_numbers.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::metrics {
namespace {

// /proc files are small: stat and statm fit easily.
std::string ReadProcFile(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "re"), &fclose);
  if (file == nullptr) return "";
  std::array<char, 4096> buffer;
  return std::string(buffer.data(), fread(buffer.data(), 1, buffer.size(), file.get()));
}

int64_t Number(std::string_view text) {
  int64_t value = 0;
  return SimpleAtoi(text, &value) ? value : 0;
}

int64_t CountOpenDescriptors() {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), &closedir);
  if (directory == nullptr) return 0;
  int64_t count = -3;  // ".", ".." and the descriptor of this listing.
  while (readdir(directory.get()) != nullptr) ++count;
  return count;
}

double Seconds(const timeval& time) {
  return time.tv_sec + time.tv_usec / 1e6;
}

// proc(5): starttime counts ticks since boot.
double StartTime(int64_t start_ticks) {
  timespec since_boot, now;
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  clock_gettime(CLOCK_REALTIME, &now);
  const double boot = now.tv_sec + now.tv_nsec / 1e9 - since_boot.tv_sec - since_boot.tv_nsec / 1e9;
  return boot + static_cast<double>(start_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessNumbers ProcessNumbers::Read() {
  ProcessNumbers numbers;
  rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    numbers.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  }
  const std::string stat = ReadProcFile("/proc/self/stat");
  // The command's name, in parentheses, may hold anything: count from behind it.
  const size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    const std::vector<std::string_view> fields =
        StrSplit(std::string_view(stat).substr(name_end + 1), ' ', absl::SkipEmpty());
    if (fields.size() > 21) {  // proc(5) counts from 1, and these begin with field 3.
      numbers.threads = Number(fields[17]);
      numbers.start_time_seconds = StartTime(Number(fields[19]));
      numbers.virtual_bytes = Number(fields[20]);
      numbers.resident_bytes = Number(fields[21]) * sysconf(_SC_PAGESIZE);
    }
  }
  numbers.open_fds = CountOpenDescriptors();
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) numbers.max_fds = static_cast<int64_t>(limit.rlim_cur);
  return numbers;
}

int64_t ResidentBytes(int64_t pid) {
  if (pid <= 0) return 0;
  const std::string statm = ReadProcFile(StrCat("/proc/", pid, "/statm"));
  const std::vector<std::string_view> fields =
      StrSplit(std::string_view(statm), ' ', absl::SkipEmpty());
  return fields.size() > 1 ? Number(fields[1]) * sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace grove::metrics

#include "server/metrics/process_numbers.h"

#include <dirent.h>
#include <sys/stat.h>
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

// Of a process with tens of thousands of them, listing takes long: kernels from 6.2 on say how many
// there are.
int64_t CountOpenDescriptors(const std::string& folder) {
  struct stat status;
  if (stat(folder.c_str(), &status) == 0 && status.st_size > 0) return status.st_size;
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), &closedir);
  if (directory == nullptr) return 0;
  int64_t count = -2;  // "." and ".."
  while (readdir(directory.get()) != nullptr) ++count;
  return count;
}

// "Max open files            1024                 4096                 files"
int64_t SoftLimitOfFiles(std::string_view limits) {
  const size_t line = limits.find("Max open files");
  if (line == std::string_view::npos) return 0;
  const std::vector<std::string_view> words =
      StrSplit(limits.substr(line, limits.find('\n', line) - line), ' ', absl::SkipEmpty());
  return words.size() > 3 ? Number(words[3]) : 0;
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

ProcessNumbers ProcessNumbers::Of(int64_t pid) {
  ProcessNumbers numbers;
  if (pid <= 0) return numbers;
  const std::string folder = StrCat("/proc/", pid);
  const std::string stat = ReadProcFile(folder + "/stat");
  // The command's name, in parentheses, may hold anything: count from behind it.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return numbers;
  const std::vector<std::string_view> fields =
      StrSplit(std::string_view(stat).substr(name_end + 1), ' ', absl::SkipEmpty());
  if (fields.size() <= 21) return numbers;  // proc(5) counts from 1, and these begin with field 3.
  numbers.cpu_seconds = static_cast<double>(Number(fields[11]) + Number(fields[12])) /
                        static_cast<double>(sysconf(_SC_CLK_TCK));
  numbers.threads = Number(fields[17]);
  numbers.start_time_seconds = StartTime(Number(fields[19]));
  numbers.virtual_bytes = Number(fields[20]);
  numbers.resident_bytes = Number(fields[21]) * sysconf(_SC_PAGESIZE);
  numbers.open_fds = CountOpenDescriptors(folder + "/fd");
  numbers.max_fds = SoftLimitOfFiles(ReadProcFile(folder + "/limits"));
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

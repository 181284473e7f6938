#include "server/process/daemon_number.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/switch/abseil_text.h"

namespace grove::process {
namespace {

// Field 22 of /proc/PID/stat: clock ticks from boot to the start of the process. Counted from the
// end of field 2, the program's name in parentheses, which may hold anything.
constexpr size_t kStartField = 22 - 3;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::string StartOf(pid_t pid) {
  const std::string stat = ReadAll(StrCat("/proc/", pid, "/stat"));
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return "";
  const std::vector<std::string_view> fields =
      StrSplit(std::string_view(stat).substr(name_end + 1), ' ', absl::SkipEmpty());
  return fields.size() > kStartField ? std::string(fields[kStartField]) : "";
}

// FNV-1a: the same in every process.
uint32_t Hash(std::string_view text) {
  uint32_t hash = 0x811c9dc5;
  for (char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x01000193;
  return hash;
}

}  // namespace

uint32_t DaemonNumber() {
  const pid_t parent = getppid();
  return Hash(
      StrCat(ReadAll("/proc/sys/kernel/random/boot_id"), " ", parent, " ", StartOf(parent)));
}

}  // namespace grove::process

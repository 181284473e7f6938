#include "runtime/green/green_report.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"

namespace grove {
namespace {

struct Counts {
  uint64_t of[kGreenOutcomes] = {};
  absl::Duration blocked;
};
using Sites = absl::flat_hash_map<std::pair<const void*, const char*>, Counts>;

Sites& ThisThreads() {
  thread_local Sites sites;
  return sites;
}

std::string Demangled(const char* name) {
  int failed = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, &failed), &std::free);
  return failed == 0 ? std::string(text.get()) : std::string(name);
}

// The loader calls the program itself by its argv[0], over which a title of the process may have
// been written.
std::string PathOf(const Dl_info& info, const link_map& map) {
  if (*map.l_name != '\0') return info.dli_fname;
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : info.dli_fname;
}

void Locate(const void* site, GreenCall& call) {
  Dl_info info{};
  void* map = nullptr;
  if (dladdr1(site, &info, &map, RTLD_DL_LINKMAP) == 0 || info.dli_fname == nullptr) return;
  call.library = PathOf(info, *static_cast<const link_map*>(map));
  const void* from = info.dli_saddr != nullptr ? info.dli_saddr : info.dli_fbase;
  const auto offset = static_cast<const char*>(site) - static_cast<const char*>(from);
  const std::string name = info.dli_sname != nullptr ? Demangled(info.dli_sname) : "";
  call.caller = absl::StrFormat("%s+0x%x", name, offset);
}

}  // namespace

void CountGreenCall(std::string_view function, const void* site, GreenOutcome outcome,
                    absl::Duration blocked) {
  Counts& counts = ThisThreads()[{site, function.data()}];
  ++counts.of[static_cast<int>(outcome)];
  counts.blocked += blocked;
}

std::vector<GreenSite> GreenSites() {
  std::vector<GreenSite> sites;
  sites.reserve(ThisThreads().size());
  for (const auto& [key, counts] : ThisThreads()) {
    GreenSite& site = sites.emplace_back();
    site.site = key.first;
    site.function = key.second;
    std::copy(std::begin(counts.of), std::end(counts.of), site.counts);
    site.blocked = counts.blocked;
  }
  return sites;
}

std::vector<GreenCall> DescribeGreenSites(const std::vector<GreenSite>& sites) {
  std::vector<GreenCall> report;
  report.reserve(sites.size());
  for (const GreenSite& site : sites) {
    GreenCall& call = report.emplace_back();
    call.function = site.function;
    Locate(site.site, call);
    std::copy(std::begin(site.counts), std::end(site.counts), call.counts);
    call.blocked = site.blocked;
  }
  std::sort(report.begin(), report.end(), [](const GreenCall& one, const GreenCall& other) {
    return std::tie(other.blocked, one.library, one.caller, one.function) <
           std::tie(one.blocked, other.library, other.caller, other.function);
  });
  return report;
}

std::vector<GreenCall> GreenReport() {
  return DescribeGreenSites(GreenSites());
}

std::string GreenReportText() {
  const std::vector<GreenCall> report = GreenReport();
  if (report.empty()) return "no greened calls yet\n";
  std::string text =
      absl::StrFormat("%-16s %9s %9s %9s %9s %9s %12s  %s\n", "CALL", "READY", "PARKED",
                      "OFFLOADED", "ESCAPED", "REFUSED", "BLOCKED", "CALLER");
  for (const GreenCall& call : report) {
    absl::StrAppendFormat(&text, "%-16s %9d %9d %9d %9d %9d %12s  %s %s\n", Abseil(call.function),
                          call.count(GreenOutcome::kReady), call.count(GreenOutcome::kParked),
                          call.count(GreenOutcome::kOffloaded), call.count(GreenOutcome::kEscaped),
                          call.count(GreenOutcome::kRefused), absl::FormatDuration(call.blocked),
                          call.library, call.caller);
  }
  return text;
}

void ResetGreenReport() {
  ThisThreads().clear();
}

}  // namespace grove

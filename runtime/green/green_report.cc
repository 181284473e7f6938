#include "runtime/green/green_report.h"

#include <cxxabi.h>
#include <dlfcn.h>

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

void Locate(const void* site, GreenCall& call) {
  Dl_info info{};
  if (dladdr(site, &info) == 0 || info.dli_fname == nullptr) return;
  call.library = info.dli_fname;
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

std::vector<GreenCall> GreenReport() {
  std::vector<GreenCall> report;
  report.reserve(ThisThreads().size());
  for (const auto& [key, counts] : ThisThreads()) {
    GreenCall& call = report.emplace_back();
    call.function = key.second;
    Locate(key.first, call);
    std::copy(std::begin(counts.of), std::end(counts.of), call.counts);
    call.blocked = counts.blocked;
  }
  std::sort(report.begin(), report.end(), [](const GreenCall& one, const GreenCall& other) {
    return std::tie(other.blocked, one.library, one.caller, one.function) <
           std::tie(one.blocked, other.library, other.caller, other.function);
  });
  return report;
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

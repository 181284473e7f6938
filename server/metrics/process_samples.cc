#include "server/metrics/process_samples.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "runtime/switch/abseil_text.h"
#include "server/config/limits.h"

namespace grove::metrics {
namespace {

constexpr size_t kControlIndex = config::kWorkersMax + 1;
constexpr size_t kSupervisorIndex = config::kWorkersMax + 2;

uint64_t Load(const Cell& cell) {
  return cell.load(std::memory_order_relaxed);
}

// CPU time of all that were `process`: what was seen of a dead one last is kept.
double CpuSeconds(const DaemonProcess& process, SeenProcess& seen) {
  const auto pid = static_cast<uint64_t>(process.pid);
  if (Load(seen.pid) != pid) {
    seen.before_microseconds += seen.cpu_microseconds.exchange(0);
    seen.pid = pid;
  }
  const auto now = static_cast<uint64_t>(std::llround(process.numbers.cpu_seconds * 1e6));
  if (now > Load(seen.cpu_microseconds)) seen.cpu_microseconds = now;
  return static_cast<double>(Load(seen.before_microseconds) + Load(seen.cpu_microseconds)) / 1e6;
}

DaemonProcess Read(std::string name, size_t index, int64_t pid) {
  return {std::move(name), index, pid, ProcessNumbers::Of(pid)};
}

// Under the names that Prometheus' clients use for their own.
void AddOwn(const ProcessNumbers& own, double cpu_seconds, MetricFamilies& families) {
  families.Add("process_cpu_seconds_total", {}, cpu_seconds);
  families.Add("process_start_time_seconds", {}, own.start_time_seconds);
  families.Add("process_resident_memory_bytes", {}, own.resident_bytes);
  families.Add("process_virtual_memory_bytes", {}, own.virtual_bytes);
  families.Add("process_open_fds", {}, own.open_fds);
  families.Add("process_max_fds", {}, own.max_fds);
  families.Add("process_threads", {}, own.threads);
}

}  // namespace

std::vector<DaemonProcess> ReadProcesses(const Scoreboard& scoreboard) {
  std::vector<DaemonProcess> processes;
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    processes.push_back(Read(StrCat("worker-", worker), static_cast<size_t>(worker),
                             scoreboard.slot(worker).pid.load()));
  }
  if (const int64_t pid = scoreboard.stand_in().pid.load(); pid != 0) {
    processes.push_back(Read("stand-in", Scoreboard::kStandIn, pid));
  }
  processes.push_back(Read("control", kControlIndex, getpid()));
  processes.push_back(Read("supervisor", kSupervisorIndex, getppid()));
  return processes;
}

void AddProcesses(const MetricsInput& input, MetricFamilies& families) {
  for (const DaemonProcess& process : input.processes) {
    const std::vector<std::string> labels = {process.name};
    const double cpu = CpuSeconds(process, input.scoreboard.series().processes[process.index]);
    families.Add("grove_process_cpu_seconds_total", labels, cpu);
    const ProcessNumbers& numbers = process.numbers;
    if (process.index == kControlIndex) AddOwn(numbers, cpu, families);
    if (process.pid == 0) continue;
    families.Add("grove_process_resident_memory_bytes", labels, numbers.resident_bytes);
    families.Add("grove_process_open_fds", labels, numbers.open_fds);
    families.Add("grove_process_max_fds", labels, numbers.max_fds);
    families.Add("grove_process_threads", labels, numbers.threads);
  }
  families.Add("grove_cpus", {}, input.cpus);
  families.Add("grove_memory_limit_bytes", {}, input.memory_bytes);
}

}  // namespace grove::metrics

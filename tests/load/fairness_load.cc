// fairness_load: what a quiet tenant of a live daemon feels of one that floods it, and how worker
// time goes between floods.
//
// usage: fairness_load ADDRESS [SECONDS]
// The daemon has the tenants quiet, flood, twice (of twice the weight) and few slots
// (fairness_bench.sh starts one). Prints `grove METRIC VALUE` lines; each of the three parts takes
// SECONDS.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/client.h"

namespace grove {
namespace {

constexpr int kBatch = 250;
// Of one flood: so many batches wait or run.
constexpr int kBatchesAtOnce = 4;
// A hundredth of what 20 slots of 10 ms tasks do.
constexpr absl::Duration kQuietPause = absl::Milliseconds(50);

void Fail(const absl::Status& status) {
  fprintf(stderr, "fairness_load: %s\n", std::string(status.message()).c_str());
  exit(1);
}

v1::TaskSpec Sleep(int ms) {
  v1::TaskSpec spec;
  spec.set_function("sleep");
  spec.set_input(absl::StrCat("{\"seconds\": ", ms / 1000.0, "}"));
  spec.set_durability(v1::DURABILITY_VOLATILE);
  return spec;
}

// A tenant that always has more tasks than slots, of `ms` each, until it is destroyed.
class Flood {
 public:
  Flood(client::Client& client, const std::string& tenant, int ms) : client_(client) {
    for (int i = 0; i < kBatchesAtOnce; ++i) {
      threads_.emplace_back([this, tenant, ms] {
        while (!stop_) RunBatch(tenant, ms);
      });
    }
  }
  ~Flood() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void RunBatch(const std::string& tenant, int ms) {
    v1::BatchSpawnTasksRequest request;
    request.set_parent(tenant);
    for (int i = 0; i < kBatch; ++i) *request.add_specs() = Sleep(ms);
    const auto spawned = client_.SpawnBatch(request);
    if (!spawned.ok()) Fail(spawned.status());
    std::vector<std::string> names;
    for (const auto& result : spawned->results()) names.push_back(result.name());
    const auto ended = client_.WaitBatch(names, {.timeout = absl::Minutes(5)});
    if (!ended.ok()) Fail(ended.status());
  }

  client::Client& client_;
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

struct Latency {
  double p50 = 0;
  double p99 = 0;
};

// Of spawning and waiting for a task of 10 ms, one after the other, at a quiet pace.
Latency Quiet(client::Client& client, absl::Duration time) {
  std::vector<double> micros;
  v1::SpawnTaskRequest request;
  request.set_parent("tenants/quiet");
  *request.mutable_spec() = Sleep(10);
  for (const absl::Time end = absl::Now() + time; absl::Now() < end;) {
    const absl::Time start = absl::Now();
    auto task = client.Spawn(request);
    if (task.ok()) task = client.Wait(task->name(), {.timeout = absl::Minutes(1)});
    if (!task.ok()) Fail(task.status());
    micros.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
    absl::SleepFor(start + kQuietPause - absl::Now());
  }
  std::sort(micros.begin(), micros.end());
  return {micros[micros.size() / 2], micros[micros.size() * 99 / 100]};
}

void Report(const char* metric, double value) {
  printf("grove %s %.6g\n", metric, value);
  fflush(stdout);
}

v1::GetFairnessResponse Fairness(client::Client& client) {
  auto fairness = client.GetFairness({}, 1000);
  if (!fairness.ok()) Fail(fairness.status());
  return *std::move(fairness);
}

void BenchQuiet(client::Client& client, absl::Duration time) {
  const Latency alone = Quiet(client, time);
  Report("quiet_alone_p50_us", alone.p50);
  Report("quiet_alone_p99_us", alone.p99);
  const Flood flood(client, "tenants/flood", 10);
  absl::SleepFor(absl::Seconds(1));
  const Latency beside = Quiet(client, time);
  Report("quiet_beside_flood_p50_us", beside.p50);
  Report("quiet_beside_flood_p99_us", beside.p99);
  Report("quiet_beside_flood_p99_ratio", beside.p99 / alone.p99);
  const auto fairness = Fairness(client);
  Report("victim_start_p99_us", 1e6 * fairness.daemon().victim_start_p99().seconds() +
                                    1e-3 * fairness.daemon().victim_start_p99().nanos());
}

// One with tasks of 2 ms beside one of twice its weight with tasks of 500 ms.
void BenchFloods(client::Client& client, absl::Duration time) {
  const Flood flood(client, "tenants/flood", 2);
  const Flood twice(client, "tenants/twice", 500);
  // What was before has left the window by then.
  absl::SleepFor(absl::Seconds(11));
  double jain_min = 1;
  for (const absl::Time end = absl::Now() + time; absl::Now() < end;) {
    absl::SleepFor(absl::Seconds(1));
    jain_min = std::min(jain_min, Fairness(client).daemon().jain());
  }
  Report("fairness_jain_min", jain_min);
  const auto fairness = Fairness(client);
  for (const auto& share : fairness.shares()) {
    const std::string name = share.tenant().substr(share.tenant().find('/') + 1);
    Report(absl::StrCat("share_of_", name).c_str(), share.share());
  }
  Report("idle_slot_while_backlogged_s",
         static_cast<double>(fairness.daemon().idle_slot_while_backlogged().seconds()));
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: fairness_load ADDRESS [SECONDS]\n");
    return 2;
  }
  const absl::Duration time = absl::Seconds(argc > 2 ? atoi(argv[2]) : 20);
  auto client = client::Client::Create({.address = argv[1], .timeout = absl::Minutes(2)});
  if (!client.ok()) Fail(client.status());
  BenchQuiet(**client, time);
  BenchFloods(**client, time);
  return 0;
}

}  // namespace
}  // namespace grove

int main(int argc, char** argv) {
  return grove::Main(argc, argv);
}

// What one volatile task costs the engine: spawned, started and ended in batches, of one tenant and
// of many. Between one and many lies what the memory of the many costs; before and after a change
// of dispatch, what fairness does.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/tasks/engine.h"
#include "server/tasks/resolved_tasks.h"

namespace {

constexpr int kBatch = 1000;
constexpr int kRounds = 500;

void RunRound(grove::tasks::TaskEngine& engine, const std::vector<std::string>& parents,
              grove::tasks::Effects& effects, int64_t now_us) {
  for (int i = 0; i < kBatch; ++i) {
    grove::v1::TaskSpec spec;
    spec.set_function("echo");
    spec.set_input("{\"url\": \"http://127.0.0.1/feed\"}");
    spec.set_durability(grove::v1::DURABILITY_VOLATILE);
    if (!engine.Spawn(parents[i % parents.size()], std::move(spec), now_us, effects).ok())
      std::abort();
  }
  engine.Tick(now_us, effects);
  auto started = std::move(effects.to_workers);
  effects.Clear();
  for (const auto& [worker, to] : started) {
    for (const auto& frame : to.frames) {
      for (const auto& start : frame.start()) {
        grove::internal::v1::AttemptEnded ended;
        ended.set_attempt(start.attempt());
        ended.set_outcome(grove::internal::v1::AttemptEnded::OUTCOME_SUCCEEDED);
        ended.set_output("{}");
        engine.AttemptEnded(worker, std::move(ended), now_us, effects);
      }
    }
  }
  engine.Tick(now_us, effects);
  if (effects.ended.size() != kBatch) std::abort();
  effects.Clear();
}

// Nanoseconds.
int64_t TaskOf(int tenants) {
  grove::config::v1::Config config;
  std::vector<std::string> parents;
  for (int i = 0; i < tenants; ++i) {
    config.add_tenants()->set_name(absl::StrCat("t", i));
    parents.push_back(absl::StrCat("tenants/t", i));
  }
  const grove::tenancy::Directory directory = *grove::tenancy::Directory::Create(config);
  grove::tasks::EngineOptions options;
  grove::tasks::FillTasks(options.tasks);
  grove::tasks::TaskEngine engine(&directory, options);
  grove::tasks::Effects effects;
  for (int worker = 0; worker < 2; ++worker) {
    grove::internal::v1::Hello hello;
    hello.set_worker(worker);
    hello.set_incarnation(1);
    hello.set_capacity(kBatch);
    hello.add_functions()->set_name("echo");
    if (!engine.WorkerUp(std::move(hello), 1, effects).ok()) std::abort();
  }
  // CPU time: there is one thread, and others may share the machine.
  const std::clock_t begin = std::clock();
  for (int round = 0; round < kRounds; ++round) {
    RunRound(engine, parents, effects, 1000000 + round * 1000);
  }
  const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  return static_cast<int64_t>(took * 1e9 / kBatch / kRounds);
}

}  // namespace

int main() {
  std::printf("engine spawn_dispatch_end_ns %lld\n", static_cast<long long>(TaskOf(1)));
  for (const int tenants : {2, 100, 900}) {
    std::printf("engine spawn_dispatch_end_of_%d_tenants_ns %lld\n", tenants,
                static_cast<long long>(TaskOf(tenants)));
  }
}

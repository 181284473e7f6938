// What one volatile task costs the engine: spawned, started and ended in batches.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "server/tasks/engine.h"
#include "server/tasks/resolved_tasks.h"

namespace {

constexpr int kBatch = 1000;
constexpr int kRounds = 500;

void RunRound(grove::tasks::TaskEngine& engine, grove::tasks::Effects& effects, int64_t now_us) {
  for (int i = 0; i < kBatch; ++i) {
    grove::v1::TaskSpec spec;
    spec.set_function("echo");
    spec.set_input("{\"url\": \"http://127.0.0.1/feed\"}");
    spec.set_durability(grove::v1::DURABILITY_VOLATILE);
    if (!engine.Spawn("", std::move(spec), now_us, effects).ok()) std::abort();
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

}  // namespace

int main() {
  const grove::tenancy::Directory directory = *grove::tenancy::Directory::Create({});
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
    if (!engine.WorkerUp(std::move(hello), 1, effects).ok()) return 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round) RunRound(engine, effects, 1000000 + round * 1000);
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - begin;
  std::printf("engine spawn_dispatch_end_ns %lld\n",
              static_cast<long long>(took.count() / (int64_t{kBatch} * kRounds)));
}

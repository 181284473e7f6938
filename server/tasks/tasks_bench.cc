// What one volatile task costs the engine: spawned, started and ended in batches, of one tenant and
// of many. Between one and many lies what the memory of the many costs; before and after a change
// of dispatch, what fairness does. What one that waits takes of memory, and what it takes to take
// one over from the store.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "server/tasks/engine.h"
#include "server/tasks/resolved_tasks.h"

namespace {

constexpr int kBatch = 1000;
constexpr int kRounds = 500;
constexpr int kQueued = 1'000'000;

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

int64_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<int64_t>(heap.uordblks + heap.hblkhd);
}

// An engine whose worker has no room, so that everything waits.
class Backlog {
 public:
  Backlog() : directory_(*grove::tenancy::Directory::Create(Config())) {
    options_.tasks.set_memory_max_bytes(int64_t{8} << 30);
    grove::tasks::FillTasks(options_.tasks);
    engine_ = std::make_unique<grove::tasks::TaskEngine>(&directory_, options_);
    grove::internal::v1::Hello hello;
    hello.set_incarnation(1);
    hello.add_functions()->set_name("echo");
    if (!engine_->WorkerUp(std::move(hello), 1, effects_).ok()) std::abort();
    engine_->Tick(1, effects_);
    effects_.Clear();
  }

  // On disk at once. Hands what the store gets to `written`.
  void Fill(int count, absl::FunctionRef<grove::v1::TaskSpec(int number)> make,
            absl::FunctionRef<void(grove::tasks::StoredTask)> written) {
    for (int i = 0; i < count; ++i) {
      const int64_t now_us = 1000000 + i;
      if (!engine_->Spawn("tenants/t0", make(i), now_us, effects_).ok()) std::abort();
      if (i % kBatch != kBatch - 1) continue;
      engine_->Persisted({.through = engine_->last_ticket()}, now_us, effects_);
      engine_->Tick(now_us, effects_);
      engine_->Tick(now_us, effects_);
      for (auto& write : effects_.writes) written(std::move(write.task));
      effects_ = {};
    }
  }
  grove::tasks::TaskEngine& engine() { return *engine_; }

 private:
  static grove::config::v1::Config Config() {
    grove::config::v1::Config config;
    auto* tenant = config.add_tenants();
    tenant->set_name("t0");
    auto* queue = tenant->add_queues();
    queue->set_name("default");
    queue->set_depth_max(2 * kQueued);
    return config;
  }

  const grove::tenancy::Directory directory_;
  grove::tasks::EngineOptions options_;
  std::unique_ptr<grove::tasks::TaskEngine> engine_;
  grove::tasks::Effects effects_;
};

// Bytes of the heap that each of kQueued tasks takes while it waits: in its own record and in every
// index. The store has the durable ones.
int64_t QueuedBytes(absl::FunctionRef<grove::v1::TaskSpec(int number)> make) {
  Backlog backlog;
  const int64_t before = HeapBytes();
  backlog.Fill(kQueued, make, [](const grove::tasks::StoredTask&) {});
  return (HeapBytes() - before) / kQueued;
}

// Bytes of the heap that stay of each of kQueued durable tasks that have ended long ago.
int64_t EvictedBytes() {
  Backlog backlog;
  const int64_t before = HeapBytes();
  const int64_t now_us = 2'000'000'000;
  for (uint64_t i = 0; i < kQueued; ++i) {
    backlog.engine().RecoverEnded({.id = {i << 16, i},
                                   .tenant = "t0",
                                   .queue = "default",
                                   .function = "echo",
                                   .state = grove::v1::TASK_STATE_SUCCEEDED,
                                   .end_time_us = static_cast<int64_t>(i)},
                                  now_us);
  }
  if (backlog.engine().EndRecovery(now_us).restored != kQueued) std::abort();
  return (HeapBytes() - before) / kQueued;
}

// Nanoseconds of CPU time for each of kQueued tasks that an engine takes over from the store.
int64_t RecoveryOf(absl::FunctionRef<grove::v1::TaskSpec(int number)> make) {
  std::vector<grove::tasks::StoredTask> stored;
  {
    Backlog before;
    before.Fill(kQueued, make,
                [&stored](grove::tasks::StoredTask task) { stored.push_back(std::move(task)); });
  }
  Backlog after;
  const std::clock_t begin = std::clock();
  for (const auto& task : stored) after.engine().Recover(task, 2000000000);
  if (after.engine().EndRecovery(2000000000).restored != kQueued) std::abort();
  return static_cast<int64_t>((std::clock() - begin) * (1e9 / CLOCKS_PER_SEC) / kQueued);
}

grove::v1::TaskSpec Echo(grove::v1::Durability durability, size_t input_bytes) {
  grove::v1::TaskSpec spec;
  spec.set_function("echo");
  spec.set_input("{}" + std::string(input_bytes - 2, ' '));
  spec.set_durability(durability);
  return spec;
}

grove::v1::TaskSpec WithRequestId(int number) {
  grove::v1::TaskSpec spec = Echo(grove::v1::DURABILITY_DURABLE, 2);
  spec.set_request_id(absl::StrCat("00000000-0000-0000-0000-00000", 1000000 + number));
  return spec;
}

void ReportMemory() {
  const auto report = [](const char* what, int64_t bytes) {
    std::printf("engine queued_%s_bytes %lld\n", what, static_cast<long long>(bytes));
    std::fflush(stdout);
  };
  using grove::v1::DURABILITY_DURABLE;
  using grove::v1::DURABILITY_VOLATILE;
  report("durable", QueuedBytes([](int) { return Echo(DURABILITY_DURABLE, 2); }));
  report("durable_of_100b", QueuedBytes([](int) { return Echo(DURABILITY_DURABLE, 100); }));
  report("durable_of_4kb", QueuedBytes([](int) { return Echo(DURABILITY_DURABLE, 4096); }));
  report("durable_with_request_id", QueuedBytes(WithRequestId));
  report("durable_with_retries", QueuedBytes([](int) {
           grove::v1::TaskSpec spec = Echo(DURABILITY_DURABLE, 2);
           spec.mutable_retry_policy()->set_max_attempts(5);
           return spec;
         }));
  report("volatile", QueuedBytes([](int) { return Echo(DURABILITY_VOLATILE, 2); }));
  std::printf("engine ended_durable_bytes %lld\n", static_cast<long long>(EvictedBytes()));
  report("volatile_of_100b", QueuedBytes([](int) { return Echo(DURABILITY_VOLATILE, 100); }));
}

}  // namespace

int main() {
  std::printf("engine spawn_dispatch_end_ns %lld\n", static_cast<long long>(TaskOf(1)));
  for (const int tenants : {2, 100, 900}) {
    std::printf("engine spawn_dispatch_end_of_%d_tenants_ns %lld\n", tenants,
                static_cast<long long>(TaskOf(tenants)));
  }
  ReportMemory();
  std::printf("engine recover_ns %lld\n", static_cast<long long>(RecoveryOf(WithRequestId)));
}

// tasks_bench: what a live daemon's control plane takes, seen from a client on the same machine.
//
// usage: tasks_bench ADDRESS [TASKS]
// Prints `grove METRIC VALUE` lines. The function is `echo`; batches, and messages of a stream,
// hold 1,000 tasks.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/client.h"

namespace grove {
namespace {

constexpr int kBatch = 1000;
constexpr int kBatchThreads = 2;
constexpr int kUnaryThreads = 32;
constexpr int kLatencySamples = 2000;

void Fail(const absl::Status& status) {
  fprintf(stderr, "tasks_bench: %s\n", std::string(status.message()).c_str());
  exit(1);
}

v1::TaskSpec Echo(v1::Durability durability) {
  v1::TaskSpec spec;
  spec.set_function("echo");
  spec.set_input("{}");
  spec.set_durability(durability);
  return spec;
}

std::vector<std::string> SpawnBatch(client::Client& client, v1::Durability durability) {
  v1::BatchSpawnTasksRequest request;
  for (int i = 0; i < kBatch; ++i) *request.add_specs() = Echo(durability);
  const auto response = client.SpawnBatch(request);
  if (!response.ok()) Fail(response.status());
  std::vector<std::string> names;
  for (const auto& result : response->results()) {
    if (result.has_error()) Fail(absl::UnknownError(result.error().message()));
    names.push_back(result.name());
  }
  return names;
}

void WaitBatch(client::Client& client, const std::vector<std::string>& names) {
  const auto response = client.WaitBatch(names, {.timeout = absl::Minutes(1)});
  if (!response.ok()) Fail(response.status());
  for (const auto& result : response->results()) {
    if (result.task().state() != v1::TASK_STATE_SUCCEEDED)
      Fail(absl::UnknownError("a task did not succeed"));
  }
}

double PerSecond(int64_t count, absl::FunctionRef<void()> run) {
  const absl::Time start = absl::Now();
  run();
  return static_cast<double>(count) / absl::ToDoubleSeconds(absl::Now() - start);
}

void OnThreads(int threads, absl::FunctionRef<void()> run) {
  std::vector<std::thread> running;
  running.reserve(threads);
  for (int i = 0; i < threads; ++i) running.emplace_back([&run] { run(); });
  for (std::thread& thread : running) thread.join();
}

// Runs `batch` until `batches` have been started, on kBatchThreads threads.
double BatchesPerSecond(int batches, absl::FunctionRef<void()> batch) {
  std::atomic<int> left = batches;
  return kBatch * PerSecond(batches, [&] {
           OnThreads(kBatchThreads, [&] {
             while (left.fetch_sub(1) > 0) batch();
           });
         });
}

// Over one stream, on which each task has a result.
double StreamedPerSecond(client::Client& client, v1::Durability durability, int tasks) {
  client::SpawnStreamOptions options;
  options.message_max = kBatch;
  // As the batches beside it.
  options.fill_request_ids = false;
  return PerSecond(tasks, [&] {
    std::atomic<int> accepted = 0;
    const auto stream = client.OpenSpawnStream(options, [&](const client::SpawnResult& result) {
      if (!result.status.ok()) Fail(result.status);
      ++accepted;
    });
    for (int i = 0; i < tasks; ++i) {
      if (absl::Status added = stream->Add(Echo(durability)); !added.ok()) Fail(added);
    }
    if (absl::Status finished = stream->Finish(); !finished.ok()) Fail(finished);
    if (accepted != tasks) Fail(absl::UnknownError("a streamed task has no result"));
  });
}

void Report(const char* metric, double value) {
  printf("grove %s %.0f\n", metric, value);
  fflush(stdout);
}

void BenchUnary(client::Client& client, int tasks) {
  std::atomic<int> left = tasks;
  Report("spawn_unary_per_s", PerSecond(tasks, [&] {
           OnThreads(kUnaryThreads, [&] {
             v1::SpawnTaskRequest request;
             *request.mutable_spec() = Echo(v1::DURABILITY_VOLATILE);
             while (left.fetch_sub(1) > 0) {
               if (auto task = client.Spawn(request); !task.ok()) Fail(task.status());
             }
           });
         }));
}

void BenchLatency(client::Client& client) {
  std::vector<double> micros;
  v1::SpawnTaskRequest request;
  *request.mutable_spec() = Echo(v1::DURABILITY_VOLATILE);
  for (int i = 0; i < kLatencySamples; ++i) {
    const absl::Time start = absl::Now();
    auto task = client.Spawn(request);
    if (task.ok()) task = client.Wait(task->name(), {.timeout = absl::Minutes(1)});
    if (!task.ok()) Fail(task.status());
    micros.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
  }
  std::sort(micros.begin(), micros.end());
  Report("latency_p50_us", micros[kLatencySamples / 2]);
  Report("latency_p99_us", micros[kLatencySamples * 99 / 100]);
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: tasks_bench ADDRESS [TASKS]\n");
    return 2;
  }
  const int tasks = argc > 2 ? atoi(argv[2]) : 100'000;
  auto client = client::Client::Create({.address = argv[1], .timeout = absl::Minutes(2)});
  if (!client.ok()) Fail(client.status());
  const int batches = std::max(tasks / kBatch, 1);
  WaitBatch(**client, SpawnBatch(**client, v1::DURABILITY_VOLATILE));  // warm-up
  Report("end_to_end_per_s", BatchesPerSecond(batches, [&client] {
           WaitBatch(**client, SpawnBatch(**client, v1::DURABILITY_VOLATILE));
         }));
  Report("spawn_volatile_per_s", BatchesPerSecond(batches, [&client] {
           (void)SpawnBatch(**client, v1::DURABILITY_VOLATILE);
         }));
  Report("spawn_durable_per_s", BatchesPerSecond(batches, [&client] {
           (void)SpawnBatch(**client, v1::DURABILITY_DURABLE);
         }));
  Report("spawn_stream_volatile_per_s",
         StreamedPerSecond(**client, v1::DURABILITY_VOLATILE, tasks));
  Report("spawn_stream_durable_per_s", StreamedPerSecond(**client, v1::DURABILITY_DURABLE, tasks));
  BenchUnary(**client, tasks / 4);
  BenchLatency(**client);
  return 0;
}

}  // namespace
}  // namespace grove

int main(int argc, char** argv) {
  return grove::Main(argc, argv);
}

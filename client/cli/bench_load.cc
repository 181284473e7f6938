#include "client/cli/bench_load.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr absl::Duration kLookInterval = absl::Milliseconds(200);
// Tasks of a stream that are waited for by one call.
constexpr size_t kWaitedMax = 1000;

absl::Duration Monotonic() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// "QUEUE_FULL", or the code where the server gives no reason.
std::string ReasonOf(const absl::Status& status) {
  const auto info = ErrorInfoOf(status);
  return info ? info->reason() : absl::StatusCodeToString(status.code());
}

v1::BatchSpawnTasksRequest RequestOf(const BenchPlan& plan, int64_t tasks) {
  v1::BatchSpawnTasksRequest request;
  request.set_parent(plan.one.parent());
  for (int64_t i = 0; i < tasks; ++i) *request.add_specs() = plan.one.spec();
  return request;
}

}  // namespace

BenchLoad::BenchLoad(Client& client, BenchPlan plan, Stop& stop)
    : client_(client), plan_(std::move(plan)), stop_(stop), start_(Monotonic()) {}

absl::Duration BenchLoad::Elapsed() const {
  return Monotonic() - start_;
}

bool BenchLoad::IsOver() const {
  return stop_.is_set() || failed_ || Elapsed() >= plan_.duration;
}

int64_t BenchLoad::Next(absl::Duration& due) {
  const int64_t first = asked_.fetch_add(plan_.batch);
  const int64_t tasks = std::min(plan_.batch, plan_.count - first);
  if (tasks <= 0 || IsOver()) return 0;
  due = Elapsed();
  if (plan_.rate <= 0) return tasks;
  due = absl::Seconds(static_cast<double>(first) / plan_.rate);
  const absl::Duration pause = std::min(due, plan_.duration) - Elapsed();
  if (pause > absl::ZeroDuration() && !stop_.Pause(pause)) return 0;
  return IsOver() ? 0 : tasks;
}

void BenchLoad::Accept(int64_t tasks, absl::Duration due) {
  const absl::Duration took = Elapsed() - due;
  const absl::MutexLock lock(&mutex_);
  result_.count.accepted += tasks;
  result_.accepted.Add(took, tasks);
}

void BenchLoad::Refuse(const absl::Status& why, int64_t tasks, int64_t BenchCount::*of) {
  const absl::MutexLock lock(&mutex_);
  result_.count.*of += tasks;
  result_.reasons[ReasonOf(why)] += tasks;
}

// What says nothing of tasks, such as a daemon that is not there: goes on it would for ever.
void BenchLoad::Fail(const absl::Status& why) {
  if (stop_.is_set() || failed_) return;
  {
    const absl::MutexLock lock(&mutex_);
    if (result_.status.ok()) result_.status = why;
  }
  failed_ = true;
}

void BenchLoad::WaitFor(Caller& caller, const std::vector<std::string>& names, absl::Duration due) {
  if (names.empty()) return;
  WaitOptions options;
  options.view = v1::TASK_VIEW_BASIC;
  options.stop = &caller.waits;
  const auto response = client_.WaitBatch(names, options);
  if (!response.ok()) return Fail(response.status());
  const absl::Duration took = Elapsed() - due;
  for (const auto& result : response->results()) {
    const bool succeeded = result.task().state() == v1::TASK_STATE_SUCCEEDED;
    const google::rpc::Status& error = result.has_error() ? result.error() : result.task().error();
    if (!succeeded) Refuse(ToAbslStatus(error), 1, &BenchCount::failed);
    const absl::MutexLock lock(&mutex_);
    ++result_.count.ended;
    result_.ended.Add(took);
  }
}

void BenchLoad::CallOnce(Caller& caller, int64_t tasks, absl::Duration due) {
  std::vector<std::string> names;
  if (tasks == 1 && plan_.batch == 1) {
    const auto task = client_.Spawn(plan_.one, &caller.spawns);
    if (!task.ok() && !ErrorInfoOf(task.status())) return Fail(task.status());
    if (!task.ok()) return Refuse(task.status(), 1, &BenchCount::refused);
    names.push_back(task->name());
  } else {
    auto response = client_.SpawnBatch(RequestOf(plan_, tasks), &caller.spawns);
    if (!response.ok() && !ErrorInfoOf(response.status())) return Fail(response.status());
    if (!response.ok()) return Refuse(response.status(), tasks, &BenchCount::refused);
    for (auto& result : *response->mutable_results()) {
      if (result.has_error()) {
        Refuse(ToAbslStatus(result.error()), 1, &BenchCount::refused);
      } else {
        names.push_back(std::move(*result.mutable_name()));
      }
    }
  }
  Accept(static_cast<int64_t>(names.size()), due);
  if (plan_.waits) WaitFor(caller, names, due);
}

void BenchLoad::Call(Caller& caller) {
  absl::Duration due;
  while (const int64_t tasks = Next(due)) CallOnce(caller, tasks, due);
}

// Results come in the order of the tasks: `due` has when each that has none was due.
void BenchLoad::Stream(Caller& caller) {
  struct Under {
    absl::Mutex mutex;
    std::deque<absl::Duration> due ABSL_GUARDED_BY(mutex);
    std::deque<std::pair<std::string, absl::Duration>> accepted ABSL_GUARDED_BY(mutex);
    bool ended ABSL_GUARDED_BY(mutex) = false;

    bool HasMore() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return ended || !accepted.empty(); }
  } under;
  SpawnStreamOptions options;
  options.parent = plan_.one.parent();
  options.message_max = static_cast<size_t>(plan_.batch);
  options.stop = &caller.spawns;
  const auto stream = client_.OpenSpawnStream(options, [&](SpawnResult result) {
    absl::Duration due;
    {
      const absl::MutexLock lock(&under.mutex);
      due = under.due.front();
      under.due.pop_front();
      if (plan_.waits && result.status.ok()) {
        under.accepted.emplace_back(std::move(result.name), due);
      }
    }
    if (result.status.ok()) return Accept(1, due);
    // Given up by this end.
    if (absl::IsCancelled(result.status)) return;
    Refuse(result.status, 1, &BenchCount::refused);
  });
  std::thread waits([&] {
    for (;;) {
      std::vector<std::string> names;
      absl::Duration due;
      {
        const absl::MutexLock lock(&under.mutex, absl::Condition(&under, &Under::HasMore));
        if (under.accepted.empty()) return;
        due = under.accepted.front().second;
        while (!under.accepted.empty() && names.size() < kWaitedMax) {
          names.push_back(std::move(under.accepted.front().first));
          under.accepted.pop_front();
        }
      }
      WaitFor(caller, names, due);
    }
  });
  absl::Duration due;
  while (const int64_t tasks = Next(due)) {
    for (int64_t i = 0; i < tasks; ++i) {
      {
        const absl::MutexLock lock(&under.mutex);
        under.due.push_back(due);
      }
      if (absl::Status added = stream->Add(plan_.one.spec()); !added.ok()) break;
    }
  }
  if (absl::Status finished = stream->Finish(); !finished.ok()) Fail(finished);
  {
    const absl::MutexLock lock(&under.mutex);
    under.ended = true;
  }
  waits.join();
}

BenchResult BenchLoad::Run(const std::function<void(const BenchCount&)>& on_look) {
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<std::thread> threads;
  {
    const absl::MutexLock lock(&mutex_);
    running_ = plan_.callers;
  }
  for (int64_t i = 0; i < plan_.callers; ++i) {
    Caller& caller = *callers.emplace_back(std::make_unique<Caller>());
    threads.emplace_back([this, &caller] {
      plan_.streams ? Stream(caller) : Call(caller);
      const absl::MutexLock lock(&mutex_);
      --running_;
    });
  }
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; };
  for (bool ended = false; !ended;) {
    BenchCount count;
    {
      const absl::MutexLock lock(&mutex_);
      ended = mutex_.AwaitWithTimeout(absl::Condition(&done), kLookInterval);
      count = result_.count;
    }
    count.took = Elapsed();
    if (on_look) on_look(count);
    if (!stop_.is_set() && !failed_) continue;
    for (const auto& caller : callers) {
      caller->spawns.Set();
      caller->waits.Set();
    }
  }
  for (std::thread& thread : threads) thread.join();
  const absl::MutexLock lock(&mutex_);
  result_.count.took = Elapsed();
  return result_;
}

}  // namespace grove::client::cli

#include "server/control/engine_driver.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timeout.h"
#include "server/log.h"
#include "server/tasks/refusal.h"
#include "server/tasks/volatile_handover.h"

namespace grove::control {
namespace {

// Of one turn of the hub: more than 512 KiB are mapped anew each time (grove_control.cc).
constexpr size_t kWritesExpectedMax = (size_t{512} << 10) / sizeof(tasks::StoreWrite);

absl::Duration Until(tasks::EngineMicros deadline_us, tasks::EngineMicros now_us) {
  if (deadline_us == std::numeric_limits<int64_t>::max()) return absl::InfiniteDuration();
  return absl::Microseconds(deadline_us > now_us ? deadline_us - now_us : 0);
}

}  // namespace

EngineDriver::EngineDriver(Hub& hub, tasks::TaskEngine& engine, tasks::TaskStore& store,
                           metrics::SharedSeries& series, WallClock wall)
    : hub_(hub),
      engine_(engine),
      store_(store),
      wall_(std::move(wall)),
      started_us_(wall_()),
      started_at_(hub.ReadClock()),
      acknowledgements_(hub.timers()),
      ends_(hub.timers()),
      tally_(series, engine) {
  store_.Start([this](tasks::StoreReport report) {
    hub_.Post([this, report = std::move(report)] {
      engine_.Persisted(report, Advance(), effects_);
      Changed();
    });
  });
}

tasks::EngineMicros EngineDriver::Now() const {
  return started_us_ + (hub_.ReadClock() - started_at_) / 1000;
}

tasks::EngineMicros EngineDriver::Advance() {
  const tasks::EngineMicros now_us = Now();
  const WallMicros wall_us = wall_();
  if (std::abs(wall_us - now_us - wall_offset_us_) > kWallSlackUs) {
    wall_offset_us_ = wall_us - now_us;
    engine_.SetWallClock(wall_us, now_us);
  }
  return now_us;
}

absl::Status EngineDriver::Run() {
  for (;;) {
    TickUnlessHandedOver();
    CarryOut();
    const tasks::EngineMicros deadline_us =
        handed_over_ ? std::numeric_limits<int64_t>::max() : engine_.NextDeadline();
    {
      Timeout timeout(Until(deadline_us, Now()));
      absl::Status woken = changed_.Wait();
      if (absl::IsCancelled(woken)) return woken;
    }
    changed_.Reset();
    const bool stood_still = deadline_us < Now() - absl::ToInt64Microseconds(kStandstill);
    if (!stood_still) continue;
    if (absl::Status read = ReadFirst(); !read.ok()) return read;
  }
}

void EngineDriver::TickUnlessHandedOver() {
  if (!handed_over_) engine_.Tick(Advance(), effects_);
}

absl::Status EngineDriver::ReadFirst() {
  const MonotonicNanos end = DeadlineAfter(hub_.ReadClock(), kReadFirstMax);
  for (int quiet = 0; quiet < kQuietLooks && hub_.ReadClock() < end;) {
    quiet = unread_() ? 0 : quiet + 1;
    if (absl::Status slept = Sleep(kReadFirstPause); !slept.ok()) return slept;
  }
  return absl::OkStatus();
}

absl::Status EngineDriver::AwaitDisk() {
  if (!engine_.is_clogged()) return absl::OkStatus();
  Timeout timeout(kClogPause);
  while (engine_.is_clogged()) {
    absl::Status woken = round_.Wait();
    if (timeout.fired()) return absl::OkStatus();
    if (!woken.ok()) return woken;
  }
  return absl::OkStatus();
}

void EngineDriver::Read(std::vector<tasks::TaskId> tasks, tasks::TaskStore::ReadCallback done) {
  using Found = absl::StatusOr<std::vector<tasks::StoredTask>>;
  store_.Read(std::move(tasks), [this, done = std::move(done)](Found found) mutable {
    hub_.Post(
        [done = std::move(done), found = std::move(found)]() mutable { done(std::move(found)); });
  });
}

void EngineDriver::Recall(std::vector<tasks::TaskId> tasks, RecallCallback done) {
  for (const tasks::TaskId& id : tasks) engine_.KeepRecalled(id);
  std::erase_if(tasks, [this](const tasks::TaskId& id) { return !engine_.IsEvicted(id); });
  if (tasks.empty()) return done(std::optional<tasks::EndedPosition>());
  const uint64_t hold = HoldRecalled();
  Read(std::move(tasks), [this, hold, done = std::move(done)](const auto& found) mutable {
    if (found.ok()) engine_.Recall(*found, Advance());
    ReleaseRecalled(hold);
    found.ok() ? done(std::optional<tasks::EndedPosition>()) : done(found.status());
  });
}

void EngineDriver::RecallEnded(tasks::EndedQuery query, RecallCallback done) {
  // What ends meanwhile stays until the page is there: it has not got that.
  const uint64_t hold = HoldRecalled();
  auto take = [this, hold, done = std::move(done)](const auto& page) mutable {
    if (page.ok()) engine_.Recall(page->tasks, Advance());
    ReleaseRecalled(hold);
    page.ok() ? done(page->next) : done(page.status());
  };
  store_.FindEnded(std::move(query), [this, take = std::move(take)](auto page) mutable {
    hub_.Post([take = std::move(take), page = std::move(page)]() mutable { take(page); });
  });
}

void EngineDriver::CarryOut() {
  // Callbacks below may cause further effects; those are carried out in the next round.
  tasks::Effects effects = std::exchange(effects_, tasks::Effects());
  if (!effects.writes.empty()) {
    // A write is large: those of a busy turn are not moved again while there come more.
    effects_.writes.reserve(std::min(effects.writes.size(), kWritesExpectedMax));
    store_.Write(std::move(effects.writes));
  }
  if (!effects.loads.empty()) {
    std::vector<tasks::TaskId> asked = effects.loads;
    Read(std::move(effects.loads), [this, asked = std::move(asked)](const auto& found) {
      if (!handed_over_) engine_.Loaded(asked, found, Advance(), effects_);
      Changed();
    });
  }
  for (auto& [worker, outgoing] : effects.to_workers) {
    for (internal::v1::ControlFrame& frame : outgoing.frames) sender_(worker, std::move(frame));
  }
  for (const tasks::Effects::FirstStart& start : effects.first_starts) {
    // What an earlier control admitted waited for this one too: that is not the queue's doing.
    if (start.ready_us < started_us_) continue;
    tally_.CountStart(start.function, std::max<int64_t>(0, start.start_us - start.ready_us));
  }
  for (const tasks::Tally& tally : effects.tallies) tally_.Count(tally);
  for (const tasks::TaskId& task : effects.acknowledged) acknowledgements_.Notify(task);
  for (const tasks::TaskId& task : effects.ended) ends_.Notify(task);
  ++rounds_;
  for (absl::AnyInvocable<void()>& listener : listeners_) listener();
  round_.Set();
  round_.Reset();
}

absl::Status EngineDriver::AwaitRound() {
  return round_.Wait();
}

absl::StatusOr<tasks::Spawned> EngineDriver::Spawn(std::string_view parent, v1::TaskSpec&& spec,
                                                   const tasks::SpawnOrigin& origin) {
  if (draining_) {
    tally_.CountRejected("DRAINING");
    return DrainingStatus();
  }
  absl::StatusOr<tasks::Spawned> spawned =
      engine_.Spawn(parent, std::move(spec), Advance(), effects_, origin);
  Changed();
  return spawned;
}

absl::Status EngineDriver::Cancel(std::string_view name, std::string_view reason) {
  if (handed_over_) return DrainingStatus();
  absl::Status status = engine_.Cancel(name, reason, Advance(), effects_);
  Changed();
  return status;
}

absl::StatusOr<bool> EngineDriver::Change(tasks::TaskId id, const tasks::TaskAction& action) {
  if (handed_over_) return DrainingStatus();
  absl::StatusOr<bool> changed = engine_.Change(id, action, Advance(), effects_);
  Changed();
  return changed;
}

absl::Status EngineDriver::PauseQueue(std::string_view name, std::string_view reason) {
  if (handed_over_) return DrainingStatus();
  absl::Status status = engine_.PauseQueue(name, reason, effects_);
  Changed();
  return status;
}

absl::Status EngineDriver::ResumeQueue(std::string_view name) {
  if (handed_over_) return DrainingStatus();
  absl::Status status = engine_.ResumeQueue(name, effects_);
  Changed();
  return status;
}

absl::Status EngineDriver::AwaitStored(absl::Duration max) {
  const uint64_t ticket = engine_.last_ticket();
  Timeout timeout(max);
  while (!engine_.IsOnDisk(ticket)) {
    absl::Status woken = round_.Wait();
    if (timeout.fired()) {
      return tasks::WithRetryAfter(
          tasks::Refusal(absl::StatusCode::kUnavailable, "STORE_SLOW",
                         absl::StrCat("the change holds, and is not on disk after ",
                                      absl::FormatDuration(max), ": a crash may undo it")),
          kDrainRetryMs);
    }
    if (!woken.ok()) return woken;
  }
  return absl::OkStatus();
}

absl::Status EngineDriver::ResizePool(std::string_view name, int64_t size) {
  if (handed_over_) return DrainingStatus();
  absl::Status status = engine_.ResizePool(name, size);
  Changed();
  return status;
}

bool EngineDriver::SweepTenant(size_t tenant, tasks::TenantSweep what, tasks::TaskId& after) {
  if (handed_over_) return true;
  const bool seen_all = engine_.SweepTenant(tenant, what, after, Advance(), effects_);
  Changed();
  return seen_all;
}

void EngineDriver::Rebound(size_t tenant) {
  engine_.Rebound(tenant, Now());
  Changed();
}

void EngineDriver::ForgetTenant(size_t tenant, const std::vector<size_t>& queues) {
  engine_.ForgetTenant(tenant);
  for (const size_t queue : queues) tally_.Forget(queue);
  tally_.ForgetTenant(tenant);
}

absl::Status EngineDriver::WorkerUp(internal::v1::Hello hello) {
  if (handed_over_) return DrainingStatus();
  const int32_t worker = hello.worker();
  absl::Status status = engine_.WorkerUp(std::move(hello), Advance(), effects_);
  if (status.ok() && draining_) engine_.WorkerDraining(worker);
  Changed();
  return status;
}

void EngineDriver::WorkerUnlinked(int32_t worker) {
  if (handed_over_) return;
  engine_.WorkerUnlinked(worker, Advance());
  Changed();
}

void EngineDriver::SetCapacity(int32_t worker, int64_t capacity) {
  if (handed_over_) return;
  engine_.WorkerCapacity(worker, capacity);
  Changed();
}

void EngineDriver::WorkerStuck(int32_t worker, bool is_stuck) {
  if (handed_over_) return;
  if (engine_.WorkerStuck(worker, is_stuck, Advance(), effects_)) Changed();
}

void EngineDriver::WorkerDown(int32_t worker) {
  if (handed_over_) return;
  engine_.WorkerDown(worker, Advance(), effects_);
  Changed();
}

void EngineDriver::FromWorker(int32_t worker, internal::v1::WorkerFrame& frame) {
  // What ended is not acknowledged, so that the worker tells the successor.
  if (handed_over_) return;
  const tasks::EngineMicros now_us = Advance();
  if (frame.draining()) engine_.WorkerDraining(worker);
  for (const internal::v1::AttemptStarted& started : frame.started()) {
    engine_.AttemptStarted(worker, started, now_us);
  }
  for (internal::v1::AttemptProgress& progress : *frame.mutable_progress()) {
    engine_.AttemptProgress(worker, std::move(progress), now_us);
  }
  for (internal::v1::AttemptHeartbeat& heartbeat : *frame.mutable_heartbeats()) {
    engine_.AttemptHeartbeat(worker, std::move(heartbeat), now_us, effects_);
  }
  for (const internal::v1::TenantUsage& usage : frame.usage()) {
    const std::optional<size_t> tenant = engine_.CountHttp(usage.tenant(), usage.http_us(), now_us);
    if (tenant) tally_.CountHttp(*tenant, usage.http_us());
  }
  for (internal::v1::AttemptEnded& ended : *frame.mutable_ended()) {
    engine_.AttemptEnded(worker, std::move(ended), now_us, effects_);
  }
  Changed();
}

void EngineDriver::Drain(int workers) {
  draining_ = true;
  for (int32_t worker = 0; worker < workers; ++worker) engine_.WorkerDraining(worker);
  Changed();
}

absl::StatusOr<int64_t> EngineDriver::HandOver(int fd) {
  draining_ = true;
  // Without parking between: what is written is what the last event and the last frame made of it.
  engine_.Tick(Advance(), effects_);
  CarryOut();
  handed_over_ = true;
  return tasks::WriteVolatileTasks(engine_, fd);
}

absl::Status EngineDriver::Flush(OffloadPool& offload) {
  TickUnlessHandedOver();
  CarryOut();
  absl::Status stopped;
  if (absl::Status run = offload.Run([&] { stopped = store_.Stop(); }); !run.ok()) return run;
  // Behind the Persisted() calls that the store posted before it stopped: posts come in order.
  auto persisted = std::make_shared<Event>();
  hub_.Post([persisted] { persisted->Set(); });
  persisted->Wait().IgnoreError();
  TickUnlessHandedOver();
  CarryOut();
  acknowledgements_.Stop();
  ends_.Stop();
  return stopped;
}

absl::Status EngineDriver::DrainingStatus() {
  return tasks::WithRetryAfter(tasks::Refusal(absl::StatusCode::kUnavailable, "DRAINING",
                                              "the daemon is draining; try again"),
                               kDrainRetryMs);
}

}  // namespace grove::control

#include "server/metrics/scoreboard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::metrics {

// Written by Create alone, before the first fork; `workers` by Grow.
struct alignas(64) Scoreboard::Header {
  uint32_t magic;
  uint32_t version;
  uint32_t slot_bytes;
  std::atomic<int32_t> workers;
  int64_t stuck_ns;
  ControlSlot control;
};

// Everything in the slab. Pages that nobody writes to are not there.
struct Scoreboard::Layout {
  Header header;
  std::array<WorkerSlot, kStandIn + 1> slots;
  std::array<RecentEvents, kSupervisorEvents + 1> recent;
  SharedSeries series;
  std::array<WorkerSeries, kStandIn + 1> worker_series;
};

namespace {

static_assert(WorkerCounters::Counter::is_always_lock_free, "slots are shared by processes");
static_assert(std::atomic<SlotState>::is_always_lock_free, "slots are shared by processes");
static_assert(sizeof(WorkerCounters) % sizeof(WorkerCounters::Counter) == 0,
              "counters are nothing but Counters");
constexpr size_t kCounters = sizeof(WorkerCounters) / sizeof(WorkerCounters::Counter);

void AddAndClear(WorkerCounters& from, WorkerCounters& to) {
  // A struct of nothing but Counters, arrays included: walked as one array of them.
  auto* source = reinterpret_cast<WorkerCounters::Counter*>(&from);
  auto* target = reinterpret_cast<WorkerCounters::Counter*>(&to);
  for (size_t i = 0; i < kCounters; ++i) {
    target[i].fetch_add(source[i].exchange(0, std::memory_order_relaxed),
                        std::memory_order_relaxed);
  }
}

// Of these bytes few are ever touched, but all count against the limit of the address space.
absl::Status MapError(int error, size_t bytes) {
  const std::string what = StrCat("scoreboard: mmap of ", bytes >> 20, " MiB");
  absl::Status status = ErrnoStatus(error, what);
  if (error != ENOMEM) return status;
  return absl::Status(status.code(), StrCat(status.message(), "; is RLIMIT_AS (ulimit -v) low?"));
}

absl::Status NotAScoreboard(std::string_view why) {
  return absl::FailedPreconditionError(
      StrCat("not a scoreboard of version ", Scoreboard::kVersion, ": ", why));
}

}  // namespace

bool IsStuck(const WorkerSlot& slot, MonotonicNanos now, absl::Duration stuck) {
  const SlotState state = slot.state.load(std::memory_order_relaxed);
  if (state != SlotState::kReady && state != SlotState::kDraining) return false;
  const MonotonicNanos last_turn = slot.last_turn_ns.load(std::memory_order_relaxed);
  return last_turn != 0 && absl::Nanoseconds(now - last_turn) > stuck;
}

size_t Scoreboard::Bytes() {
  return sizeof(Layout);
}

Scoreboard::Layout& Scoreboard::layout() const {
  return *reinterpret_cast<Layout*>(header_);
}

absl::StatusOr<Scoreboard> Scoreboard::Create(int workers, absl::Duration stuck) {
  if (workers < 1 || workers > config::kWorkersMax) {
    return absl::InvalidArgumentError(
        StrCat("scoreboard of ", workers, " workers; 1 to ", config::kWorkersMax, " are allowed"));
  }
  const size_t bytes = Bytes();
  const int fd = memfd_create("grove-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return ErrnoStatus(errno, "scoreboard: memfd_create");
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0 ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    absl::Status status = ErrnoStatus(errno, "scoreboard: sizing the memory file");
    close(fd);
    return status;
  }
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    absl::Status status = MapError(errno, bytes);
    close(fd);
    return status;
  }
  auto* header = static_cast<Header*>(memory);  // A new memory file reads as zeros.
  header->version = kVersion;
  header->slot_bytes = sizeof(WorkerSlot);
  header->workers = workers;
  header->stuck_ns = absl::ToInt64Nanoseconds(stuck);
  header->magic = kMagic;
  return Scoreboard(fd, header, bytes);
}

absl::StatusOr<Scoreboard> Scoreboard::Open(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return ErrnoStatus(errno, "scoreboard: fstat");
  const auto bytes = static_cast<size_t>(status.st_size);
  if (bytes < sizeof(Header)) return NotAScoreboard(StrCat(bytes, " bytes"));
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return ErrnoStatus(errno, "scoreboard: dup");
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
  if (memory == MAP_FAILED) {
    absl::Status mapped = MapError(errno, bytes);
    close(own);
    return mapped;
  }
  Scoreboard board(own, static_cast<Header*>(memory), bytes);
  const Header& header = *board.header_;
  if (header.magic != kMagic) return NotAScoreboard("no magic number");
  if (header.version != kVersion || header.slot_bytes != sizeof(WorkerSlot)) {
    return NotAScoreboard(StrCat("version ", header.version, ", slots of ", header.slot_bytes,
                                 " bytes; are the binaries of one build?"));
  }
  const int workers = board.workers();
  if (workers < 1 || workers > config::kWorkersMax || bytes != Bytes()) {
    return NotAScoreboard(StrCat(workers, " workers in ", bytes, " bytes"));
  }
  return board;
}

Scoreboard::Scoreboard(Scoreboard&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      header_(std::exchange(other.header_, nullptr)),
      bytes_(other.bytes_) {}

Scoreboard::~Scoreboard() {
  if (header_ == nullptr) return;
  munmap(header_, bytes_);
  close(fd_);
}

int Scoreboard::workers() const {
  return header_->workers.load(std::memory_order_relaxed);
}

void Scoreboard::Grow(int workers) {
  if (workers > this->workers()) header_->workers.store(workers, std::memory_order_relaxed);
}

WorkerSlot& Scoreboard::slot(int worker) {
  return layout().slots[static_cast<size_t>(worker)];
}

const WorkerSlot& Scoreboard::slot(int worker) const {
  return layout().slots[static_cast<size_t>(worker)];
}

RecentEvents& Scoreboard::recent(int whose) {
  return layout().recent[static_cast<size_t>(whose)];
}

const RecentEvents& Scoreboard::recent(int whose) const {
  return layout().recent[static_cast<size_t>(whose)];
}

ControlSlot& Scoreboard::control() {
  return header_->control;
}

const ControlSlot& Scoreboard::control() const {
  return header_->control;
}

SharedSeries& Scoreboard::series() {
  return layout().series;
}

const SharedSeries& Scoreboard::series() const {
  return layout().series;
}

WorkerSeries& Scoreboard::worker_series(int worker) {
  return layout().worker_series[static_cast<size_t>(worker)];
}

const WorkerSeries& Scoreboard::worker_series(int worker) const {
  return layout().worker_series[static_cast<size_t>(worker)];
}

bool Scoreboard::IsStuck(const WorkerSlot& slot, MonotonicNanos now) const {
  return metrics::IsStuck(slot, now, absl::Nanoseconds(header_->stuck_ns));
}

void Scoreboard::Fold(int worker) {
  WorkerSlot& slot = this->slot(worker);
  AddAndClear(slot.live, worker == kStandIn ? this->slot(0).base : slot.base);
  for (std::atomic<int64_t>* level : {&slot.fibers,
                                      &slot.run_queue_length,
                                      &slot.timers,
                                      &slot.http_connections_open,
                                      &slot.http_connections_idle,
                                      &slot.http_requests_running,
                                      &slot.http_websockets,
                                      &slot.attempts_running,
                                      &slot.offload_queued,
                                      &slot.offload_running,
                                      &slot.fetches_running,
                                      &slot.fetches_waiting,
                                      &slot.fetch_connections,
                                      &slot.fetch_connections_idle,
                                      &slot.fetch_http2_connections,
                                      &slot.stacks,
                                      &slot.stack_bytes,
                                      &slot.hub_descriptors,
                                      &slot.backdoor_sessions,
                                      &slot.last_turn_ns}) {
    level->store(0, std::memory_order_relaxed);
  }
  WorkerSeries& own = worker_series(worker);
  SharedSeries& shared = series();
  FoldCells(own.requests, shared.dead.requests, shared.requests.count.claimed);
  FoldCells(own.routes, shared.dead.routes, shared.routes.count.claimed);
  FoldOwn(own.own, shared.dead.own, shared.own);
  FoldCells(own.work_pools, shared.dead.work_pools, shared.work_pools.count.claimed);
  ClearCells(own.work_pool_levels, shared.work_pools.count.claimed);
  const uint32_t tenants = shared.bound_tenants.directory().claimed();
  for (uint32_t number = 1; number <= tenants; ++number) {
    shared.bound_cells.of[number].Forget(worker);
  }
  shared.origins.Forget(worker);
}

void Scoreboard::FoldControl() {
  ControlSlot& slot = control();
  const auto fold = [](std::atomic<uint64_t>& from, std::atomic<uint64_t>& to) {
    to.fetch_add(from.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
  };
  fold(slot.log_lines_dropped, slot.log_lines_dropped_before);
  fold(slot.connections_refused, slot.connections_refused_before);
  fold(slot.tokens_refused, slot.tokens_refused_before);
  fold(slot.calls_refused, slot.calls_refused_before);
  fold(slot.admin_tokens_refused, slot.admin_tokens_refused_before);
}

uint64_t Scoreboard::Total(const WorkerSlot& slot,
                           WorkerCounters::Counter WorkerCounters::*counter) {
  return (slot.base.*counter).load(std::memory_order_relaxed) +
         (slot.live.*counter).load(std::memory_order_relaxed);
}

}  // namespace grove::metrics

#include "database/guard/transaction_guard.h"

#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/watch/stack_trace.h"

namespace grove::guard {
namespace {

// Enough to see who called whom; the outermost are the fiber's entry.
constexpr size_t kFramesShown = 24;

std::optional<HeldWait> KindOf(WaitFor::Kind kind) {
  switch (kind) {
    case WaitFor::Kind::kRead:
    case WaitFor::Kind::kWrite:
    case WaitFor::Kind::kAccept:
    case WaitFor::Kind::kConnect:
    case WaitFor::Kind::kProcess:
      return HeldWait::kNetwork;
    case WaitFor::Kind::kTimer:
      return HeldWait::kSleep;
    case WaitFor::Kind::kSemaphore:
    case WaitFor::Kind::kPool:
    case WaitFor::Kind::kOffload:
      return HeldWait::kPool;
    default:
      return std::nullopt;
  }
}

std::string_view Words(HeldWait kind) {
  switch (kind) {
    case HeldWait::kNetwork:
      return "waits for the network";
    case HeldWait::kSleep:
      return "sleeps";
    case HeldWait::kPool:
      return "waits for a pool";
  }
  return "waits";
}

// Of the fiber that runs, from the caller of this function on.
[[gnu::noinline]] std::vector<std::string> RunningStack(const Fiber& fiber) {
#if defined(__x86_64__)
  const auto* const frame = static_cast<const uintptr_t*>(__builtin_frame_address(0));
  FrameRegisters caller;
  caller.values[FrameRegisters::kRbp] = frame[0];
  caller.values[FrameRegisters::kReturnAddress] = frame[1];
  caller.values[FrameRegisters::kRsp] = reinterpret_cast<uintptr_t>(frame + 2);
  const auto low = reinterpret_cast<uintptr_t>(fiber.stack().low);
  const auto high = reinterpret_cast<uintptr_t>(fiber.stack().high);
  std::vector<std::string> frames =
      FormatFrames(TraceFrom(caller, PcKind::kAfterCall, {.low = low, .high = high}));
  if (frames.size() > kFramesShown) frames.resize(kFramesShown);
  return frames;
#else
  (void)fiber;
  return {};
#endif
}

void ToStandardError(const HeldWaitReport& report) {
  fprintf(stderr, "%s\n", report.ToString().c_str());
}

}  // namespace

std::string HeldWaitReport::ToString() const {
  std::string text = absl::StrFormat(
      "fiber %d \"%s\" %s (%s) while it holds a %s that was begun at %s:%d %s ago", fiber,
      std::string(fiber_name), std::string(Words(kind)), waits_for, std::string(held),
      held_at.file_name(), held_at.line(), absl::FormatDuration(held_for));
  if (unreported > 0) absl::StrAppend(&text, "; ", unreported, " more since the last report");
  for (const std::string& frame : stack) absl::StrAppend(&text, "\n    ", frame);
  return text;
}

TransactionGuard::Mark::Mark(TransactionGuard& guard, std::string_view held, SourceLocation site)
    : guard_(guard), held_(held), site_(site), since_(Hub::Current()->now()) {
  ++guard_.stats_.marks;
  ++guard_.stats_.held;
}

TransactionGuard::Mark::~Mark() {
  --guard_.stats_.held;
  for (OwnWait* scope = own_wait_; scope != nullptr; scope = scope->outer_) scope->mark_ = nullptr;
}

void TransactionGuard::Mark::OnPark(const Fiber& fiber) {
  if (own_wait_ != nullptr) return;
  const std::optional<HeldWait> kind = KindOf(fiber.waiting_for().kind);
  if (!kind.has_value()) return;
  guard_.Count(*kind);
  Place& place = guard_.PlaceOf(site_);
  const MonotonicNanos now = Hub::Current()->now();
  if (now < place.next_report) {
    ++place.unreported;
    return;
  }
  place.next_report = DeadlineAfter(now, guard_.options_.report_interval);
  ++guard_.stats_.reports;
  const HeldWaitReport report{.held = held_,
                              .held_at = site_,
                              .held_for = absl::Nanoseconds(now - since_),
                              .fiber = fiber.id(),
                              .fiber_name = fiber.name(),
                              .kind = *kind,
                              .waits_for = WaitForText(fiber.waiting_for()),
                              .stack = RunningStack(fiber),
                              .unreported = std::exchange(place.unreported, 0)};
  (guard_.options_.report != nullptr ? guard_.options_.report : ToStandardError)(report);
}

TransactionGuard::~TransactionGuard() {
  GROVE_CHECK(stats_.held == 0, "a TransactionGuard died while something is held");
}

std::unique_ptr<TransactionGuard::Mark> TransactionGuard::Hold(std::string_view held,
                                                               SourceLocation site) {
  if (!options_.enabled) return nullptr;
  return std::unique_ptr<Mark>(new Mark(*this, held, site));
}

void TransactionGuard::Count(HeldWait kind) {
  switch (kind) {
    case HeldWait::kNetwork:
      ++stats_.network;
      break;
    case HeldWait::kSleep:
      ++stats_.sleeps;
      break;
    case HeldWait::kPool:
      ++stats_.pools;
      break;
  }
}

TransactionGuard::Place& TransactionGuard::PlaceOf(const SourceLocation& site) {
  const auto key = std::make_pair(site.file_name(), site.line());
  if (const auto at = places_.find(key); at != places_.end()) return at->second;
  if (places_.size() >= kPlacesMax) return others_;
  return places_[key];
}

}  // namespace grove::guard

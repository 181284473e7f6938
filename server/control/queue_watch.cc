#include "server/control/queue_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/tasks/list_token.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

uint64_t Fingerprint(v1::Queue queue) {
  queue.clear_oldest_age();
  // Without maps, the bytes are the same for the same fields.
  return tasks::ListChecksum(queue.name(), queue.SerializeAsString());
}

}  // namespace

absl::StatusOr<QueueWatch> QueueWatch::Create(const v1::WatchQueueRequest& request) {
  absl::Duration interval = kQueueWatchInterval;
  if (request.has_interval()) {
    interval =
        absl::Seconds(request.interval().seconds()) + absl::Nanoseconds(request.interval().nanos());
  }
  if (interval < kQueueWatchIntervalMin || interval > kQueueWatchIntervalMax) {
    return tasks::BadField(
        "interval", "WATCH_INTERVAL_OUT_OF_RANGE",
        absl::StrCat("is ", absl::FormatDuration(interval), "; ",
                     absl::FormatDuration(kQueueWatchIntervalMin), " to ",
                     absl::FormatDuration(kQueueWatchIntervalMax), " are possible"));
  }
  std::string list = absl::StrCat("watch queues ", request.name());
  if (request.resume_token().empty()) return QueueWatch(std::move(list), interval, "");
  auto known = tasks::DecodeListToken(list, request.resume_token());
  if (!known) {
    return tasks::BadField("resume_token", "RESUME_TOKEN_INVALID",
                           "is not one of a watch of the same name; leave it empty to begin anew");
  }
  return QueueWatch(std::move(list), interval, *std::move(known));
}

bool QueueWatch::Take(const std::vector<v1::Queue>& queues, v1::WatchQueueResponse& message) {
  message.Clear();
  uint64_t all = 0;
  std::vector<const v1::Queue*> changed;
  for (const v1::Queue& queue : queues) {
    const uint64_t now = Fingerprint(queue);
    all = all * 31 + now;
    uint64_t& told = told_[queue.name()];
    if (std::exchange(told, now) != now) changed.push_back(&queue);
  }
  // Those of tenants that are no more.
  if (told_.size() > queues.size()) {
    absl::flat_hash_map<std::string, uint64_t> there;
    for (const v1::Queue& queue : queues) there[queue.name()] = told_[queue.name()];
    told_ = std::move(there);
  }
  const std::string state = absl::StrFormat("%016x", all);
  const bool first = !std::exchange(begun_, true);
  if (!first && changed.empty()) return false;
  message.set_resume_token(tasks::EncodeListToken(list_, state));
  // What the client knows already.
  if (first && state == known_) return true;
  for (const v1::Queue* queue : changed) *message.add_queues() = *queue;
  return true;
}

}  // namespace grove::control

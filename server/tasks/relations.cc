#include "server/tasks/relations.h"

#include <algorithm>

#include "runtime/switch/abseil_text.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

// In the store alone; no name begins with it.
constexpr char kVolatileMark = '~';

}  // namespace

void TaskNames::Add(std::string_view name) {
  const bool is_marked = !name.empty() && name.front() == kVolatileMark;
  if (is_marked) name.remove_prefix(1);
  const auto parsed = tenancy::ParseTaskName(name);
  const auto id = parsed.ok() ? TaskId::Parse(parsed->task) : std::nullopt;
  if (!id) return;
  std::string queue = tenancy::FormatQueueName(parsed->tenant, parsed->queue);
  const auto last = std::find(queues_.rbegin(), queues_.rend(), queue);
  const auto index = static_cast<uint32_t>(queues_.rend() - last);
  if (index == 0) queues_.push_back(std::move(queue));
  entries_.push_back(
      {*id, index == 0 ? static_cast<uint32_t>(queues_.size()) - 1 : index - 1, is_marked});
}

void TaskNames::Clear() {
  *this = TaskNames();
}

std::string TaskNames::NameOf(size_t i) const {
  return StrCat(queues_[entries_[i].queue], "/tasks/", entries_[i].id.ToString());
}

std::string TaskNames::MarkedNameOf(size_t i) const {
  return is_volatile(i) ? StrCat(std::string(1, kVolatileMark), NameOf(i)) : NameOf(i);
}

int64_t TaskNames::MemoryBytes() const {
  int64_t bytes = static_cast<int64_t>(entries_.size() * sizeof(Entry));
  for (const std::string& queue : queues_) {
    bytes += static_cast<int64_t>(sizeof(std::string) + queue.size());
  }
  return bytes;
}

}  // namespace grove::tasks

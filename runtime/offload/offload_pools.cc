#include "runtime/offload/offload_pools.h"

#include <mutex>

#include "runtime/switch/abseil_text.h"

namespace grove {

absl::Status OffloadPools::Add(OffloadPool::Options options) {
  if (options.name.empty()) return absl::InvalidArgumentError("an offload pool needs a name");
  if (options.threads < 1) {
    return absl::InvalidArgumentError(StrCat("offload pool \"", options.name, "\": threads is ",
                                             options.threads, ", must be 1 at least"));
  }
  const std::lock_guard lock(mutex_);
  std::string name = options.name;
  const auto [place, is_new] = pools_.try_emplace(std::move(name));
  if (!is_new) {
    return absl::AlreadyExistsError(
        StrCat("there is an offload pool \"", options.name, "\" already"));
  }
  place->second = std::make_unique<OffloadPool>(std::move(options));
  return absl::OkStatus();
}

absl::StatusOr<OffloadPool*> OffloadPools::Find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = pools_.find(name); found != pools_.end()) return found->second.get();
  std::string names;
  for (const auto& [each, pool] : pools_) StrAppend(&names, names.empty() ? "" : ", ", each);
  return absl::NotFoundError(StrCat("there is no offload pool \"", name, "\" among: ", names));
}

absl::Status OffloadPools::Run(std::string_view name, absl::FunctionRef<void()> call) const {
  absl::StatusOr<OffloadPool*> pool = Find(name);
  return pool.ok() ? (*pool)->Run(call) : pool.status();
}

void OffloadPools::Stop() {
  std::vector<OffloadPool*> pools;  // none is ever taken away
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, pool] : pools_) pools.push_back(pool.get());
  }
  for (OffloadPool* pool : pools) pool->Stop();
}

OffloadPools::Stats OffloadPools::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats;
  for (const auto& [name, pool] : pools_) stats.emplace_back(name, pool->stats());
  return stats;
}

}  // namespace grove

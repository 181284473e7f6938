#include "server/control/refused_tokens.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>

#include <optional>
#include <utility>
#include <vector>

#include "server/log.h"

namespace grove::control {

struct RefusedTokens::Delayed {
  std::function<void()> answer;
  grpc::Alarm alarm;
};

RefusedTokens::RefusedTokens() = default;

RefusedTokens::~RefusedTokens() = default;

void RefusedTokens::Refuse(std::string_view peer, std::string_view reason,
                           std::function<void()> answer) {
  total_.fetch_add(1, std::memory_order_relaxed);
  if (const std::optional<int64_t> calls = line_.Admit()) {
    Log(LogLevel::kWarning, "calls without a right token are refused",
        {{"peer", peer}, {"reason", reason}, {"calls", *calls}});
  }
  if (!Delay(answer)) answer();
}

bool RefusedTokens::Delay(std::function<void()>& answer) {
  auto delayed = std::make_shared<Delayed>();
  absl::MutexLock lock(&mutex_);
  if (closed_ || waiting_ >= kRefusalsDelayedMax) return false;
  ++waiting_;
  delayed->answer = std::move(answer);
  delayed_.emplace(delayed.get(), delayed);
  // Not by the wall clock, which may be set back.
  const gpr_timespec due =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_millis(absl::ToInt64Milliseconds(kRefusalDelay), GPR_TIMESPAN));
  delayed->alarm.Set(due, [this, delayed = delayed.get()](bool) { Run(delayed); });
  return true;
}

void RefusedTokens::Run(Delayed* delayed) {
  std::shared_ptr<Delayed> taken;
  {
    absl::MutexLock lock(&mutex_);
    taken = std::move(delayed_.extract(delayed).mapped());
  }
  taken->answer();
  taken.reset();
  absl::MutexLock lock(&mutex_);
  --waiting_;
}

void RefusedTokens::AnswerAll() {
  std::vector<std::shared_ptr<Delayed>> delayed;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    for (const auto& [key, each] : delayed_) delayed.push_back(each);
  }
  for (const std::shared_ptr<Delayed>& each : delayed) each->alarm.Cancel();
  delayed.clear();
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](size_t* waiting) { return *waiting == 0; }, &waiting_));
}

}  // namespace grove::control

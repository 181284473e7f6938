#include "server/control/operation_mirror.h"

#include <string>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/control/page_token.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// 0: none.
int64_t NumberOf(std::string_view name) {
  std::string_view digits = name;
  int64_t number = 0;
  const bool named = ConsumePrefix(&digits, "operations/") && SimpleAtoi(digits, &number) &&
                     number > 0 && StrCat(number) == digits;
  return named ? number : 0;
}

}  // namespace

bool HasEnded(const v1::Operation& operation) {
  return operation.state() != v1::Operation::STATE_WAITING &&
         operation.state() != v1::Operation::STATE_RUNNING;
}

void OperationMirror::Take(const v1::Operation& operation) {
  const int64_t number = NumberOf(operation.name());
  if (number == 0) return;
  v1::Operation& kept = operations_[number];
  const bool had_ended = !kept.name().empty() && HasEnded(kept);
  kept = operation;
  if (on_ended_ && known_.ready() && HasEnded(operation) && !had_ended) on_ended_(operation);
  for (auto& [id, following] : followers_) {
    if (following.number == number) following.follower(operation);
  }
  ForgetOldest();
}

void OperationMirror::Take(const internal::v1::OperationsChanged& changed) {
  for (const v1::Operation& operation : changed.operations()) Take(operation);
  known_.Set();
}

void OperationMirror::ForgetOldest() {
  int ended = 0;
  for (auto at = operations_.begin(); at != operations_.end();) {
    const bool too_old = HasEnded(at->second) && ++ended > kEndedOperationsMax;
    at = too_old ? operations_.erase(at) : std::next(at);
  }
}

absl::StatusOr<const v1::Operation*> OperationMirror::Find(std::string_view name) const {
  const int64_t number = NumberOf(name);
  if (number == 0) {
    return tasks::BadField(
        "name", "OPERATION_NAME_INVALID",
        StrCat("is '", tasks::Cut(name), "'; an operation's name is \"operations/12\""));
  }
  const auto found = operations_.find(number);
  if (found != operations_.end()) return &found->second;
  return tasks::Refusal(
      absl::StatusCode::kNotFound, "OPERATION_NOT_FOUND",
      StrCat("no ", name, ": there never was one, or ", kEndedOperationsMax,
             " newer ones have ended since; `grovectl operations` lists what is known"));
}

absl::Status OperationMirror::List(const v1::ListOperationsRequest& request,
                                   v1::ListOperationsResponse& response) const {
  absl::StatusOr<int32_t> size =
      PageSize(request.page_size(), kOperationsPageDefault, kOperationsPageMax);
  if (!size.ok()) return size.status();
  absl::StatusOr<PagePosition> start = DecodePageToken("ListOperations", request.page_token());
  if (!start.ok()) return start.status();
  // The newest first: what comes meanwhile moves no page.
  auto at = start->after == 0 ? operations_.begin()
                              : operations_.upper_bound(static_cast<int64_t>(start->after));
  for (; at != operations_.end() && response.operations_size() < *size; ++at) {
    *response.add_operations() = at->second;
  }
  if (at != operations_.end()) {
    const auto last = static_cast<uint64_t>(std::prev(at)->first);
    response.set_next_page_token(EncodePageToken("ListOperations", {0, last}));
  }
  return absl::OkStatus();
}

OperationMirror::FollowId OperationMirror::Follow(std::string_view name, Follower follower) {
  followers_.emplace(next_follower_, Following{NumberOf(name), std::move(follower)});
  return next_follower_++;
}

}  // namespace grove::control

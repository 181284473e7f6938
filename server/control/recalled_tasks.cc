#include "server/control/recalled_tasks.h"

#include <memory>
#include <utility>

#include "runtime/sync/event.h"

namespace grove::control {
namespace {

// Alive as long as the answer may come.
struct Answer {
  Event come;
  EngineDriver::Recalled recalled;
};

absl::Status Await(const std::shared_ptr<Answer>& answer) {
  if (absl::Status waited = answer->come.Wait(); !waited.ok()) return waited;
  return answer->recalled.status();
}

EngineDriver::RecallCallback Into(const std::shared_ptr<Answer>& answer) {
  return [answer](const EngineDriver::Recalled& recalled) {
    answer->recalled = recalled;
    answer->come.Set();
  };
}

}  // namespace

absl::Status RecalledTasks::Recall(std::vector<tasks::TaskId> tasks) {
  const auto answer = std::make_shared<Answer>();
  driver_.Recall(std::move(tasks), Into(answer));
  return Await(answer);
}

absl::Status RecalledTasks::Recall(tasks::EndedQuery query,
                                   std::optional<tasks::EndedPosition>& horizon) {
  const auto answer = std::make_shared<Answer>();
  driver_.RecallEnded(std::move(query), Into(answer));
  absl::Status status = Await(answer);
  if (status.ok()) horizon = *answer->recalled;
  return status;
}

absl::Status RecalledTasks::RecallFor(const tasks::TaskQuery& query, tasks::TaskCursor& cursor) {
  std::optional<tasks::EndedQuery> ended = driver_.engine().EndedFor(query, cursor);
  if (!ended) return absl::OkStatus();
  // A long query must not keep all that it has seen.
  driver_.ReleaseRecalled(std::exchange(hold_, driver_.HoldRecalled()));
  std::optional<tasks::EndedPosition> horizon;
  absl::Status status = Recall(*std::move(ended), horizon);
  if (status.ok()) tasks::PassRecalled(horizon, cursor);
  return status;
}

}  // namespace grove::control

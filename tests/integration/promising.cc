// promising: an application whose functions use what a task may promise and be promised:
// checkpoints, heartbeats, their own word on retries, defaults and a bound on how many run at once.
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/hub/hub.h"
#include "server/application.h"
#include "server/main.h"

namespace {

// "STEPS MILLISECONDS": takes so many steps of that length, and leaves the number of those done.
// Its output: the attempt, and the step at which that began.
absl::StatusOr<grove::Output> Steps(grove::TaskContext& context) {
  const std::vector<std::string> words = absl::StrSplit(std::string(context.input()), ' ');
  int steps = 0;
  int64_t step_ms = 0;
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &steps) ||
      !absl::SimpleAtoi(words[1], &step_ms)) {
    return grove::NeverAgain("not STEPS MILLISECONDS");
  }
  int done = 0;
  if (!absl::SimpleAtoi(std::string(context.checkpoint()), &done)) done = 0;
  const int from = done;
  while (done < steps) {
    if (absl::Status slept = grove::Sleep(absl::Milliseconds(step_ms)); !slept.ok()) return slept;
    if (absl::Status kept = context.Checkpoint(absl::StrCat(++done)); !kept.ok()) return kept;
  }
  return grove::Output{absl::StrCat(context.attempt(), " ", from), "text/plain"};
}

// The first attempt falls silent after a while, the second succeeds.
absl::StatusOr<grove::Output> Silent(grove::TaskContext& context) {
  for (int beat = 0; beat < 5; ++beat) {
    context.Heartbeat();
    if (absl::Status slept = grove::Sleep(absl::Milliseconds(100)); !slept.ok()) return slept;
  }
  if (context.attempt() > 1) return grove::Output{"spoke"};
  if (absl::Status slept = grove::Sleep(absl::InfiniteDuration()); !slept.ok()) return slept;
  return grove::Output{};
}

absl::StatusOr<grove::Output> Later(grove::TaskContext& context) {
  if (context.attempt() == 1) return grove::RetryAfter(absl::Milliseconds(700), "not yet");
  return grove::Output{"later"};
}

absl::StatusOr<grove::Output> Never(grove::TaskContext&) {
  return grove::NeverAgain("not at all");
}

absl::StatusOr<grove::Output> Third(grove::TaskContext& context) {
  if (context.attempt() < 3) return absl::InternalError("not yet");
  return grove::Output{"third"};
}

absl::StatusOr<grove::Output> Alone(grove::TaskContext&) {
  if (absl::Status slept = grove::Sleep(absl::Milliseconds(50)); !slept.ok()) return slept;
  return grove::Output{};
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("promising");
  application.AddFunction("steps", Steps, {.retry = {.max_attempts = 9}});
  application.AddFunction("silent", Silent);
  application.AddFunction("later", Later);
  application.AddFunction("never", Never);
  application.AddFunction(
      "third", Third,
      {.not_retried = {absl::StatusCode::kNotFound},
       .retry = {.max_attempts = 3, .initial_backoff = absl::Milliseconds(50), .jitter = 0},
       .queue = "mail",
       .heartbeat_timeout = absl::Seconds(20)});
  application.AddFunction("alone", Alone, {.concurrency_max = 1});
  return grove::Main(argc, argv, application);
}

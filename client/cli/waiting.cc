#include "client/cli/waiting.h"

#include <utility>

#include "absl/time/clock.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

// How often a terminal shows how far a task is.
constexpr absl::Duration kLookInterval = absl::Milliseconds(500);

}  // namespace

Waiting::Waiting(Command& command) : command_(command), progress_(command.shell) {}

WaitOptions Waiting::Options(v1::TaskView view) {
  WaitOptions options;
  options.timeout = command_.wait_timeout;
  options.view = view;
  options.stop = &interrupt_.stop();
  options.on_outage = [this](const absl::Status&) { OnOutage(); };
  options.on_back = [this] {
    progress_.Notice(StrCat("grovectl: ", command_.address, " is back"));
  };
  if (!progress_.shown()) return options;
  options.look_interval = kLookInterval;
  options.on_look = [this](const v1::Task& task) { OnLook(task); };
  options.on_count = [this](size_t ended, size_t total) {
    if (total > 1) progress_.Show(StrCat("ended: ", ended, " of ", total));
  };
  return options;
}

void Waiting::OnLook(const v1::Task& task) {
  const std::string note = TaskNote(task, {absl::Now()});
  progress_.Show(StrCat(ShortTaskName(task.name()), " ", StateName(task.state()),
                        note.empty() ? "" : ": ", note));
}

void Waiting::OnOutage() {
  progress_.Notice(StrCat("grovectl: ", command_.address,
                          " fell silent; the tasks go on, and so does the wait once it is back"));
}

absl::Status Waiting::Explain(const absl::Status& status, const std::vector<std::string>& names) {
  if (!interrupt_.stop().is_set()) return status;
  if (names.size() != 1) return Interrupted(names.size());
  const std::string self = SelfText(command_);
  return InterruptedError(StrCat("interrupted; the task goes on: \"", self, " wait ", names[0],
                                 "\" waits on, \"", self, " cancel ", names[0], "\" ends it"));
}

absl::Status Waiting::Interrupted(size_t tasks) const {
  if (tasks == 0) return InterruptedError("interrupted before there was a task");
  const std::string self = SelfText(command_);
  return InterruptedError(StrCat("interrupted; ", tasks, " tasks go on: \"", self,
                                 " tasks --state=SCHEDULED,QUEUED,RUNNING\" lists them, \"", self,
                                 " cancel TASK...\" ends them"));
}

}  // namespace grove::client::cli

#include "server/tasks/task_watch.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/list_token.h"
#include "server/tasks/paging.h"
#include "server/tasks/payloads.h"
#include "server/tasks/refusal.h"
#include "server/tasks/views.h"

namespace grove::tasks {
namespace {

using Step = TaskWatch::Step;

std::string ListOf(v1::WatchTasksRequest request) {
  request.clear_resume_token();
  request.clear_with_existing();
  request.set_view(OrDefault(request.view(), v1::TASK_VIEW_BASIC));
  if (request.parent().empty()) request.set_parent("tenants/default");
  std::string list = "watch ";
  google::protobuf::io::StringOutputStream stream(&list);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);  // Labels come in any order.
  request.SerializeToCodedStream(&coded);
  coded.Trim();
  return list;
}

// What a token has: which control process, which of its logs, and where in it.
struct Place {
  uint64_t epoch = 0;
  uint64_t serial = 0;
  uint64_t position = 0;
};

std::optional<Place> Parse(std::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(Abseil(text), '.');
  Place place;
  if (parts.size() != 3 || !SimpleAtoi(parts[0], &place.epoch) ||
      !SimpleAtoi(parts[1], &place.serial) || !SimpleAtoi(parts[2], &place.position)) {
    return std::nullopt;
  }
  return place;
}

TaskId NewestOf(const EngineState& state, size_t tenant) {
  TaskId newest;
  for (size_t i = 0; i < state.tenants.size(); ++i) {
    const auto& tasks = state.tenants[i].tasks;
    const bool asked = tenant == ChangeLogs::kAllTenants || tenant == i;
    if (asked && !tasks.empty()) newest = std::max(newest, tasks.rbegin()->first);
  }
  if (!state.evicted.empty()) newest = std::max(newest, state.evicted.rbegin()->first);
  return newest;
}

}  // namespace

TaskWatch::TaskWatch(EngineState& state, const v1::WatchTasksRequest& request, TaskQuery query,
                     Audience audience)
    : state_(state),
      query_(std::move(query)),
      view_(OrDefault(request.view(), v1::TASK_VIEW_BASIC)),
      with_existing_(request.with_existing()),
      audience_(audience),
      list_(ListOf(request)) {
  const ChangeLog& log = state_.changes.Join(query_.tenant, state_.now_us);
  serial_ = log.serial();
  position_ = log.end();
}

TaskWatch::~TaskWatch() {
  state_.changes.Leave(query_.tenant, serial_, state_.now_us);
}

absl::StatusOr<std::unique_ptr<TaskWatch>> TaskWatch::Begin(EngineState& state,
                                                            const v1::WatchTasksRequest& request,
                                                            Audience audience,
                                                            EngineMicros now_us) {
  state.Advance(now_us);
  auto query = ParseQuery(state, request.parent(), request.filter());
  if (!query.ok()) return query.status();
  std::unique_ptr<TaskWatch> watch(new TaskWatch(state, request, *std::move(query), audience));
  if (absl::Status resumed = watch->Resume(request.resume_token()); !resumed.ok()) return resumed;
  return watch;
}

absl::Status TaskWatch::Resume(const std::string& token) {
  if (token.empty()) return absl::OkStatus();
  const auto text = DecodeListToken(list_, token);
  const auto place = text ? Parse(*text) : std::nullopt;
  if (!place) {
    return BadField("resume_token", "RESUME_TOKEN_INVALID",
                    "is not one of a watch with the same parent, filter and view; leave it empty "
                    "to begin anew");
  }
  const ChangeLog& log = *state_.changes.Find(query_.tenant, serial_);
  if (place->epoch != state_.epoch) {
    gap_ = Gap::CAUSE_CONTROL_RESTARTED;
  } else if (place->serial != serial_ || log.HasForgotten(place->position)) {
    gap_ = Gap::CAUSE_TOKEN_TOO_OLD;
  } else {
    position_ = std::min(place->position, log.end());
    phase_ = Phase::kChanges;
    // Tells at once that it has begun.
    told_position_ = UINT64_MAX;
  }
  return absl::OkStatus();
}

std::string TaskWatch::Token() const {
  return EncodeListToken(list_, StrCat(state_.epoch, ".", serial_, ".", position_));
}

bool TaskWatch::HasNews() const {
  if (phase_ != Phase::kChanges || told_position_ == UINT64_MAX) return true;
  const ChangeLog* log = state_.changes.Find(query_.tenant, serial_);
  return log == nullptr || log->end() > position_;
}

Step TaskWatch::Next(EngineMicros now_us, v1::WatchTasksResponse& message) {
  state_.Advance(now_us);
  message.Clear();
  bytes_ = 0;
  wanted_ = {};
  const Step step = NextStep(message);
  was_found_ = false;
  if (step != Step::kRecall) recalled_.clear();
  return step;
}

void TaskWatch::Recalled(const std::optional<EndedPosition>& horizon) {
  if (wanted_.query) PassRecalled(horizon, cursor_);
  was_found_ = wanted_.query.has_value();
  recalled_.insert(wanted_.tasks.begin(), wanted_.tasks.end());
}

Step TaskWatch::NextStep(v1::WatchTasksResponse& message) {
  const ChangeLog* log = state_.changes.Find(query_.tenant, serial_);
  if (log == nullptr) {
    status_ = Refusal(absl::StatusCode::kNotFound, "TENANT_NOT_FOUND",
                      "the tenant that is watched was deleted");
    return Step::kEnded;
  }
  if (phase_ != Phase::kBegun && log->HasForgotten(position_)) gap_ = Gap::CAUSE_READER_TOO_SLOW;
  if (phase_ == Phase::kBegun || gap_ != Gap::CAUSE_UNSPECIFIED) return TellGap(*log, message);
  return phase_ == Phase::kExisting ? TellExisting(message) : TellChanges(*log, message);
}

// Also where there is none: at the very beginning.
Step TaskWatch::TellGap(const ChangeLog& log, v1::WatchTasksResponse& message) {
  if (gap_ != Gap::CAUSE_UNSPECIFIED) message.add_events()->mutable_gap()->set_cause(gap_);
  gap_ = Gap::CAUSE_UNSPECIFIED;
  position_ = log.end();
  if (with_existing_) {
    phase_ = Phase::kExisting;
    cursor_ = {};
    found_.clear();
    next_found_ = 0;
    found_all_ = false;
    newest_ = NewestOf(state_, query_.tenant);
    return message.events().empty() ? TellExisting(message) : Step::kMessage;
  }
  phase_ = Phase::kChanges;
  message.set_resume_token(Token());
  told_position_ = position_;
  return Step::kMessage;
}

bool TaskWatch::HasRoom(const v1::WatchTasksResponse& message) const {
  return message.events_size() < kWatchEventsMax && bytes_ < kAnswerBytesMax;
}

v1::Task TaskWatch::View(const Task& task) {
  v1::Task shown = ViewTask(state_, task, view_, audience_);
  bytes_ += AnswerBytes(shown, view_);
  return shown;
}

bool TaskWatch::Lacks(TaskId id) const {
  const EvictedTask* evicted = FindEvicted(state_, id);
  return evicted != nullptr && !recalled_.contains(id) && query_.filter.HasState(evicted->state) &&
         (query_.queue == SIZE_MAX || query_.queue == evicted->queue);
}

bool TaskWatch::LacksExisting() {
  const size_t end = std::min<size_t>(found_.size(), next_found_ + kWatchEventsMax);
  for (size_t i = next_found_; i < end; ++i) {
    if (Lacks(found_[i])) wanted_.tasks.push_back(found_[i]);
  }
  return !wanted_.tasks.empty();
}

bool TaskWatch::LacksChanged(const ChangeLog& log) {
  uint64_t position = position_;
  for (int i = 0; i < kWatchEventsMax; ++i) {
    const auto change = log.After(position);
    if (!change) break;
    position = change->first;
    if (Lacks(change->second.task)) wanted_.tasks.push_back(change->second.task);
  }
  return !wanted_.tasks.empty();
}

Step TaskWatch::TellExisting(v1::WatchTasksResponse& message) {
  if (next_found_ == found_.size() && !found_all_) {
    // What was recalled before may have been evicted again.
    if (!was_found_) cursor_.horizon = std::min(cursor_.horizon, cursor_.last);
    wanted_.query = EndedFor(state_, query_, cursor_);
    if (wanted_.query) return Step::kRecall;
    found_.clear();
    next_found_ = 0;
    found_all_ = !FindSome(state_, query_, cursor_, [this](const Task& task) {
      if (task.id <= newest_) found_.push_back(task.id);
    });
  }
  if (LacksExisting()) return Step::kRecall;
  while (next_found_ < found_.size() && HasRoom(message)) {
    const Task* task = state_.FindTask(found_[next_found_++]);
    if (task == nullptr || !query_.Matches(state_, *task)) continue;
    *message.add_events()->mutable_existing() = View(*task);
  }
  if (found_all_ && next_found_ == found_.size()) {
    message.add_events()->mutable_synced();
    message.set_resume_token(Token());
    told_position_ = position_;
    phase_ = Phase::kChanges;
  }
  return message.events().empty() ? Step::kMore : Step::kMessage;
}

void TaskWatch::TellChange(const ChangeLog::Change& change, v1::WatchTasksResponse& message) {
  if (query_.queue != SIZE_MAX && query_.queue != change.queue) return;
  const Task* task = state_.FindTask(change.task);
  if (task != nullptr) {
    if (query_.Matches(state_, *task)) *message.add_events()->mutable_changed() = View(*task);
    return;
  }
  if (FindEvicted(state_, change.task) != nullptr) return;
  const std::string queue = state_.directory->queues()[change.queue].resource_name();
  message.add_events()->set_forgotten(StrCat(queue, "/tasks/", change.task.ToString()));
}

Step TaskWatch::TellChanges(const ChangeLog& log, v1::WatchTasksResponse& message) {
  if (LacksChanged(log)) return Step::kRecall;
  for (int looks = 0; looks < kWatchEventsMax && HasRoom(message); looks += query_.filter.cost()) {
    const auto change = log.After(position_);
    if (!change) break;
    position_ = change->first;
    TellChange(change->second, message);
  }
  const bool begins = told_position_ == UINT64_MAX;
  if (begins || !message.events().empty() || position_ - told_position_ >= kTokenStrideMax) {
    message.set_resume_token(Token());
    told_position_ = position_;
    return Step::kMessage;
  }
  return position_ < log.end() ? Step::kMore : Step::kNothing;
}

absl::StatusOr<std::unique_ptr<TaskWatch>> TaskEngine::Watch(const v1::WatchTasksRequest& request,
                                                             Audience audience,
                                                             EngineMicros now_us) const {
  return TaskWatch::Begin(*state_, request, audience, now_us);
}

}  // namespace grove::tasks

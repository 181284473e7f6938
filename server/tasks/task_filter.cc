#include "server/tasks/task_filter.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"
#include "google/rpc/error_details.pb.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

constexpr std::string_view kWorkerPrefix = "workers/";
constexpr int64_t kTimeMinS = -62135596800;
constexpr int64_t kTimeMaxS = 253402300799;

absl::Status Invalid(std::string_view field, std::string_view problem) {
  return BadField(StrCat("filter.", field), "FILTER_INVALID", problem);
}

absl::StatusOr<int32_t> WorkerOf(const std::string& name) {
  std::string_view number = name;
  int32_t worker = -1;
  if (ConsumePrefix(&number, kWorkerPrefix) && SimpleAtoi(number, &worker) && worker >= 0) {
    return worker;
  }
  return Invalid("worker", StrCat("is \"", Cut(name), "\"; a worker's name is \"workers/0\""));
}

// The error that tells how the task fares.
const google::rpc::Status* ErrorOf(const Task& task) {
  if (task.told_state() != task.state) return nullptr;
  if (task.ended()) return task.past().error.get();
  const std::vector<AttemptRecord>& attempts = task.past().attempts;
  return attempts.empty() ? nullptr : attempts.back().error.get();
}

std::string ReasonOf(const google::rpc::Status& error) {
  for (const google::protobuf::Any& detail : error.details()) {
    google::rpc::ErrorInfo info;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info)) return info.reason();
  }
  return "";
}

// `wanted` is in lower case.
bool Contains(std::string_view text, std::string_view wanted) {
  const auto same = [](char a, char b) {
    return absl::ascii_tolower(static_cast<unsigned char>(a)) == b;
  };
  return std::search(text.begin(), text.end(), wanted.begin(), wanted.end(), same) != text.end();
}

// What google.protobuf.Timestamp allows: beyond it the microseconds would not be a number.
absl::Status CheckTime(std::string_view field, const google::protobuf::Timestamp& time) {
  if (time.seconds() >= kTimeMinS && time.seconds() <= kTimeMaxS && time.nanos() >= 0 &&
      time.nanos() < 1000000000) {
    return absl::OkStatus();
  }
  return Invalid(field, "is no time between the years 1 and 9999");
}

absl::Status CheckTimes(const v1::TaskFilter& filter) {
  absl::Status status = CheckTime("created_from", filter.created_from());
  if (status.ok()) status = CheckTime("created_before", filter.created_before());
  if (status.ok()) status = CheckTime("ended_from", filter.ended_from());
  if (status.ok()) status = CheckTime("ended_before", filter.ended_before());
  return status;
}

absl::Status CheckFilter(const v1::TaskFilter& filter) {
  for (const int state : filter.states()) {
    if (state == v1::TASK_STATE_UNSPECIFIED || !v1::TaskState_IsValid(state)) {
      return Invalid("states", StrCat("has the unknown value ", state));
    }
  }
  if (filter.text().size() > kFilterTextMax) {
    return Invalid("text", StrCat("is ", filter.text().size(), " bytes; at most ", kFilterTextMax,
                                  " are allowed"));
  }
  if (filter.names_size() > kFilterNamesMax) {
    return Invalid("names", StrCat("has ", filter.names_size(), " entries; at most ",
                                   kFilterNamesMax, " are allowed"));
  }
  return CheckTimes(filter);
}

}  // namespace

absl::StatusOr<TaskFilter> TaskFilter::Create(const v1::TaskFilter& asked) {
  if (absl::Status status = CheckFilter(asked); !status.ok()) return status;
  TaskFilter filter;
  for (const int state : asked.states()) filter.states_ |= 1u << state;
  filter.function_ = asked.function();
  filter.labels_.assign(asked.labels().begin(), asked.labels().end());
  if (asked.has_created_from()) filter.created_.from = proto::ToMicros(asked.created_from());
  if (asked.has_created_before()) filter.created_.before = proto::ToMicros(asked.created_before());
  if (asked.has_ended_from() || asked.has_ended_before()) filter.ended_ = Range();
  if (asked.has_ended_from()) filter.ended_->from = proto::ToMicros(asked.ended_from());
  if (asked.has_ended_before()) filter.ended_->before = proto::ToMicros(asked.ended_before());
  filter.error_code_ = asked.error_code();
  filter.error_reason_ = asked.error_reason();
  if (!asked.worker().empty()) {
    const auto worker = WorkerOf(asked.worker());
    if (!worker.ok()) return worker.status();
    filter.worker_ = *worker;
  }
  filter.parent_task_ = asked.parent_task();
  filter.sequence_key_ = asked.sequence_key();
  filter.text_ = absl::AsciiStrToLower(asked.text());
  if (asked.names().empty()) return filter;
  std::vector<std::pair<TaskId, std::string>> named;
  for (const std::string& name : asked.names()) {
    const auto parsed = tenancy::ParseTaskName(name);
    if (!parsed.ok()) return Invalid("names", Std(parsed.status().message()));
    if (const auto id = TaskId::Parse(parsed->task)) named.emplace_back(*id, name);
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  filter.ids_.emplace();
  for (auto& [id, name] : named) {
    filter.ids_->push_back(id);
    filter.names_.push_back(std::move(name));
  }
  return filter;
}

void TaskFilter::OnlyDescendantsOf(std::string_view name) {
  family_ = std::make_shared<absl::flat_hash_set<std::string>>();
  family_->emplace(name);
}

// Parents come before their children.
bool TaskFilter::MatchesFamily(const EngineState& state, const Task& task) const {
  if (family_ == nullptr) return true;
  if (task.parent == nullptr || !family_->contains(*task.parent)) return false;
  family_->insert(state.NameOf(task));
  return true;
}

bool TaskFilter::HasState(v1::TaskState state) const {
  return states_ == 0 || (states_ >> state & 1) != 0;
}

bool TaskFilter::NarrowEnded(EndedQuery& ended) const {
  constexpr uint32_t kEnds = 1u << v1::TASK_STATE_SUCCEEDED | 1u << v1::TASK_STATE_FAILED |
                             1u << v1::TASK_STATE_CANCELLED | 1u << v1::TASK_STATE_TIMED_OUT;
  if (states_ != 0 && (states_ & kEnds) == 0) return false;
  ended.states = states_ & kEnds;
  ended.function = function_;
  if (ended_) {
    ended.ended_from_us = ended_->from;
    ended.ended_before_us = ended_->before;
  }
  return true;
}

bool TaskFilter::IsIndexed() const {
  return labels_.empty() && created_.from == INT64_MIN && created_.before == INT64_MAX &&
         error_code_ == 0 && error_reason_.empty() && !worker_ && parent_task_.empty() &&
         sequence_key_.empty() && family_ == nullptr && text_.empty() && !ids_;
}

bool TaskFilter::IsCounted() const {
  return IsIndexed() && !ended_;
}

bool TaskFilter::MatchesPlace(const EngineState& state, const Task& task) const {
  const std::vector<AttemptRecord>& attempts = task.past().attempts;
  if (worker_ && (attempts.empty() || attempts.back().worker != *worker_)) return false;
  if (!parent_task_.empty() && (task.parent == nullptr || *task.parent != parent_task_)) {
    return false;
  }
  const SpecRelations* relations = task.spec.extras().relations.get();
  if (!sequence_key_.empty() && (relations == nullptr || relations->sequence != sequence_key_)) {
    return false;
  }
  if (!ids_) return true;
  // An id may stand in several names, of which one is the task's.
  const auto [first, last] = std::equal_range(ids_->begin(), ids_->end(), task.id);
  if (first == last) return false;
  const std::string name = state.NameOf(task);
  return std::any_of(names_.begin() + (first - ids_->begin()),
                     names_.begin() + (last - ids_->begin()),
                     [&name](const std::string& each) { return each == name; });
}

bool TaskFilter::MatchesError(const Task& task) const {
  if (error_code_ == 0 && error_reason_.empty()) return true;
  const google::rpc::Status* error = ErrorOf(task);
  if (error == nullptr) return false;
  if (error_code_ != 0 && error->code() != error_code_) return false;
  return error_reason_.empty() || ReasonOf(*error) == error_reason_;
}

bool TaskFilter::MatchesText(const EngineState& state, const Task& task) const {
  if (text_.empty()) return true;
  const google::rpc::Status* error = ErrorOf(task);
  const SpecExtras& extras = task.spec.extras();
  return Contains(state.NameOf(task), text_) || Contains(extras.request_id, text_) ||
         (error != nullptr && Contains(error->message(), text_)) ||
         std::any_of(extras.labels.begin(), extras.labels.end(),
                     [&](const auto& label) { return Contains(label.second, text_); });
}

bool TaskFilter::Matches(const EngineState& state, const Task& task) const {
  if (!MatchesFamily(state, task)) return false;
  if (!HasState(task.told_state())) return false;
  if (!function_.empty() && state.FunctionOf(task) != function_) return false;
  if (!created_.Has(task.create_time_us)) return false;
  if (ended_ && !(task.settled && ended_->Has(task.past().end_time_us))) return false;
  const auto& has = task.spec.extras().labels;
  const bool has_labels = std::all_of(labels_.begin(), labels_.end(), [&has](const auto& label) {
    return std::find(has.begin(), has.end(), label) != has.end();
  });
  return has_labels && MatchesPlace(state, task) && MatchesError(task) && MatchesText(state, task);
}

}  // namespace grove::tasks

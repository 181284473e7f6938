#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/list_token.h"
#include "server/tasks/payloads.h"
#include "server/tasks/refusal.h"
#include "server/tasks/views.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

constexpr int32_t kPageSizeDefault = 100;
constexpr int32_t kPageSizeMax = 1000;
// Tasks one call looks at: some milliseconds of the hub's time.
constexpr int kListScanMax = 20000;

absl::StatusOr<int32_t> PageSize(int32_t asked) {
  if (asked < 0) {
    return BadField("page_size", "PAGE_SIZE_NEGATIVE", StrCat("is ", asked));
  }
  return asked == 0 ? kPageSizeDefault : std::min(asked, kPageSizeMax);
}

absl::Status BadToken() {
  return BadField("page_token", "PAGE_TOKEN_INVALID",
                  "is not one that a list of the same parent, filter and view returned; leave it "
                  "empty for the first page");
}

absl::Status NotInConfig(std::string_view kind, std::string_view name) {
  return Refusal(absl::StatusCode::kNotFound, StrCat(kind, "_NOT_FOUND"),
                 StrCat(name, " is not in the config"), {{"name", std::string(name)}});
}

// Which queues a task list covers.
struct TaskScope {
  size_t tenant = 0;
  size_t queue = SIZE_MAX;
};

absl::StatusOr<TaskScope> ParseScope(const tenancy::Directory& directory,
                                     const std::string& parent) {
  const std::string name =
      parent.empty() ? tenancy::FormatTenantName(tenancy::kDefaultName) : parent;
  if (const auto queue = tenancy::ParseQueueName(name); queue.ok()) {
    const auto index = directory.FindQueue(queue->tenant, queue->queue);
    if (!index) return NotInConfig("QUEUE", name);
    return TaskScope{directory.queues()[*index].tenant, *index};
  }
  const auto tenant = tenancy::ParseTenantName(name);
  if (!tenant.ok()) {
    return BadField("parent", "NAME_INVALID",
                    StrCat(tenant.status().message(), ", nor of a queue's"));
  }
  const auto index = directory.FindTenant(*tenant);
  if (!index) return NotInConfig("TENANT", name);
  return TaskScope{*index};
}

bool Matches(const EngineState& state, const Task& task, const TaskScope& scope,
             const v1::ListTasksRequest& request) {
  if (scope.queue != SIZE_MAX && task.queue != scope.queue) return false;
  if (state.directory->queues()[task.queue].tenant != scope.tenant) return false;
  if (!request.function().empty() && task.spec.function != request.function()) return false;
  if (request.states().empty()) return true;
  return std::find(request.states().begin(), request.states().end(), task.state) !=
         request.states().end();
}

// All that selects the entries of a list of tasks.
std::string ListOf(const v1::ListTasksRequest& request) {
  std::vector<int> states(request.states().begin(), request.states().end());
  std::sort(states.begin(), states.end());
  return StrCat("tasks ", request.parent(), " ", request.function(), " ",
                absl::StrJoin(states, ","), " ",
                static_cast<int>(OrDefault(request.view(), v1::TASK_VIEW_BASIC)));
}

// Settings of a tenant's queues or pools: the page after `token` among those of `parent`.
template <typename Entries, typename View>
absl::StatusOr<std::string> ListEntries(const tenancy::Directory& directory, const Entries& entries,
                                        std::string_view kind, const std::string& parent,
                                        int32_t asked_size, const std::string& token, View view) {
  const std::string list = StrCat(kind, " ", parent);
  const auto page_size = PageSize(asked_size);
  if (!page_size.ok()) return page_size.status();
  size_t tenant = SIZE_MAX;
  if (!parent.empty() && parent != "tenants/-") {
    const auto name = tenancy::ParseTenantName(parent);
    if (!name.ok()) return BadField("parent", "NAME_INVALID", Std(name.status().message()));
    const auto index = directory.FindTenant(*name);
    if (!index) return NotInConfig("TENANT", parent);
    tenant = *index;
  }
  auto it = entries.begin();
  if (!token.empty()) {
    const auto after = DecodeListToken(list, token);
    if (!after) return BadToken();
    it = std::find_if(it, entries.end(), [&](const auto& e) { return e.resource_name == *after; });
    if (it == entries.end()) return BadToken();
    ++it;
  }
  std::string last;
  int32_t count = 0;
  for (; it != entries.end(); ++it) {
    if (tenant != SIZE_MAX && it->tenant != tenant) continue;
    if (count++ == *page_size) return EncodeListToken(list, last);
    last = it->resource_name;
    view(static_cast<size_t>(it - entries.begin()));
  }
  return std::string();
}

}  // namespace

absl::StatusOr<v1::Task> TaskEngine::Get(TaskId id, v1::TaskView view, EngineMicros now_us) const {
  state_->Advance(now_us);
  const Task* task = state_->FindTask(id);
  if (task != nullptr) return ViewTask(*state_, *task, view);
  return Refusal(absl::StatusCode::kNotFound, "TASK_NOT_FOUND",
                 StrCat("no task ", id.ToString(), ": it never existed, or its retention is over"));
}

absl::StatusOr<v1::ListTasksResponse> TaskEngine::ListTasks(const v1::ListTasksRequest& request,
                                                            EngineMicros now_us) const {
  state_->Advance(now_us);
  const auto page_size = PageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  const auto scope = ParseScope(*state_->directory, request.parent());
  if (!scope.ok()) return scope.status();
  const v1::TaskView view = OrDefault(request.view(), v1::TASK_VIEW_BASIC);
  const std::string list = ListOf(request);
  // Ids below the token's, from the greatest down: newest first, stable while tasks come and go.
  auto it = state_->by_id.end();
  if (!request.page_token().empty()) {
    const auto last = DecodeListToken(list, request.page_token());
    const auto after = last ? TaskId::Parse(*last) : std::nullopt;
    if (!after) return BadToken();
    it = state_->by_id.lower_bound(*after);
  }
  v1::ListTasksResponse response;
  int64_t bytes = 0;
  for (int seen = 0; it != state_->by_id.begin(); ++seen) {
    bool is_full = response.tasks_size() == *page_size || seen == kListScanMax;
    const Task& task = *std::prev(it)->second;
    if (!is_full && Matches(*state_, task, *scope, request)) {
      v1::Task shown = ViewTask(*state_, task, view);
      bytes += AnswerBytes(shown, view);
      is_full = response.tasks_size() > 0 && bytes > kAnswerBytesMax;
      if (!is_full) *response.add_tasks() = std::move(shown);
    }
    if (is_full) {
      response.set_next_page_token(EncodeListToken(list, it->first.ToString()));
      return response;
    }
    --it;
  }
  return response;
}

absl::StatusOr<v1::Queue> TaskEngine::GetQueue(std::string_view name, EngineMicros now_us) const {
  state_->Advance(now_us);
  const auto parsed = tenancy::ParseQueueName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto index = state_->directory->FindQueue(parsed->tenant, parsed->queue);
  if (!index) return NotInConfig("QUEUE", name);
  return ViewQueue(*state_, *index);
}

absl::StatusOr<v1::ListQueuesResponse> TaskEngine::ListQueues(const v1::ListQueuesRequest& request,
                                                              EngineMicros now_us) const {
  state_->Advance(now_us);
  v1::ListQueuesResponse response;
  auto token =
      ListEntries(*state_->directory, state_->directory->queues(), "queues", request.parent(),
                  request.page_size(), request.page_token(),
                  [&](size_t index) { *response.add_queues() = ViewQueue(*state_, index); });
  if (!token.ok()) return token.status();
  response.set_next_page_token(*std::move(token));
  return response;
}

absl::StatusOr<v1::Pool> TaskEngine::GetPool(std::string_view name) const {
  const auto parsed = tenancy::ParsePoolName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto index = state_->directory->FindPool(parsed->tenant, parsed->pool);
  if (!index) return NotInConfig("POOL", name);
  return ViewPool(*state_, *index);
}

absl::StatusOr<v1::ListPoolsResponse> TaskEngine::ListPools(
    const v1::ListPoolsRequest& request) const {
  v1::ListPoolsResponse response;
  auto token = ListEntries(*state_->directory, state_->directory->pools(), "pools",
                           request.parent(), request.page_size(), request.page_token(),
                           [&](size_t index) { *response.add_pools() = ViewPool(*state_, index); });
  if (!token.ok()) return token.status();
  response.set_next_page_token(*std::move(token));
  return response;
}

absl::StatusOr<v1::ListFunctionsResponse> TaskEngine::ListFunctions(
    const v1::ListFunctionsRequest& request) const {
  const auto page_size = PageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  std::optional<std::string> after = "";
  if (!request.page_token().empty()) after = DecodeListToken("functions", request.page_token());
  if (!after) return BadToken();
  std::vector<const internal::v1::FunctionDescription*> known;
  for (const FunctionState& function : state_->functions) {
    if (!function.known || function.description.name() <= *after) continue;
    known.push_back(&function.description);
  }
  std::sort(known.begin(), known.end(),
            [](const auto* a, const auto* b) { return a->name() < b->name(); });
  v1::ListFunctionsResponse response;
  for (const auto* description : known) {
    if (response.functions_size() == *page_size) {
      const v1::Function& last = response.functions(*page_size - 1);
      const std::string name = last.name().substr(sizeof("functions/") - 1);
      response.set_next_page_token(EncodeListToken("functions", name));
      break;
    }
    v1::Function& function = *response.add_functions();
    function.set_name(StrCat("functions/", description->name()));
    function.set_description(description->description());
    function.set_input_example(description->input_example());
    const int64_t timeout_ms = description->default_timeout_ms() > 0
                                   ? description->default_timeout_ms()
                                   : state_->limits.default_timeout_ms();
    function.mutable_default_timeout()->set_seconds(timeout_ms / 1000);
    function.mutable_default_timeout()->set_nanos(static_cast<int32_t>(timeout_ms % 1000) *
                                                  1000000);
  }
  return response;
}

std::string_view TaskEngine::FunctionName(size_t function) const {
  return state_->functions[function].description.name();
}

std::string_view TaskEngine::QueueName(size_t queue) const {
  return state_->directory->queues()[queue].name;
}

std::string_view TaskEngine::TenantOf(size_t queue) const {
  const tenancy::Directory& directory = *state_->directory;
  return directory.tenants()[directory.queues()[queue].tenant].name;
}

TaskCounters TaskEngine::Counters(EngineMicros now_us) const {
  state_->Advance(now_us);
  return ViewCounters(*state_);
}

}  // namespace grove::tasks

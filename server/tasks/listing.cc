#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/function_defaults.h"
#include "server/tasks/gateway_functions.h"
#include "server/tasks/list_token.h"
#include "server/tasks/paging.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_spec.h"
#include "server/tasks/views.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

// Settings of a tenant's queues or pools: the page after `token` among those of `parent`.
// `find` gives the index of the one of that name.
template <typename Entries, typename Find, typename View>
absl::StatusOr<std::string> ListEntries(const tenancy::Directory& directory, const Entries& entries,
                                        std::string_view kind, const std::string& parent,
                                        int32_t asked_size, const std::string& token, Find find,
                                        View view) {
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
    if (!after) return BadPageToken();
    const std::optional<size_t> last = find(*after);
    if (!last) return BadPageToken();
    it += static_cast<std::ptrdiff_t>(*last) + 1;
  }
  std::string last;
  int32_t count = 0;
  for (; it != entries.end(); ++it) {
    if (it->is_retired() || (tenant != SIZE_MAX && it->tenant != tenant)) continue;
    if (count++ == *page_size) return EncodeListToken(list, last);
    last = it->resource_name();
    view(static_cast<size_t>(it - entries.begin()));
  }
  return std::string();
}

// What tasks get whose specs do not say.
void FillDefaultsOf(const internal::v1::FunctionDescription& described, v1::Function& function) {
  v1::TaskSpec spec;
  FillDefaults(described, spec);
  v1::TaskSpec filled;
  filled.set_queue(ShortQueueName(spec));
  FillSpec(NormaliseSpec(std::move(spec)), filled);
  *function.mutable_retry_policy() = std::move(*filled.mutable_retry_policy());
  for (const int32_t code : described.not_retried()) {
    function.mutable_retry_policy()->add_not_retried_codes(code);
  }
  function.set_queue(filled.queue());
  function.set_concurrency_max(described.concurrency_max());
  function.set_slot_cost(filled.slot_cost());
  function.set_streams_input(described.streams_input());
  if (filled.has_schedule_to_start_timeout()) {
    *function.mutable_schedule_to_start_timeout() = filled.schedule_to_start_timeout();
  }
  if (filled.has_heartbeat_timeout()) {
    *function.mutable_heartbeat_timeout() = filled.heartbeat_timeout();
  }
}

}  // namespace

absl::StatusOr<v1::Queue> TaskEngine::GetQueue(std::string_view name, EngineMicros now_us,
                                               Audience audience) const {
  state_->Advance(now_us);
  const auto parsed = tenancy::ParseQueueName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto index = state_->directory->FindQueue(parsed->tenant, parsed->queue);
  if (!index) return NotInConfig("QUEUE", name);
  return ViewQueue(*state_, *index, audience);
}

absl::StatusOr<v1::ListQueuesResponse> TaskEngine::ListQueues(const v1::ListQueuesRequest& request,
                                                              EngineMicros now_us,
                                                              Audience audience) const {
  state_->Advance(now_us);
  v1::ListQueuesResponse response;
  const tenancy::Directory& directory = *state_->directory;
  auto token = ListEntries(
      directory, directory.queues(), "queues", request.parent(), request.page_size(),
      request.page_token(),
      [&](const std::string& name) {
        const auto parsed = tenancy::ParseQueueName(name);
        return parsed.ok() ? directory.FindQueue(parsed->tenant, parsed->queue) : std::nullopt;
      },
      [&](size_t index) { *response.add_queues() = ViewQueue(*state_, index, audience); });
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
  const tenancy::Directory& directory = *state_->directory;
  auto token = ListEntries(
      directory, directory.pools(), "pools", request.parent(), request.page_size(),
      request.page_token(),
      [&](const std::string& name) {
        const auto parsed = tenancy::ParsePoolName(name);
        return parsed.ok() ? directory.FindPool(parsed->tenant, parsed->pool) : std::nullopt;
      },
      [&](size_t index) { *response.add_pools() = ViewPool(*state_, index); });
  if (!token.ok()) return token.status();
  response.set_next_page_token(*std::move(token));
  return response;
}

absl::StatusOr<v1::ListFunctionsResponse> TaskEngine::ListFunctions(
    const v1::ListFunctionsRequest& request, std::string_view tenant) const {
  const auto page_size = PageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  // A page of one tenant's is none of another's.
  const std::string list = StrCat("functions ", tenant);
  std::optional<std::string> after = "";
  if (!request.page_token().empty()) after = DecodeListToken(list, request.page_token());
  if (!after) return BadPageToken();
  std::vector<const internal::v1::FunctionDescription*> known;
  for (const FunctionState& function : state_->functions) {
    if (!function.known || function.description.name() <= *after) continue;
    if (!tenant.empty() && !MayUseFunction(function.description.name(), tenant)) continue;
    known.push_back(&function.description);
  }
  std::sort(known.begin(), known.end(),
            [](const auto* a, const auto* b) { return a->name() < b->name(); });
  v1::ListFunctionsResponse response;
  for (const auto* description : known) {
    if (response.functions_size() == *page_size) {
      const v1::Function& last = response.functions(*page_size - 1);
      const std::string name = last.name().substr(sizeof("functions/") - 1);
      response.set_next_page_token(EncodeListToken(list, name));
      break;
    }
    v1::Function& function = *response.add_functions();
    function.set_name(StrCat("functions/", description->name()));
    function.set_description(description->description());
    function.set_input_example(description->input_example());
    const int64_t timeout_ms = description->default_timeout_ms() > 0
                                   ? description->default_timeout_ms()
                                   : state_->limits.default_timeout_ms();
    proto::SetMicros(timeout_ms * kUsPerMs, function.mutable_default_timeout());
    FillDefaultsOf(*description, function);
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

// A page of tasks is made by walking one order from where the page before ended:
//
// * By creation: the ids of one tenant, up or down; of all tenants, the next among each one's next.
// * By end: the list of settled tasks of one tenant, or of all. Its order is that in which ends
//   became safe, by which the end times hardly differ; those of one instant by their ids. A page
//   goes on after the last task that was looked at, also where that has gone meanwhile. Merged with
//   that are the recalled ones.
//
// What only the store has is recalled first (RecallForList), from its index in the same order; the
// page goes no further than that.
//
// A token carries the task looked at last. That one is always of the list's own tenant.
#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/list_token.h"
#include "server/tasks/paging.h"
#include "server/tasks/payloads.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_query.h"
#include "server/tasks/views.h"

namespace grove::tasks {
namespace {

// Looks of one call: some milliseconds of the hub's time.
constexpr int kListScanMax = 20000;

using Order = EndedQuery::Order;

struct OrderName {
  std::string_view name;
  Order order;
};

constexpr std::array<OrderName, 5> kOrders = {{{"", Order::kLastCreated},
                                               {"create_time desc", Order::kLastCreated},
                                               {"create_time", Order::kFirstCreated},
                                               {"end_time desc", Order::kLastEnded},
                                               {"end_time", Order::kFirstEnded}}};

absl::StatusOr<Order> ParseOrder(const std::string& text) {
  for (const OrderName& each : kOrders) {
    if (each.name == text) return each.order;
  }
  return BadField("order_by", "ORDER_INVALID",
                  StrCat("is \"", Cut(text), "\"; create_time and end_time, each with or without ",
                         "\" desc\" behind it, are possible"));
}

// Where a page ended.
using Position = EndedPosition;

std::string Encode(const Position& position) {
  return StrCat(position.id.ToString(), ".", position.end_time_us);
}

std::optional<Position> Decode(std::string_view text) {
  const size_t dot = text.find('.');
  if (dot == text.npos) return std::nullopt;
  const auto id = TaskId::Parse(text.substr(0, dot));
  Position position;
  if (!id || !SimpleAtoi(text.substr(dot + 1), &position.end_time_us)) return std::nullopt;
  position.id = *id;
  return position;
}

// All that selects the entries of the list and their order.
std::string ListOf(v1::ListTasksRequest request) {
  request.clear_page_size();
  request.clear_page_token();
  request.set_view(OrDefault(request.view(), v1::TASK_VIEW_BASIC));
  if (request.parent().empty()) request.set_parent("tenants/default");
  if (request.order_by().empty()) request.set_order_by("create_time desc");
  std::sort(request.mutable_states()->begin(), request.mutable_states()->end());
  std::string list = "tasks ";
  google::protobuf::io::StringOutputStream stream(&list);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);  // Labels come in any order.
  request.SerializeToCodedStream(&coded);
  coded.Trim();
  return list;
}

using Walk = std::function<const Task*()>;

// One tenant's tasks by their ids, beyond `after`.
Walk ById(const TenantState& tenant, bool down, const std::optional<Position>& after) {
  const auto& tasks = tenant.tasks;
  if (down) {
    auto it = after ? tasks.lower_bound(after->id) : tasks.end();
    return [&tasks, it]() mutable -> const Task* {
      return it == tasks.begin() ? nullptr : (--it)->second;
    };
  }
  auto it = after ? tasks.upper_bound(after->id) : tasks.begin();
  return [&tasks, it]() mutable -> const Task* {
    return it == tasks.end() ? nullptr : (it++)->second;
  };
}

// Those of all tenants, each of whose next is the top of a heap.
Walk OfAllById(const EngineState& state, bool down, const std::optional<Position>& after) {
  using Head = std::pair<const Task*, Walk>;
  const auto later = [down](const Head& a, const Head& b) {
    return down ? a.first->id < b.first->id : b.first->id < a.first->id;
  };
  std::vector<Head> heads;
  for (const TenantState& tenant : state.tenants) {
    Walk walk = ById(tenant, down, after);
    if (const Task* first = walk()) heads.emplace_back(first, std::move(walk));
  }
  std::make_heap(heads.begin(), heads.end(), later);
  return [heads = std::move(heads), later]() mutable -> const Task* {
    if (heads.empty()) return nullptr;
    std::pop_heap(heads.begin(), heads.end(), later);
    const Task* task = heads.back().first;
    heads.back().first = heads.back().second();
    if (heads.back().first == nullptr) {
      heads.pop_back();
    } else {
      std::push_heap(heads.begin(), heads.end(), later);
    }
    return task;
  };
}

std::pair<WallMicros, TaskId> EndOf(const Task& task) {
  return {task.past().end_time_us, task.id};
}

// Ends of one instant are next to each other, in the order in which they became safe; a walk has
// them in that of the ids, as the store has.
template <typename List>
Walk ByEnd(const EngineState& state, const List& list, bool down,
           const std::optional<Position>& after) {
  const auto step = [down](const Task* task) {
    return down ? List::Previous(task) : List::Next(task);
  };
  const auto back = [down](const Task* task) {
    return down ? List::Next(task) : List::Previous(task);
  };
  const auto is_at = [&after](const Task* task) {
    return task != nullptr && task->past().end_time_us == after->end_time_us;
  };
  const Task* next = down ? list.back() : list.front();
  if (after) {
    const Task* last = state.FindTask(after->id);
    const auto is_passed = [&](const Task& task) {
      const WallMicros end_us = task.past().end_time_us;
      return down ? end_us > after->end_time_us : end_us < after->end_time_us;
    };
    const bool is_listed = last != nullptr && last->settled && !last->past().recalled;
    if (is_listed && is_at(last)) {
      next = last;
      while (is_at(back(next))) next = back(next);
    } else {
      while (next != nullptr && is_passed(*next)) next = step(next);
    }
  }
  return [next, step, down, after, group = std::vector<const Task*>()]() mutable -> const Task* {
    while (group.empty() && next != nullptr) {
      const WallMicros end_us = next->past().end_time_us;
      for (; next != nullptr && next->past().end_time_us == end_us; next = step(next)) {
        const bool is_passed = after && end_us == after->end_time_us &&
                               (down ? next->id >= after->id : next->id <= after->id);
        if (!is_passed) group.push_back(next);
      }
      // The next one stands last.
      std::sort(group.begin(), group.end(), [down](const Task* a, const Task* b) {
        return down ? a->id < b->id : b->id < a->id;
      });
    }
    if (group.empty()) return nullptr;
    const Task* task = group.back();
    group.pop_back();
    return task;
  };
}

// The recalled ones, of a tenant or of all.
Walk OfRecalled(const EngineState& state, size_t tenant, bool down,
                const std::optional<Position>& after) {
  std::vector<const Task*> tasks;
  for (const Task* task = state.recalled.front(); task != nullptr;
       task = state.recalled.Next(task)) {
    if (tenant != SIZE_MAX && state.directory->queues()[task->queue].tenant != tenant) continue;
    if (after) {
      const std::pair last(after->end_time_us, after->id);
      if (down ? EndOf(*task) >= last : EndOf(*task) <= last) continue;
    }
    tasks.push_back(task);
  }
  std::sort(tasks.begin(), tasks.end(), [down](const Task* a, const Task* b) {
    return down ? EndOf(*b) < EndOf(*a) : EndOf(*a) < EndOf(*b);
  });
  return [tasks = std::move(tasks), at = size_t{0}]() mutable {
    return at == tasks.size() ? nullptr : tasks[at++];
  };
}

Walk Merge(Walk one, Walk other, bool down) {
  const Task* first = one();
  const Task* second = other();
  return [=, one = std::move(one), other = std::move(other)]() mutable {
    const bool takes_first =
        second == nullptr || (first != nullptr && (down ? EndOf(*second) < EndOf(*first)
                                                        : EndOf(*first) < EndOf(*second)));
    return takes_first ? std::exchange(first, first == nullptr ? nullptr : one())
                       : std::exchange(second, other());
  };
}

// The tasks that are named, without those that are not of the tenant.
Walk OfNames(const EngineState& state, const TaskQuery& query, bool down,
             const std::optional<Position>& after) {
  std::vector<const Task*> tasks;
  for (const TaskId& id : *query.filter.ids()) {
    const Task* task = state.FindTask(id);
    if (task == nullptr) continue;
    const size_t tenant = state.directory->queues()[task->queue].tenant;
    if (query.tenant != SIZE_MAX && tenant != query.tenant) continue;
    if (after && (down ? task->id >= after->id : task->id <= after->id)) continue;
    if (tasks.empty() || tasks.back() != task) tasks.push_back(task);
  }
  if (down) std::reverse(tasks.begin(), tasks.end());
  return [tasks = std::move(tasks), at = size_t{0}]() mutable {
    return at == tasks.size() ? nullptr : tasks[at++];
  };
}

Walk MakeWalk(const EngineState& state, const TaskQuery& query, Order order,
              const std::optional<Position>& after) {
  const bool down = order == Order::kLastCreated || order == Order::kLastEnded;
  const TenantState* tenant = query.tenant == SIZE_MAX ? nullptr : &state.tenants[query.tenant];
  if (order == Order::kLastEnded || order == Order::kFirstEnded) {
    Walk listed = tenant == nullptr ? ByEnd(state, state.ended, down, after)
                                    : ByEnd(state, tenant->ended, down, after);
    return Merge(std::move(listed), OfRecalled(state, query.tenant, down, after), down);
  }
  if (query.filter.ids()) return OfNames(state, query, down, after);
  return tenant == nullptr ? OfAllById(state, down, after) : ById(*tenant, down, after);
}

// The request's own filter, and the two fields that were there before it.
absl::StatusOr<v1::TaskFilter> FilterOf(const v1::ListTasksRequest& request) {
  v1::TaskFilter filter = request.filter();
  if (!request.states().empty() && !filter.states().empty()) {
    return BadField("states", "FILTER_INVALID", "and filter.states are both given");
  }
  filter.mutable_states()->MergeFrom(request.states());
  if (!request.function().empty() && !filter.function().empty() &&
      request.function() != filter.function()) {
    return BadField("function", "FILTER_INVALID", "and filter.function are both given");
  }
  if (!request.function().empty()) filter.set_function(request.function());
  return filter;
}

struct ListSpec {
  int32_t page_size = 0;
  v1::TaskView view = v1::TASK_VIEW_BASIC;
  std::string list;
  Order order = Order::kLastCreated;
  TaskQuery query;
  std::optional<Position> after;
};

absl::StatusOr<ListSpec> ParseList(const EngineState& state, const v1::ListTasksRequest& request) {
  const auto page_size = PageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  const auto filter = FilterOf(request);
  if (!filter.ok()) return filter.status();
  auto query = ParseQuery(state, request.parent(), *filter);
  if (!query.ok()) return query.status();
  const auto order = ParseOrder(request.order_by());
  if (!order.ok()) return order.status();
  ListSpec spec{.page_size = *page_size,
                .view = OrDefault(request.view(), v1::TASK_VIEW_BASIC),
                .list = ListOf(request),
                .order = *order,
                .query = *std::move(query)};
  if (request.page_token().empty()) return spec;
  const auto last = DecodeListToken(spec.list, request.page_token());
  spec.after = last ? Decode(*last) : std::nullopt;
  if (!spec.after) return BadPageToken();
  return spec;
}

bool ByEnd(Order order) {
  return order == Order::kLastEnded || order == Order::kFirstEnded;
}

bool IsBeyond(Order order, const Position& position, const Position& horizon) {
  const bool down = order == Order::kLastCreated || order == Order::kLastEnded;
  const auto key = [order](const Position& of) {
    return std::pair(ByEnd(order) ? of.end_time_us : 0, of.id);
  };
  return down ? key(position) < key(horizon) : key(horizon) < key(position);
}

// Of the tasks that the list names, those to recall.
ListRecall RecallNamed(const EngineState& state, const ListSpec& spec) {
  std::vector<TaskId> ids = *spec.query.filter.ids();
  if (spec.order == Order::kLastCreated) std::reverse(ids.begin(), ids.end());
  ListRecall recall;
  for (const TaskId& id : ids) {
    const Position at{.id = id};
    if (spec.after && !IsBeyond(spec.order, at, *spec.after)) continue;
    if (FindEvicted(state, id) == nullptr) continue;
    if (recall.tasks.size() == kRecalledAtOnce) {
      recall.horizon = Position{.id = recall.tasks.back()};
      break;
    }
    recall.tasks.push_back(id);
  }
  return recall;
}

}  // namespace

absl::StatusOr<ListRecall> TaskEngine::RecallForList(const v1::ListTasksRequest& request) const {
  const auto spec = ParseList(*state_, request);
  if (!spec.ok()) return spec.status();
  if (spec->query.filter.ids() && !ByEnd(spec->order)) return RecallNamed(*state_, *spec);
  ListRecall recall;
  recall.query = spec->query.OfEvicted(*state_, spec->query.tenant);
  if (!recall.query) return recall;
  recall.query->order = spec->order;
  recall.query->after = spec->after;
  recall.query->count_max = spec->query.filter.IsIndexed() ? spec->page_size : kRecalledAtOnce;
  return recall;
}

absl::StatusOr<v1::ListTasksResponse> TaskEngine::ListTasks(const v1::ListTasksRequest& request,
                                                            EngineMicros now_us, Audience audience,
                                                            std::optional<Position> horizon) const {
  state_->Advance(now_us);
  const auto spec = ParseList(*state_, request);
  if (!spec.ok()) return spec.status();
  const Walk walk = MakeWalk(*state_, spec->query, spec->order, spec->after);
  v1::ListTasksResponse response;
  Position last;
  int64_t bytes = 0;
  int looks = 0;
  for (const Task* task = walk(); task != nullptr; task = walk()) {
    const Position at = {task->past().end_time_us, task->id};
    if (horizon && IsBeyond(spec->order, at, *horizon)) break;
    bool is_full = response.tasks_size() == spec->page_size || looks >= kListScanMax;
    if (!is_full && spec->query.Matches(*state_, *task)) {
      v1::Task shown = ViewTask(*state_, *task, spec->view, audience, /*ahead_max=*/0);
      bytes += AnswerBytes(shown, spec->view);
      is_full = response.tasks_size() > 0 && bytes > kAnswerBytesMax;
      if (!is_full) *response.add_tasks() = std::move(shown);
    }
    if (is_full) {
      response.set_next_page_token(EncodeListToken(spec->list, Encode(last)));
      return response;
    }
    last = at;
    looks += spec->query.filter.cost();
  }
  if (horizon) response.set_next_page_token(EncodeListToken(spec->list, Encode(*horizon)));
  return response;
}

}  // namespace grove::tasks

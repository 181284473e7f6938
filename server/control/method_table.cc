#include "server/control/method_table.h"

#include "runtime/switch/abseil_text.h"

namespace grove::control {
namespace {

constexpr MethodRow kUnknownMethod = {"", tenancy::Role::kAdmin, Reach::kOperators, true};

std::string_view ReachName(Reach reach) {
  switch (reach) {
    case Reach::kTenant:
      return "tenant";
    case Reach::kOperators:
      return "operators";
    case Reach::kOpen:
      break;
  }
  return "open";
}

std::string_view NamesName(Names names) {
  switch (names) {
    case Names::kTenant:
      return "tenant";
    case Names::kTenants:
      return "tenants";
    case Names::kTenantOrQueue:
      return "tenant_or_queue";
    case Names::kQueue:
      return "queue";
    case Names::kQueueOrShort:
      return "queue_or_short";
    case Names::kQueues:
      return "queues";
    case Names::kPool:
      return "pool";
    case Names::kToken:
      return "token";
    case Names::kTokenParent:
      return "token_parent";
    case Names::kSchedule:
      return "schedule";
    case Names::kPayload:
      return "payload";
    case Names::kTask:
      break;
  }
  return "task";
}

}  // namespace

const MethodRow& FindMethod(std::string_view method) {
  for (const MethodRow& row : MethodTable()) {
    const bool whole_service = row.method.ends_with('*');
    if (whole_service ? method.starts_with(row.method.substr(0, row.method.size() - 1))
                      : method == row.method) {
      return row;
    }
  }
  return kUnknownMethod;
}

std::string MethodTableText() {
  std::string text;
  for (const MethodRow& row : MethodTable()) {
    text += StrCat(row.method, " ", tenancy::RoleName(row.role), " ", ReachName(row.reach));
    for (const FieldRule& rule : row.fields) {
      text += StrCat(" ", rule.path, "=", NamesName(rule.names),
                     rule.answered == Answered::kForEachItem ? "*" : "");
    }
    text += "\n";
  }
  return text;
}

}  // namespace grove::control

#include "server/control/scope_check.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "google/protobuf/descriptor.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using google::protobuf::Reflection;
using tenancy::Principal;

constexpr std::string_view kAllTenants = "tenants/-";
constexpr std::string_view kAllQueues = "/queues/-";
constexpr std::string_view kAllTenantsQueues = "tenants/-/queues/-";

// What is named, and of which tenant.
struct Named {
  std::string_view tenant;
  std::string_view kind;  // "TASK"
};

template <typename Parsed>
std::optional<Named> Of(const absl::StatusOr<Parsed>& parsed, std::string_view kind) {
  if (!parsed.ok()) return std::nullopt;
  return Named{parsed->tenant, kind};
}

std::optional<Named> AsTenant(std::string_view name) {
  const auto tenant = tenancy::ParseTenantName(name);
  if (!tenant.ok()) return std::nullopt;
  return Named{*tenant, "TENANT"};
}

// A queue, or all of a tenant's.
std::optional<Named> AsQueues(std::string_view name) {
  if (!name.ends_with(kAllQueues)) return Of(tenancy::ParseQueueName(name), "QUEUE");
  name.remove_suffix(kAllQueues.size());
  const auto tenant = AsTenant(name);
  if (!tenant) return std::nullopt;
  return Named{tenant->tenant, "QUEUE"};
}

// Nothing where the text has another form: that it has, the method says.
std::optional<Named> Parse(Names names, std::string_view text) {
  switch (names) {
    case Names::kTenant:
    case Names::kTenants:
      return AsTenant(text);
    case Names::kTenantOrQueue:
      if (const auto tenant = AsTenant(text)) return tenant;
      return Of(tenancy::ParseQueueName(text), "QUEUE");
    case Names::kQueue:
    case Names::kQueueOrShort:
      return Of(tenancy::ParseQueueName(text), "QUEUE");
    case Names::kQueues:
      return AsQueues(text);
    case Names::kPool:
      return Of(tenancy::ParsePoolName(text), "POOL");
    case Names::kTask:
      return Of(tenancy::ParseTaskName(text), "TASK");
    case Names::kToken:
      return Of(tenancy::ParseTokenName(text), "TOKEN");
    case Names::kSchedule:
      return Of(tenancy::ParseScheduleName(text), "SCHEDULE");
    case Names::kPayload:
      return Of(tenancy::ParsePayloadName(text), "PAYLOAD");
    case Names::kTokenParent:
      if (const auto tenant = AsTenant(text)) return tenant;
      if (tenancy::ParseTokenParent(text).ok()) return Named{"", "TOKEN"};
      return std::nullopt;
  }
  return std::nullopt;
}

// In the words of the task engine for a name that never was: isolation_test.py compares the two.
absl::Status NeverWas(const FieldRule& rule, std::string_view kind, std::string_view name) {
  const std::string reason = StrCat(kind, "_NOT_FOUND");
  if (rule.names == Names::kTask) {
    return tasks::Refusal(absl::StatusCode::kNotFound, reason,
                          StrCat("no task \"", tasks::Cut(absl::CHexEscape(Abseil(name))),
                                 "\": it never existed, or its retention is over"));
  }
  return tasks::Refusal(absl::StatusCode::kNotFound, reason, StrCat("there is no ", name),
                        {{rule.detail, std::string(name)}});
}

bool MeansAllTenants(Names names, std::string_view text) {
  return text == kAllTenants && (names == Names::kTenants || names == Names::kTenantOrQueue);
}

// The text that stands for it in the caller's call.
std::optional<std::string> OwnInstead(const FieldRule& rule, const Principal& caller,
                                      std::string_view text) {
  if (rule.names == Names::kQueues && text == kAllTenantsQueues) {
    return StrCat(tenancy::FormatTenantName(caller.tenant), kAllQueues);
  }
  const bool left_out = text.empty() && rule.when_empty == WhenEmpty::kOwnTenant;
  if (!left_out && !MeansAllTenants(rule.names, text)) return std::nullopt;
  return tenancy::FormatTenantName(caller.tenant);
}

// "grove.v1.TaskService.SpawnTask" of "/grove.v1.TaskService/SpawnTask".
const MethodDescriptor* DescriptorOf(const MethodRow& row) {
  std::string name(row.method.substr(1));
  name[name.find('/')] = '.';
  return DescriptorPool::generated_pool()->FindMethodByName(name);
}

// Empty: the request has no such text.
std::vector<const FieldDescriptor*> PathOf(const Descriptor* message, std::string_view path) {
  std::vector<const FieldDescriptor*> fields;
  while (message != nullptr && !path.empty()) {
    const size_t dot = path.find('.');
    const FieldDescriptor* field = message->FindFieldByName(std::string(path.substr(0, dot)));
    if (field == nullptr) return {};
    fields.push_back(field);
    message = field->message_type();
    path.remove_prefix(dot == path.npos ? path.size() : dot + 1);
  }
  const bool fits =
      path.empty() && !fields.empty() && fields.back()->type() == FieldDescriptor::TYPE_STRING;
  if (!fits) return {};
  return fields;
}

}  // namespace

ScopeCheck::ScopeCheck() {
  for (const MethodRow& row : MethodTable()) {
    if (row.reach != Reach::kTenant) continue;
    const MethodDescriptor* const method = DescriptorOf(row);
    if (method == nullptr) continue;
    std::vector<Check> checks;
    bool all_fit = true;
    for (const FieldRule& rule : row.fields) {
      Path path = PathOf(method->input_type(), rule.path);
      all_fit = all_fit && !path.empty();
      if (rule.answered == Answered::kForTheCall) checks.push_back({&rule, std::move(path)});
    }
    if (all_fit) checks_.emplace(&row, std::move(checks));
  }
}

absl::Status ScopeCheck::Apply(const MethodRow& method, const Principal& caller,
                               Message& request) const {
  if (caller.is_operator() || method.reach != Reach::kTenant) return absl::OkStatus();
  const auto checks = checks_.find(&method);
  if (checks == checks_.end()) {
    return absl::InternalError("the rules of this method do not fit it: it is closed to tenants");
  }
  for (const Check& check : checks->second) {
    if (absl::Status status = Walk(check, 0, caller, request); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ScopeCheck::Walk(const Check& check, size_t depth, const Principal& caller,
                              Message& message) {
  const FieldDescriptor* const field = check.path[depth];
  const Reflection& reflection = *message.GetReflection();
  const bool is_last = depth + 1 == check.path.size();
  if (!field->is_repeated() && is_last) {
    std::string text = reflection.GetString(message, field);
    if (absl::Status status = CheckText(*check.rule, caller, text); !status.ok()) return status;
    if (!text.empty()) reflection.SetString(&message, field, std::move(text));
    return absl::OkStatus();
  }
  if (!field->is_repeated()) {
    // One that is not set is looked into where an empty text stands for the caller's tenant.
    const bool fills_in =
        check.rule->when_empty == WhenEmpty::kOwnTenant && field->containing_oneof() == nullptr;
    if (!fills_in && !reflection.HasField(message, field)) return absl::OkStatus();
    return Walk(check, depth + 1, caller, *reflection.MutableMessage(&message, field));
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    absl::Status status;
    if (is_last) {
      std::string text = reflection.GetRepeatedString(message, field, i);
      status = CheckText(*check.rule, caller, text);
      if (status.ok()) reflection.SetRepeatedString(&message, field, i, std::move(text));
    } else {
      status =
          Walk(check, depth + 1, caller, *reflection.MutableRepeatedMessage(&message, field, i));
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckText(const FieldRule& rule, const Principal& caller, std::string& text) {
  if (caller.is_operator()) return absl::OkStatus();
  if (auto own = OwnInstead(rule, caller, text)) text = *std::move(own);
  return CheckName(rule, caller, text);
}

absl::Status CheckName(const FieldRule& rule, const Principal& caller, std::string_view name) {
  if (caller.is_operator()) return absl::OkStatus();
  const std::optional<Named> named = Parse(rule.names, name);
  if (!named || caller.Sees(named->tenant)) return absl::OkStatus();
  return NeverWas(rule, named->kind, name);
}

}  // namespace grove::control

#include "client/cli/names.h"

#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "client/cli/arguments.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Segments = std::vector<std::string>;

absl::Status Malformed(std::string_view what, std::string_view typed, std::string_view forms) {
  return UsageError(StrCat("\"", typed, "\" is no ", what, ": write ", forms));
}

Segments Split(std::string_view typed) {
  return absl::StrSplit(Abseil(typed), '/');
}

bool AllFilled(const Segments& segments) {
  for (const std::string& segment : segments) {
    if (segment.empty()) return false;
  }
  return true;
}

// Names of one kind below a tenant: queues and pools.
absl::StatusOr<std::string> BelowTenant(std::string_view kind, std::string_view what,
                                        std::string_view typed, std::string_view tenant) {
  const Segments segments = Split(typed);
  const std::string forms = StrCat("NAME, ", kind, "/NAME or tenants/TENANT/", kind, "/NAME");
  if (!AllFilled(segments)) return Malformed(what, typed, forms);
  if (segments[0] == "tenants" && segments.size() == 4 && segments[2] == kind) {
    return std::string(typed);
  }
  if (segments.size() > 2) return Malformed(what, typed, forms);
  const bool of_tenant = segments.size() == 2 && segments[0] != kind;
  absl::StatusOr<std::string> parent = TenantName(of_tenant ? segments[0] : tenant);
  if (!parent.ok()) return parent.status();
  return StrCat(*parent, "/", kind, "/", segments.back());
}

}  // namespace

absl::StatusOr<std::string> TenantName(std::string_view typed) {
  std::string_view name = typed;
  ConsumePrefix(&name, "tenants/");
  if (name.empty() || name.find('/') != name.npos) {
    return Malformed("tenant", typed, "NAME or tenants/NAME");
  }
  return StrCat("tenants/", name);
}

absl::StatusOr<std::string> QueueName(std::string_view typed, std::string_view tenant) {
  return BelowTenant("queues", "queue", typed, tenant);
}

absl::StatusOr<std::string> PoolName(std::string_view typed, std::string_view tenant) {
  return BelowTenant("pools", "pool", typed, tenant);
}

absl::StatusOr<std::string> ScheduleName(std::string_view typed, std::string_view tenant) {
  return BelowTenant("schedules", "schedule", typed, tenant);
}

absl::StatusOr<std::string> PayloadName(std::string_view typed, std::string_view tenant) {
  return BelowTenant("payloads", "payload", typed, tenant);
}

absl::StatusOr<std::string> TokenName(std::string_view typed, std::string_view tenant) {
  const Segments s = Split(typed);
  constexpr char kForms[] =
      "NAME, TENANT/NAME, operators/tokens/NAME or tenants/TENANT/tokens/NAME";
  if (!AllFilled(s)) return Malformed("token", typed, kForms);
  const bool whole = (s.size() == 3 && s[0] == "operators" && s[1] == "tokens") ||
                     (s.size() == 4 && s[0] == "tenants" && s[2] == "tokens");
  if (whole) return std::string(typed);
  if (s.size() > 2) return Malformed("token", typed, kForms);
  if (s.size() == 1 && tenant.empty()) return StrCat("operators/tokens/", s[0]);
  absl::StatusOr<std::string> parent = TenantName(s.size() == 2 ? s[0] : tenant);
  if (!parent.ok()) return parent.status();
  return StrCat(*parent, "/tokens/", s.back());
}

absl::StatusOr<std::string> TaskName(std::string_view typed, std::string_view tenant) {
  const Segments s = Split(typed);
  constexpr char kForms[] = "ID, QUEUE/ID or tenants/TENANT/queues/QUEUE/tasks/ID";
  if (!AllFilled(s)) return Malformed("task", typed, kForms);
  if (s.size() == 6 && s[0] == "tenants" && s[2] == "queues" && s[4] == "tasks") {
    return std::string(typed);
  }
  std::string queue;
  if (s.size() == 1 || (s.size() == 2 && s[0] == "tasks")) {
    queue = "default";
  } else if (s.size() == 2) {
    queue = s[0];
  } else if (s.size() == 4 && s[0] == "queues" && s[2] == "tasks") {
    queue = s[1];
  } else {
    return Malformed("task", typed, kForms);
  }
  absl::StatusOr<std::string> parent = TenantName(tenant);
  if (!parent.ok()) return parent.status();
  return StrCat(*parent, "/queues/", queue, "/tasks/", s.back());
}

absl::StatusOr<std::string> WorkerName(std::string_view typed) {
  std::string_view number = typed;
  ConsumePrefix(&number, "workers/");
  int value = 0;
  if (number.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(number[0])) ||
      !SimpleAtoi(number, &value)) {
    return Malformed("worker", typed, "its number or workers/NUMBER");
  }
  return StrCat("workers/", value);
}

absl::StatusOr<std::string> FiberName(std::string_view typed) {
  const Segments s = Split(typed);
  uint64_t id = 0;
  const bool short_form = s.size() == 2;
  if (!(short_form || (s.size() == 4 && s[0] == "workers" && s[2] == "fibers")) ||
      !SimpleAtoi(s.back(), &id)) {
    return Malformed("fiber", typed, "WORKER/ID or workers/WORKER/fibers/ID");
  }
  absl::StatusOr<std::string> worker = WorkerName(short_form ? s[0] : s[1]);
  if (!worker.ok()) return worker.status();
  return StrCat(*worker, "/fibers/", id);
}

absl::StatusOr<std::string> OperationName(std::string_view typed) {
  std::string_view digits = typed;
  ConsumePrefix(&digits, "operations/");
  int64_t number = 0;
  if (!SimpleAtoi(digits, &number) || number <= 0 || StrCat(number) != digits) {
    return Malformed("operation", typed, "its number or operations/NUMBER");
  }
  return StrCat("operations/", number);
}

std::string FunctionName(std::string_view typed) {
  ConsumePrefix(&typed, "functions/");
  return std::string(typed);
}

std::string ShortName(std::string_view name) {
  const size_t slash = name.rfind('/');
  return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

std::string ShortTaskName(std::string_view name) {
  const Segments segments = Split(name);
  if (segments.size() != 6) return std::string(name);
  return StrCat(segments[3], "/", segments[5]);
}

}  // namespace grove::client::cli

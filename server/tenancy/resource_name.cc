#include "server/tenancy/resource_name.h"

#include <array>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tenancy {
namespace {

// Enough of a bad name to recognise it; the rest could be anything a client sends.
constexpr size_t kQuotedMax = 100;
constexpr std::string_view kOperators = "operators";

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

absl::Status BadName(std::string_view name, std::string_view form) {
  return absl::InvalidArgumentError(
      StrCat("\"", absl::CHexEscape(Abseil(name.substr(0, kQuotedMax))),
             name.size() > kQuotedMax ? "…" : "", "\" is not of the form \"", form,
             "\" (short names: lower-case letters, digits, \"-\", \"_\" and \".\", ",
             "a letter or digit at both ends, at most ", kShortNameMax, " characters)"));
}

// Splits "a/1/b/2" into {1, 2} where the collection ids are as given; false otherwise.
template <size_t N>
bool Split(std::string_view name, const std::array<std::string_view, N>& collections,
           std::array<std::string_view, N>& ids) {
  for (size_t i = 0; i < N; ++i) {
    if (name.substr(0, collections[i].size()) != collections[i]) return false;
    name.remove_prefix(collections[i].size());
    if (name.empty() || name.front() != '/') return false;
    name.remove_prefix(1);
    const size_t end = i + 1 < N ? name.find('/') : name.size();
    if (end == std::string_view::npos) return false;
    ids[i] = name.substr(0, end);
    name.remove_prefix(i + 1 < N ? end + 1 : end);
  }
  return true;
}

}  // namespace

bool IsShortName(std::string_view name) {
  if (name.empty() || name.size() > kShortNameMax) return false;
  for (char c : name) {
    if (!IsAlphanumeric(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return IsAlphanumeric(name.front()) && IsAlphanumeric(name.back());
}

absl::StatusOr<std::string_view> ParseTenantName(std::string_view name) {
  std::array<std::string_view, 1> ids;
  if (!Split<1>(name, {"tenants"}, ids) || !IsShortName(ids[0])) {
    return BadName(name, "tenants/TENANT");
  }
  return ids[0];
}

absl::StatusOr<QueueName> ParseQueueName(std::string_view name) {
  std::array<std::string_view, 2> ids;
  if (!Split<2>(name, {"tenants", "queues"}, ids) || !IsShortName(ids[0]) || !IsShortName(ids[1])) {
    return BadName(name, "tenants/TENANT/queues/QUEUE");
  }
  return QueueName{ids[0], ids[1]};
}

absl::StatusOr<PoolName> ParsePoolName(std::string_view name) {
  std::array<std::string_view, 2> ids;
  if (!Split<2>(name, {"tenants", "pools"}, ids) || !IsShortName(ids[0]) || !IsShortName(ids[1])) {
    return BadName(name, "tenants/TENANT/pools/POOL");
  }
  return PoolName{ids[0], ids[1]};
}

absl::StatusOr<TaskName> ParseTaskName(std::string_view name) {
  std::array<std::string_view, 3> ids;
  if (!Split<3>(name, {"tenants", "queues", "tasks"}, ids) || !IsShortName(ids[0]) ||
      !IsShortName(ids[1]) || ids[2].empty() || ids[2].find('/') != std::string_view::npos) {
    return BadName(name, "tenants/TENANT/queues/QUEUE/tasks/TASK");
  }
  return TaskName{ids[0], ids[1], ids[2]};
}

absl::StatusOr<ScheduleName> ParseScheduleName(std::string_view name) {
  std::array<std::string_view, 2> ids;
  if (!Split<2>(name, {"tenants", "schedules"}, ids) || !IsShortName(ids[0]) ||
      !IsShortName(ids[1])) {
    return BadName(name, "tenants/TENANT/schedules/SCHEDULE");
  }
  return ScheduleName{ids[0], ids[1]};
}

absl::StatusOr<PayloadName> ParsePayloadName(std::string_view name) {
  std::array<std::string_view, 2> ids;
  if (!Split<2>(name, {"tenants", "payloads"}, ids) || !IsShortName(ids[0]) || ids[1].empty() ||
      ids[1].find('/') != std::string_view::npos) {
    return BadName(name, "tenants/TENANT/payloads/PAYLOAD");
  }
  return PayloadName{ids[0], ids[1]};
}

absl::StatusOr<TokenName> ParseTokenName(std::string_view name) {
  std::array<std::string_view, 2> ids;
  if (Split<2>(name, {"tenants", "tokens"}, ids) && IsShortName(ids[0]) && IsShortName(ids[1])) {
    return TokenName{ids[0], ids[1]};
  }
  const std::string_view of_operators = "operators/tokens/";
  if (name.starts_with(of_operators) && IsShortName(name.substr(of_operators.size()))) {
    return TokenName{"", name.substr(of_operators.size())};
  }
  return BadName(name, "tenants/TENANT/tokens/TOKEN or operators/tokens/TOKEN");
}

absl::StatusOr<std::string_view> ParseTokenParent(std::string_view name) {
  if (name == kOperators) return std::string_view();
  const absl::StatusOr<std::string_view> tenant = ParseTenantName(name);
  return tenant.ok() ? tenant : BadName(name, "tenants/TENANT or operators");
}

std::string FormatTenantName(std::string_view tenant) {
  return StrCat("tenants/", tenant);
}

std::string FormatQueueName(std::string_view tenant, std::string_view queue) {
  return StrCat("tenants/", tenant, "/queues/", queue);
}

std::string FormatPoolName(std::string_view tenant, std::string_view pool) {
  return StrCat("tenants/", tenant, "/pools/", pool);
}

std::string FormatScheduleName(std::string_view tenant, std::string_view schedule) {
  return StrCat("tenants/", tenant, "/schedules/", schedule);
}

std::string FormatPayloadName(std::string_view tenant, std::string_view payload) {
  return StrCat("tenants/", tenant, "/payloads/", payload);
}

std::string FormatTokenName(std::string_view tenant, std::string_view token) {
  return StrCat(FormatTokenParent(tenant), "/tokens/", token);
}

std::string FormatTokenParent(std::string_view tenant) {
  return tenant.empty() ? std::string(kOperators) : FormatTenantName(tenant);
}

}  // namespace grove::tenancy

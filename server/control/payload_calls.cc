#include "server/control/payload_calls.h"

#include <string>
#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/control/page_token.h"
#include "server/control/tenant_calls.h"
#include "server/tasks/list_token.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using tasks::BadField;
using tenancy::Principal;

constexpr std::string_view kDefaultParent = "tenants/default";
constexpr std::string_view kAllTenants = "tenants/-";
constexpr int32_t kPageSizeDefault = 100;
constexpr int32_t kPageSizeMax = 1000;

absl::Status CheckName(std::string_view name) {
  const auto parsed = tenancy::ParsePayloadName(name);
  if (parsed.ok()) return absl::OkStatus();
  return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
}

absl::Status BadToken() {
  return BadField("page_token", "PAGE_TOKEN_INVALID",
                  "is not one that this list returned; leave it empty for the first page");
}

}  // namespace

absl::StatusOr<v1::GetPayloadResponse> PayloadCalls::Get(
    const Principal&, const v1::GetPayloadRequest& request) const {
  if (absl::Status form = CheckName(request.name()); !form.ok()) return form;
  absl::StatusOr<v1::Payload> payload = payloads_.Get(request.name());
  if (!payload.ok()) return payload.status();
  v1::GetPayloadResponse response;
  *response.mutable_payload() = *std::move(payload);
  return response;
}

absl::StatusOr<v1::ListPayloadsResponse> PayloadCalls::List(
    const Principal& who, const v1::ListPayloadsRequest& request) const {
  const auto page_size = PageSize(request.page_size(), kPageSizeDefault, kPageSizeMax);
  if (!page_size.ok()) return page_size.status();
  const std::string parent(request.parent().empty() ? kDefaultParent
                                                    : std::string_view(request.parent()));
  std::string tenant;
  if (parent != kAllTenants) {
    const auto parsed = tenancy::ParseTenantName(parent);
    if (!parsed.ok()) return BadField("parent", "NAME_INVALID", Std(parsed.status().message()));
    if (const auto seen = FindSeen(directory_, who, *parsed); !seen.ok()) return seen.status();
    tenant = *parsed;
  }
  // Bound to who sees it.
  const std::string list = StrCat("payloads of ", who.tenant, " in ", tenant);
  std::pair<std::string, tasks::TaskId> after;
  if (!request.page_token().empty()) {
    const auto last = tasks::DecodeListToken(list, request.page_token());
    if (!last) return BadToken();
    const auto name = tenancy::ParsePayloadName(*last);
    if (!name.ok()) return BadToken();
    const auto id = tasks::TaskId::Parse(name->payload);
    if (!id) return BadToken();
    after = {std::string(name->tenant), *id};
  }
  v1::ListPayloadsResponse response;
  const auto max = static_cast<size_t>(*page_size);
  const auto found = payloads_.ledger().List(tenant, after, max + 1);
  for (const tasks::PayloadRecord* record : found) {
    if (response.payloads_size() == *page_size) {
      response.set_next_page_token(
          tasks::EncodeListToken(list, response.payloads().rbegin()->name()));
      break;
    }
    *response.add_payloads() = payloads_.View(*record);
  }
  return response;
}

absl::StatusOr<v1::DeletePayloadResponse> PayloadCalls::Delete(
    const Principal&, const v1::DeletePayloadRequest& request) {
  if (absl::Status form = CheckName(request.name()); !form.ok()) return form;
  if (absl::Status known = payloads_.Get(request.name()).status(); !known.ok()) return known;
  if (absl::Status removed = payloads_.Remove(request.name()); !removed.ok()) return removed;
  return v1::DeletePayloadResponse();
}

}  // namespace grove::control

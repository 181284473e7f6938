#include <unistd.h>

#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/interrupt.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/quota_flags.h"
#include "client/cli/render.h"
#include "client/cli/tenant_verbs.h"
#include "client/cli/text.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int64_t kListedMax = 1'000'000;
// Between two looks whether a tenant is gone: soon at first.
constexpr absl::Duration kLookPauseMin = absl::Milliseconds(20);
constexpr absl::Duration kLookPauseMax = absl::Seconds(1);

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

void PrintTenant(Command& command, const v1::Tenant& tenant) {
  Print(command, tenant, [&] { return RenderTenant(tenant, ViewOf(command)); });
}

// What the flags say of `tenant`; their names go to `mask`.
absl::Status TakeSettings(const Command& command, v1::Tenant& tenant,
                          google::protobuf::FieldMask& mask) {
  if (const auto text = command.arguments.Value("display_name")) {
    tenant.set_display_name(*text);
    mask.add_paths("display_name");
  }
  if (const auto text = command.arguments.Value("weight")) {
    double weight = 0;
    if (!absl::SimpleAtod(*text, &weight) || !std::isfinite(weight) || weight <= 0) {
      return UsageError(StrCat("--weight: \"", *text, "\" is no number above 0"));
    }
    tenant.set_weight(weight);
    mask.add_paths("weight");
  }
  for (const std::string& label : command.arguments.Values("label")) {
    const size_t equals = label.find('=');
    if (equals == label.npos || equals == 0) {
      return UsageError(StrCat("--label: \"", label, "\" is not KEY=VALUE"));
    }
    (*tenant.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  const bool no_labels = command.arguments.Has("no_labels");
  if (no_labels && tenant.labels_size() > 0) return UsageError("either --label or --no_labels");
  if (no_labels || tenant.labels_size() > 0) mask.add_paths("labels");
  return TakeQuotas(command, tenant, mask);
}

// Whether a person says that it may go.
absl::Status Confirm(Command& command, const std::string& name) {
  const bool asks = command.shell.in_is_terminal && !command.arguments.Has("yes") &&
                    !command.arguments.Has("dry_run");
  if (!asks) return absl::OkStatus();
  command.shell.err << "Delete " << Escape(name) << " at " << Escape(command.address)
                    << ", with its tokens and "
                    << (command.arguments.Has("cancel_tasks") ? "all its tasks"
                                                              : "what its tasks left")
                    << "? [y/N] " << std::flush;
  std::string answer;
  for (char c = 0; read(command.shell.in_fd, &c, 1) == 1 && c != '\n';) answer += c;
  if (answer == "y" || answer == "Y" || answer == "yes") return absl::OkStatus();
  return PlainError("not deleted");
}

absl::Status AwaitGone(Command& command, const std::string& name) {
  const absl::Time end = absl::Now() + command.wait_timeout;
  StopOnInterrupt interrupt;
  absl::Duration pause = kLookPauseMin;
  for (;;) {
    const auto tenant = command.client->GetTenant(name);
    if (absl::IsNotFound(tenant.status())) return absl::OkStatus();
    // Control may be restarted meanwhile.
    if (!tenant.ok() && !absl::IsUnavailable(tenant.status())) return tenant.status();
    if (interrupt.stop().is_set()) {
      return InterruptedError(StrCat("interrupted; ", name, " is deleted all the same"));
    }
    if (absl::Now() >= end) {
      return absl::DeadlineExceededError(StrCat(name, " has tasks still: it is not gone within ",
                                                DurationText(command.wait_timeout)));
    }
    absl::SleepFor(std::min(pause, end - absl::Now()));
    pause = std::min(2 * pause, kLookPauseMax);
  }
}

}  // namespace

absl::Status RunTenants(Command& command) {
  auto tenants = command.client->ListTenants({}, kListedMax);
  if (!tenants.ok()) return tenants.status();
  PrintList(command, *tenants, "tenants",
            [&] { return RenderTenants(tenants->tenants(), ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunTenantsCreate(Command& command) {
  auto name = TenantName(command.arguments.positional()[0]);
  if (!name.ok()) return name.status();
  v1::CreateTenantRequest request;
  request.set_tenant_id(ShortName(*name));
  request.set_validate_only(command.arguments.Has("dry_run"));
  google::protobuf::FieldMask mask;
  absl::Status taken = TakeSettings(command, *request.mutable_tenant(), mask);
  if (!taken.ok()) return taken;
  auto tenant = command.client->CreateTenant(request);
  if (!tenant.ok()) return tenant.status();
  PrintTenant(command, *tenant);
  return absl::OkStatus();
}

absl::Status RunTenantsGet(Command& command) {
  auto name = TenantName(command.arguments.positional()[0]);
  if (!name.ok()) return name.status();
  auto tenant = command.client->GetTenant(*name);
  if (!tenant.ok()) return tenant.status();
  PrintTenant(command, *tenant);
  return absl::OkStatus();
}

absl::Status RunTenantsUpdate(Command& command) {
  auto name = TenantName(command.arguments.positional()[0]);
  if (!name.ok()) return name.status();
  v1::UpdateTenantRequest request;
  request.mutable_tenant()->set_name(*name);
  request.mutable_tenant()->set_etag(command.arguments.ValueOr("etag", ""));
  absl::Status taken =
      TakeSettings(command, *request.mutable_tenant(), *request.mutable_update_mask());
  if (!taken.ok()) return taken;
  if (request.update_mask().paths().empty()) {
    return UsageError(
        "nothing to change: give --display_name, --weight, --label, --no_labels, --running_max or "
        "another quota");
  }
  auto tenant = command.client->UpdateTenant(request);
  if (!tenant.ok()) return tenant.status();
  PrintTenant(command, *tenant);
  return absl::OkStatus();
}

absl::Status RunTenantsDelete(Command& command) {
  auto name = TenantName(command.arguments.positional()[0]);
  if (!name.ok()) return name.status();
  if (absl::Status confirmed = Confirm(command, *name); !confirmed.ok()) return confirmed;
  v1::DeleteTenantRequest request;
  request.set_name(*name);
  request.set_etag(command.arguments.ValueOr("etag", ""));
  request.set_cancel_tasks(command.arguments.Has("cancel_tasks"));
  request.set_validate_only(command.arguments.Has("dry_run"));
  auto deleted = command.client->DeleteTenant(request);
  if (!deleted.ok()) return deleted.status();
  if (command.arguments.Has("wait") && !request.validate_only()) {
    if (absl::Status gone = AwaitGone(command, *name); !gone.ok()) return gone;
    deleted->set_tasks_left(0);
  }
  Print(command, *deleted, [&] {
    const std::string verb = request.validate_only() ? " would be deleted" : " is being deleted";
    return command.arguments.Has("wait") && !request.validate_only()
               ? StrCat(Escape(*name), " is gone\n")
               : StrCat(Escape(*name), verb, ": ", deleted->tasks_left(), " tasks left\n");
  });
  return absl::OkStatus();
}

}  // namespace grove::client::cli

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/names.h"
#include "client/cli/payload_transfer.h"
#include "client/cli/payload_verbs.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Kind = Column::Kind;

constexpr int64_t kListedMax = 1'000'000;
constexpr int64_t kCandidatesMax = 1000;

std::string StateOf(const v1::Payload& payload) {
  return payload.state() == v1::Payload::STATE_USED ? "USED" : "UNUSED";
}

// "in 23h"; empty: it lives as long as what names it.
std::string ExpiryText(const v1::Payload& payload, absl::Time now) {
  if (!payload.has_expire_time()) return "";
  const absl::Duration left = absl::FromUnixSeconds(payload.expire_time().seconds()) - now;
  return left <= absl::ZeroDuration() ? "now" : StrCat("in ", DurationText(left));
}

std::string RenderPayloads(const v1::ListPayloadsResponse& payloads, const View& view) {
  Table table({{"PAYLOAD", Kind::kId},
               {"STATE", Kind::kState},
               "SIZE",
               "AGE",
               "EXPIRES",
               "TASKS",
               "TYPE",
               {"SHA256", Kind::kWide}});
  for (const v1::Payload& payload : payloads.payloads()) {
    table.Add({ShortName(payload.name()), StateOf(payload), BytesText(payload.size_bytes()),
               AgeText(payload.create_time(), view.now), ExpiryText(payload, view.now),
               StrCat(payload.task_count()), payload.content_type(), payload.sha256()});
  }
  return table.Render(view.look);
}

std::string RenderPayload(const v1::Payload& payload, const View& view) {
  return RenderFields({{"name", payload.name()},
                       {"state", StateOf(payload)},
                       {"size", StrCat(payload.size_bytes(), " bytes")},
                       {"sha256", payload.sha256()},
                       {"content type", payload.content_type()},
                       {"age", AgeText(payload.create_time(), view.now)},
                       {"expires", ExpiryText(payload, view.now)},
                       {"tasks", StrCat(payload.task_count())},
                       {"schedules", StrCat(payload.schedule_count())}},
                      view.look);
}

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

absl::StatusOr<std::string> NamedPayload(const Command& command) {
  return PayloadName(command.arguments.positional()[0], command.Tenant());
}

}  // namespace

std::vector<Candidate> PayloadCandidates(Client* daemon, const std::string& tenant) {
  std::vector<Candidate> candidates;
  if (daemon == nullptr) return candidates;
  v1::ListPayloadsRequest request;
  request.set_parent(StrCat("tenants/", tenant));
  const auto payloads = daemon->ListPayloads(request, kCandidatesMax);
  if (!payloads.ok()) return candidates;
  for (const v1::Payload& payload : payloads->payloads()) {
    candidates.push_back({ShortName(payload.name()),
                          StrCat(BytesText(payload.size_bytes()), " ", payload.content_type())});
  }
  return candidates;
}

absl::Status RunPayloads(Command& command) {
  v1::ListPayloadsRequest request;
  absl::StatusOr<std::string> parent = command.Parent();
  if (!parent.ok()) return parent.status();
  request.set_parent(*parent);
  const auto payloads = command.client->ListPayloads(request, kListedMax);
  if (!payloads.ok()) return payloads.status();
  PrintList(command, *payloads, "payloads",
            [&] { return RenderPayloads(*payloads, ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunPayloadsShow(Command& command) {
  const auto name = NamedPayload(command);
  if (!name.ok()) return name.status();
  const auto payload = command.client->GetPayload(*name);
  if (!payload.ok()) return payload.status();
  Print(command, *payload, [&] { return RenderPayload(*payload, ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunPayloadsPut(Command& command) {
  const auto file = InputFile::Open(command, command.arguments.positional()[0]);
  if (!file.ok()) return file.status();
  const auto payload = Upload(command, *file, "", command.arguments.ValueOr("content_type", ""));
  if (!payload.ok()) return payload.status();
  Print(command, *payload, [&] { return Escape(payload->name()) + "\n"; });
  return absl::OkStatus();
}

absl::Status RunPayloadsGet(Command& command) {
  const auto name = NamedPayload(command);
  if (!name.ok()) return name.status();
  const auto path = command.arguments.Value("to");
  return path ? DownloadToFile(command, *name, *path) : DownloadToOutput(command, *name);
}

absl::Status RunPayloadsDelete(Command& command) {
  const auto name = NamedPayload(command);
  if (!name.ok()) return name.status();
  return command.client->DeletePayload(*name);
}

}  // namespace grove::client::cli

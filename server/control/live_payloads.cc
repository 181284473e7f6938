// What is on disk and what is in the ledger, in which order:
//
// * An upload, or an output, has its last name and the folder is synced before the ledger has it,
//   and before anybody is told. Whoever dies between leaves a payload that no task names: it
//   expires.
// * A payload leaves the ledger before its file is removed. Whoever dies between leaves a file that
//   the next start finds: of no task, it expires again.
#include "server/control/live_payloads.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "proto/well_known_times.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/log.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using internal::v1::AttemptEnded;
using metrics::PayloadCell;
using tasks::Refusal;

constexpr size_t kContentTypeMax = 255;
constexpr size_t kSha256Digits = 64;
constexpr std::string_view kAnyBytes = "application/octet-stream";

absl::Status NotFound(std::string_view name) {
  return Refusal(absl::StatusCode::kNotFound, "PAYLOAD_NOT_FOUND", StrCat("there is no ", name),
                 {{"name", std::string(name)}});
}

absl::Status Mismatch(std::string_view what, std::string_view is, std::string_view wanted) {
  return tasks::BadField(StrCat("payload.", what), "PAYLOAD_MISMATCH",
                         StrCat("is ", wanted, ", but the payload's is ", is));
}

absl::Status CheckForm(const v1::Payload& wanted) {
  if (wanted.size_bytes() < 0) {
    return tasks::BadField("payload.size_bytes", "PAYLOAD_MISMATCH", "must not be negative");
  }
  const std::string& sha256 = wanted.sha256();
  const bool is_hex = sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!sha256.empty() && (sha256.size() != kSha256Digits || !is_hex)) {
    return tasks::BadField("payload.sha256", "PAYLOAD_MISMATCH",
                           "must be 64 hexadecimal digits in lower case");
  }
  const std::string& type = wanted.content_type();
  const bool is_printable =
      std::all_of(type.begin(), type.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (type.size() <= kContentTypeMax && is_printable) return absl::OkStatus();
  return tasks::BadField("payload.content_type", "CONTENT_TYPE_INVALID",
                         StrCat("must be at most ", kContentTypeMax, " printable characters"));
}

// Of a payload's.
std::string_view TenantOfName(std::string_view name) {
  const auto parsed = tenancy::ParsePayloadName(name);
  return parsed.ok() ? parsed->tenant : "";
}

void Fail(AttemptEnded& ended, AttemptEnded::Outcome outcome, const absl::Status& why) {
  ended.set_outcome(outcome);
  ended.clear_output();
  ended.clear_output_payload();
  ended.clear_output_content_type();
  *ended.mutable_error() = DescribeStatus(why);
  // Another attempt would most likely write as much again.
  const std::string reason = tasks::RefusalReason(why);
  ended.set_never_again(reason == "QUOTA_PAYLOAD_BYTES");
}

}  // namespace

LivePayloads::LivePayloads(const config::v1::Config& config, const tenancy::Directory& directory,
                           metrics::SharedSeries& series, WallClock wall)
    : limits_(config.tasks()),
      directory_(directory),
      wall_(std::move(wall)),
      folder_(payloads::PayloadFolderOf(config.state_dir())),
      usable_(!config.state_dir().empty()),
      ledger_({.bytes_max = limits_.payloads_max_bytes(),
               .retention_us = limits_.payload_retention_ms() * 1000,
               .number_max = tasks::kPayloadsMax}),
      tally_(series) {}

LivePayloads::~LivePayloads() {
  Stop();
}

absl::Status LivePayloads::Load() {
  if (!usable_) return absl::OkStatus();
  absl::Status status = folder_.Create();
  if (!status.ok()) return status;
  const absl::StatusOr<int> swept = folder_.Sweep();
  if (!swept.ok()) return swept.status();
  tally_.CountSwept(*swept);
  std::vector<std::string> damaged;
  status = folder_.ForEach(
      [&](std::string_view id, const v1::Payload& head) {
        if (!AddRecord(id, head).ok()) damaged.emplace_back(id);
      },
      damaged);
  for (const std::string& file : damaged) {
    Log(LogLevel::kError, "a file that is no payload stays", {{"file", file}});
  }
  if (ledger_.size() > 0 || *swept > 0) {
    Log(LogLevel::kInfo, "payloads found",
        {{"payloads", static_cast<int64_t>(ledger_.size())},
         {"bytes", ledger_.bytes()},
         {"swept", *swept}});
  }
  return status;
}

absl::Status LivePayloads::AddRecord(std::string_view id, const v1::Payload& head) {
  const auto name = tenancy::ParsePayloadName(head.name());
  if (!name.ok()) return name.status();
  const std::optional<tasks::TaskId> parsed = tasks::TaskId::Parse(id);
  if (!parsed || name->payload != id) {
    return absl::InvalidArgumentError(StrCat(head.name(), " lies in the file of ", id));
  }
  tasks::PayloadRecord record;
  record.tenant = std::string(name->tenant);
  record.id = *parsed;
  record.size_bytes = head.size_bytes();
  record.sha256 = head.sha256();
  record.content_type = head.content_type();
  record.create_us = proto::ToMicros(head.create_time());
  record.is_output = head.state() == v1::Payload::STATE_USED;
  ledger_.Add(std::move(record));
  return absl::OkStatus();
}

absl::Status LivePayloads::OnThread(absl::FunctionRef<absl::Status()> work) {
  absl::Status status;
  const absl::Status ran = offload_.Run([&] { status = work(); });
  return ran.ok() ? status : ran;
}

absl::Status LivePayloads::Counted(std::string_view tenant, absl::Status status) {
  if (absl::IsResourceExhausted(status)) tally_.Count(tenant, PayloadCell::kRefused);
  return status;
}

absl::Status LivePayloads::Sweep(const std::vector<std::string>& spared) {
  absl::StatusOr<int> swept = 0;
  absl::Status ran = offload_.Run([&] { swept = folder_.Sweep(spared); });
  if (!ran.ok()) return ran;
  if (swept.ok()) tally_.CountSwept(*swept);
  return swept.status();
}

absl::Status LivePayloads::Run() {
  for (;;) {
    Look();
    Timeout timeout(kPayloadsLook);
    absl::Status woken = look_.Wait();
    look_.Reset();
    if (absl::IsCancelled(woken)) return woken;
  }
}

void LivePayloads::Look() {
  const WallMicros now_us = wall_();
  for (const tasks::TaskId& id : ledger_.TakeLeaving(now_us, is_on_disk_)) {
    tally_.CountRemoved();
    const absl::Status removed = OnThread([&] { return folder_.Remove(id.ToString()); });
    if (!removed.ok() && !absl::IsCancelled(removed)) {
      Log(LogLevel::kError, "a payload's file stays", {{"error", removed.message()}});
    }
  }
  // A clock that was set back must not hold it up.
  const int64_t since_us = now_us - swept_us_;
  const bool is_due = since_us < 0 || since_us >= absl::ToInt64Microseconds(kPayloadsSweep);
  if (!usable_ || !(std::exchange(sweeps_, false) || is_due)) return;
  swept_us_ = now_us;
  const std::vector<std::string> spared = adopting_;
  const absl::Status swept = Sweep(spared);
  if (swept.ok() || absl::IsCancelled(swept)) return;
  Log(LogLevel::kError, "payloads are not swept", {{"error", swept.message()}});
}

void LivePayloads::SweepSoon() {
  sweeps_ = true;
  look_.Set();
}

absl::StatusOr<LivePayloads::TenantOf> LivePayloads::FindTenant(std::string_view parent) const {
  const auto tenant = tenancy::ParseTenantName(parent);
  if (!tenant.ok())
    return tasks::BadField("parent", "NAME_INVALID", Std(tenant.status().message()));
  const std::optional<size_t> index = directory_.FindTenant(*tenant);
  if (!index) {
    return Refusal(absl::StatusCode::kNotFound, "TENANT_NOT_FOUND", StrCat("there is no ", parent),
                   {{"tenant", std::string(parent)}});
  }
  if (directory_.tenants()[*index].draining) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "TENANT_DRAINING",
                   StrCat(parent, " is being deleted and takes no payloads"),
                   {{"tenant", std::string(parent)}});
  }
  return TenantOf{std::string(*tenant), directory_.QuotasOf(*index).payload_bytes_max};
}

absl::StatusOr<std::unique_ptr<PayloadUpload>> LivePayloads::Begin(std::string_view parent,
                                                                   const v1::Payload& wanted) {
  if (!usable_) {
    return Refusal(absl::StatusCode::kUnavailable, "STORE_UNAVAILABLE",
                   "there are no payloads without a state_dir");
  }
  if (absl::Status form = CheckForm(wanted); !form.ok()) return form;
  absl::StatusOr<TenantOf> tenant = FindTenant(parent);
  if (!tenant.ok()) return tenant.status();
  std::unique_ptr<PayloadUpload> upload(new PayloadUpload(*this, *std::move(tenant), wanted));
  absl::Status opened = Counted(upload->tenant_.name, upload->Open());
  if (!opened.ok()) return opened;
  return upload;
}

absl::StatusOr<std::unique_ptr<payloads::PayloadReader>> LivePayloads::Open(std::string_view name) {
  const tasks::PayloadRecord* record = ledger_.Find(name);
  if (record == nullptr) return NotFound(name);
  const std::string path = folder_.PathOf(record->id.ToString());
  std::unique_ptr<payloads::PayloadReader> opened;
  const absl::Status status = OnThread([&]() -> absl::Status {
    auto reader = payloads::PayloadReader::Open(path);
    if (!reader.ok()) return reader.status();
    opened = *std::move(reader);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  tally_.Count(TenantOfName(name), PayloadCell::kDownloads);
  return opened;
}

absl::StatusOr<std::string> LivePayloads::ReadAt(const payloads::PayloadReader& reader,
                                                 int64_t offset, size_t max) {
  absl::StatusOr<std::string> data;
  const absl::Status ran = offload_.Run([&] { data = reader.ReadAt(offset, max); });
  if (!ran.ok()) return ran;
  if (data.ok()) {
    tally_.Count(TenantOfName(reader.head().name()), PayloadCell::kSentBytes,
                 static_cast<int64_t>(data->size()));
  }
  return data;
}

absl::StatusOr<v1::Payload> LivePayloads::Get(std::string_view name) const {
  const tasks::PayloadRecord* record = ledger_.Find(name);
  if (record == nullptr) return NotFound(name);
  return View(*record);
}

absl::Status LivePayloads::Remove(std::string_view name) {
  absl::Status removed = ledger_.Remove(name);
  look_.Set();
  return removed;
}

void LivePayloads::RemoveAllOf(std::string_view tenant) {
  ledger_.RemoveAllOf(tenant);
  look_.Set();
}

v1::Payload LivePayloads::View(const tasks::PayloadRecord& record) const {
  v1::Payload view;
  view.set_name(record.name());
  view.set_size_bytes(record.size_bytes);
  view.set_sha256(record.sha256);
  view.set_content_type(record.content_type);
  view.set_task_count(record.tasks);
  view.set_schedule_count(record.schedules);
  view.set_state(record.is_named() ? v1::Payload::STATE_USED : v1::Payload::STATE_UNUSED);
  proto::SetMicros(record.create_us, view.mutable_create_time());
  if (!record.is_named()) proto::SetMicros(record.expire_us, view.mutable_expire_time());
  return view;
}

std::vector<metrics::HeldPayloads> LivePayloads::Held() const {
  std::vector<metrics::HeldPayloads> all;
  for (const auto& [tenant, held] : ledger_.held()) {
    all.push_back({.tenant = tenant, .files = held.files, .bytes = held.bytes});
  }
  return all;
}

internal::v1::PayloadBounds LivePayloads::Bounds() const {
  internal::v1::PayloadBounds bounds;
  bounds.set_payload_max_bytes(limits_.payload_max_bytes());
  bounds.set_input_max_bytes(limits_.input_max_bytes());
  bounds.set_disk_reserve_bytes(limits_.disk_reserve_bytes());
  return bounds;
}

std::vector<std::string> LivePayloads::TakeOutputs(internal::v1::WorkerFrame& frame) {
  std::vector<std::string> names;
  for (AttemptEnded& ended : *frame.mutable_ended()) {
    if (!ended.has_output_payload()) continue;
    absl::StatusOr<std::string> name = TakeOutput(ended.output_payload().file());
    if (name.ok()) {
      names.push_back(*std::move(name));
      continue;
    }
    // Its worker is gone, and with it the file: as with all else that died with the worker.
    const bool is_gone = absl::IsDataLoss(name.status()) || absl::IsCancelled(name.status());
    Fail(ended, is_gone ? AttemptEnded::OUTCOME_INTERRUPTED : AttemptEnded::OUTCOME_FAILED,
         name.status());
    SweepSoon();
  }
  return names;
}

absl::StatusOr<std::string> LivePayloads::TakeOutput(const std::string& id) {
  if (!tasks::TaskId::Parse(id)) return absl::DataLossError("the output's file has no name");
  const std::string part = StrCat(id, payloads::kPartSuffix);
  adopting_.push_back(part);
  const auto done = absl::MakeCleanup([&] { std::erase(adopting_, part); });
  v1::Payload head;
  absl::Status status = OnThread([&]() -> absl::Status {
    absl::StatusOr<v1::Payload> adopted = folder_.Adopt(id);
    if (!adopted.ok()) return adopted.status();
    head = *std::move(adopted);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  // Told again, after a link was made anew.
  if (ledger_.Find(head.name()) != nullptr) return head.name();
  const auto name = tenancy::ParsePayloadName(head.name());
  const std::optional<size_t> tenant =
      name.ok() ? directory_.FindTenant(name->tenant) : std::nullopt;
  status = tenant ? Counted(name->tenant,
                            ledger_.Reserve(name->tenant, head.size_bytes(),
                                            directory_.QuotasOf(*tenant).payload_bytes_max))
                  : absl::DataLossError("the output is of no tenant");
  if (!status.ok()) {
    OnThread([&] { return folder_.Remove(id); }).IgnoreError();
    return status;
  }
  status = AddRecord(id, head);
  ledger_.Unreserve(name->tenant, head.size_bytes());
  if (!status.ok()) return status;
  tally_.Count(name->tenant, PayloadCell::kOutputs);
  return head.name();
}

void LivePayloads::DropUntaken(const std::vector<std::string>& outputs) {
  for (const std::string& name : outputs) {
    const tasks::PayloadRecord* record = ledger_.Find(name);
    if (record != nullptr && !record->is_named()) Remove(name).IgnoreError();
  }
}

// --- PayloadUpload -------------------------------------------------------------------------------

PayloadUpload::~PayloadUpload() {
  payloads_.ledger_.Unreserve(tenant_.name, reserved_);
  if (writer_ == nullptr) return;
  // A large file takes long to remove, and nothing may park here.
  writer_->Keep();
  writer_.reset();
  payloads_.SweepSoon();
}

absl::Status PayloadUpload::Reserve(int64_t bytes) {
  absl::Status room = payloads_.ledger_.Reserve(tenant_.name, bytes, tenant_.bytes_max);
  if (room.ok()) reserved_ += bytes;
  return room;
}

absl::Status PayloadUpload::Open() {
  const int64_t payload_max = payloads_.limits_.payload_max_bytes();
  if (wanted_.size_bytes() > payload_max) {
    return Refusal(absl::StatusCode::kResourceExhausted, "PAYLOAD_TOO_LARGE",
                   StrCat("the payload has ", wanted_.size_bytes(), " bytes, more than the ",
                          payload_max, " of tasks.payload_max_bytes"));
  }
  if (absl::Status room = Reserve(wanted_.size_bytes()); !room.ok()) return room;
  const int64_t reserve = payloads_.limits_.disk_reserve_bytes();
  const std::string& folder = payloads_.folder_.path();
  id_ = payloads::NewPayloadId(payloads_.wall_() / 1000);
  return payloads_.OnThread([&]() -> absl::Status {
    absl::Status room = payloads::CheckVolume(folder, reserve, wanted_.size_bytes());
    if (!room.ok()) return room;
    auto writer = payloads::PayloadWriter::Create(
        folder, id_, {.bytes_max = payload_max, .disk_reserve_bytes = reserve});
    if (!writer.ok()) return writer.status();
    writer_ = *std::move(writer);
    return absl::OkStatus();
  });
}

absl::Status PayloadUpload::Write(std::string_view data) {
  absl::Status written = payloads_.Counted(tenant_.name, WriteData(data));
  if (written.ok()) {
    payloads_.tally_.Count(tenant_.name, PayloadCell::kReceivedBytes,
                           static_cast<int64_t>(data.size()));
  }
  return written;
}

absl::Status PayloadUpload::WriteData(std::string_view data) {
  const int64_t bytes = writer_->size_bytes() + static_cast<int64_t>(data.size());
  if (wanted_.size_bytes() > 0 && bytes > wanted_.size_bytes()) {
    return Mismatch("size_bytes", "larger", StrCat(wanted_.size_bytes()));
  }
  if (bytes > reserved_) {
    // Where no whole step fits, what is there may yet do.
    const int64_t needed = bytes - reserved_;
    absl::Status room = Reserve(std::max(needed, kReserveBytes));
    if (!room.ok()) room = Reserve(needed);
    if (!room.ok()) return room;
  }
  return payloads_.OnThread([&] { return writer_->Write(data); });
}

absl::Status PayloadUpload::CheckWanted(const v1::Payload& head) const {
  if (wanted_.size_bytes() > 0 && head.size_bytes() != wanted_.size_bytes()) {
    return Mismatch("size_bytes", StrCat(head.size_bytes()), StrCat(wanted_.size_bytes()));
  }
  if (!wanted_.sha256().empty() && head.sha256() != wanted_.sha256()) {
    return Mismatch("sha256", head.sha256(), wanted_.sha256());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Payload> PayloadUpload::Finish() {
  v1::Payload head;
  const std::string name = tenancy::FormatPayloadName(tenant_.name, id_);
  head.set_name(name);
  head.set_content_type(wanted_.content_type().empty() ? std::string(kAnyBytes)
                                                       : wanted_.content_type());
  proto::SetMicros(payloads_.wall_(), head.mutable_create_time());
  const absl::Status status = payloads_.OnThread([&]() -> absl::Status {
    if (absl::Status finished = writer_->Finish(head); !finished.ok()) return finished;
    if (absl::Status wanted = CheckWanted(head); !wanted.ok()) return wanted;
    return payloads_.folder_.Adopt(id_).status();
  });
  if (!status.ok()) return status;
  writer_->Keep();
  writer_.reset();
  payloads_.ledger_.Unreserve(tenant_.name, std::exchange(reserved_, 0));
  if (absl::Status added = payloads_.AddRecord(id_, head); !added.ok()) return added;
  // It may have gone meanwhile.
  const auto tenant = payloads_.FindTenant(tenancy::FormatTenantName(tenant_.name));
  if (!tenant.ok()) {
    payloads_.ledger_.Remove(name).IgnoreError();
    return tenant.status();
  }
  payloads_.tally_.Count(tenant_.name, PayloadCell::kUploads);
  return payloads_.Get(name);
}

}  // namespace grove::control

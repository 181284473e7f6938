#include "server/tasks/payload_ledger.h"

#include <algorithm>
#include <optional>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

constexpr int64_t kFullRetryMs = 5000;

int64_t ValueOf(const absl::flat_hash_map<std::string, int64_t>& of, std::string_view tenant) {
  const auto found = of.find(Abseil(tenant));
  return found == of.end() ? 0 : found->second;
}

void Subtract(absl::flat_hash_map<std::string, int64_t>& of, std::string_view tenant,
              int64_t bytes) {
  const auto found = of.find(Abseil(tenant));
  if (found != of.end() && (found->second -= bytes) == 0) of.erase(found);
}

}  // namespace

std::string PayloadRecord::name() const {
  return tenancy::FormatPayloadName(tenant, id.ToString());
}

absl::Status PayloadLedger::Reserve(std::string_view tenant, int64_t bytes, int64_t tenant_max) {
  const int64_t own = BytesOf(tenant) + ValueOf(reserved_of_, tenant);
  if (tenant_max > 0 && own + bytes > tenant_max) {
    const std::string name = tenancy::FormatTenantName(tenant);
    const std::string bound =
        StrCat(own, " of ", tenant_max, " bytes of payloads (quotas.payload_bytes_max)");
    absl::Status refusal =
        Refusal(absl::StatusCode::kResourceExhausted, "QUOTA_PAYLOAD_BYTES",
                StrCat(name, " has ", bound, ": there is no room for ", bytes, " more"),
                {{"tenant", name}, {"payload_bytes_max", StrCat(tenant_max)}});
    return WithRetryAfter(WithQuotaFailure(std::move(refusal), name, bound), kFullRetryMs);
  }
  // How much others have, a tenant is not told.
  if (bytes_ + reserved_ + bytes > bounds_.bytes_max || records_.size() >= bounds_.number_max) {
    return WithRetryAfter(Refusal(absl::StatusCode::kResourceExhausted, "PAYLOADS_FULL",
                                  "there are as many payloads as there may be "
                                  "(tasks.payloads_max_bytes)"),
                          kFullRetryMs);
  }
  reserved_ += bytes;
  if (bytes > 0) reserved_of_[std::string(tenant)] += bytes;
  return absl::OkStatus();
}

void PayloadLedger::Unreserve(std::string_view tenant, int64_t bytes) {
  reserved_ -= bytes;
  Subtract(reserved_of_, tenant, bytes);
}

int64_t PayloadLedger::BytesOf(std::string_view tenant) const {
  const auto found = held_of_.find(Abseil(tenant));
  return found == held_of_.end() ? 0 : found->second.bytes;
}

void PayloadLedger::Add(PayloadRecord record) {
  record.tasks = 0;
  record.schedules = 0;
  record.expire_us = record.create_us + bounds_.retention_us;
  const Key key(record.tenant, record.id);
  const auto [place, added] = records_.try_emplace(key, std::move(record));
  if (!added) return;
  bytes_ += place->second.size_bytes;
  Held& held = held_of_[key.first];
  ++held.files;
  held.bytes += place->second.size_bytes;
  Await(place->second);
}

PayloadRecord* PayloadLedger::Mutable(std::string_view name) {
  const auto parsed = tenancy::ParsePayloadName(name);
  if (!parsed.ok()) return nullptr;
  const std::optional<TaskId> id = TaskId::Parse(parsed->payload);
  if (!id) return nullptr;
  const auto found = records_.find(Key(parsed->tenant, *id));
  return found == records_.end() ? nullptr : &found->second;
}

const PayloadRecord* PayloadLedger::Find(std::string_view name) const {
  return const_cast<PayloadLedger*>(this)->Mutable(name);
}

std::vector<const PayloadRecord*> PayloadLedger::List(std::string_view tenant, const Key& after,
                                                      size_t max) const {
  const Key first(tenant, TaskId());
  std::vector<const PayloadRecord*> found;
  for (auto it = records_.upper_bound(std::max(after, first));
       it != records_.end() && found.size() < max; ++it) {
    if (!tenant.empty() && it->first.first != tenant) break;
    found.push_back(&it->second);
  }
  return found;
}

absl::Status PayloadLedger::Remove(std::string_view name) {
  PayloadRecord& record = *Mutable(name);
  if (record.is_named()) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "PAYLOAD_IN_USE",
                   StrCat(name, " is named by ", record.tasks, " tasks and ", record.schedules,
                          " schedules, and goes with the last of them"),
                   {{"payload", std::string(name)}});
  }
  Drop(record);
  return absl::OkStatus();
}

void PayloadLedger::RemoveAllOf(std::string_view tenant) {
  for (auto it = records_.lower_bound(Key(tenant, TaskId()));
       it != records_.end() && it->first.first == tenant; ++it) {
    Drop(it->second);
  }
}

void PayloadLedger::Drop(PayloadRecord& record) {
  if (!record.is_named()) Unawait(record);
  record.tasks = 0;
  record.schedules = 0;
  record.expire_us = 0;
  record.ticket = 0;
  Await(record);
}

void PayloadLedger::LetGo(PayloadRecord& record, uint64_t ticket) {
  record.expire_us = 0;
  record.ticket = std::max(record.ticket, ticket);
  if (!record.is_named()) Await(record);
}

void PayloadLedger::Await(const PayloadRecord& record) {
  unused_.insert({record.expire_us, Key(record.tenant, record.id)});
}

void PayloadLedger::Unawait(const PayloadRecord& record) {
  unused_.erase({record.expire_us, Key(record.tenant, record.id)});
}

void PayloadLedger::Hold(std::string_view name, TaskId task) {
  PayloadRecord* record = Mutable(name);
  if (record == nullptr) return;
  std::vector<std::string>& names = names_of_[task];
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  names.emplace_back(name);
  if (!record->is_named()) Unawait(*record);
  ++record->tasks;
}

void PayloadLedger::Release(std::string_view name, TaskId task, uint64_t ticket) {
  const auto names = names_of_.find(task);
  if (names == names_of_.end() || std::erase(names->second, name) == 0) return;
  if (names->second.empty()) names_of_.erase(names);
  PayloadRecord* record = Mutable(name);
  if (record == nullptr || record->tasks == 0) return;
  --record->tasks;
  LetGo(*record, ticket);
}

void PayloadLedger::ReleaseAll(TaskId task, uint64_t ticket) {
  const auto names = names_of_.find(task);
  if (names == names_of_.end()) return;
  for (const std::string& name : std::vector<std::string>(names->second)) {
    Release(name, task, ticket);
  }
}

void PayloadLedger::HoldForSchedule(std::string_view name) {
  PayloadRecord* record = Mutable(name);
  if (record == nullptr) return;
  if (!record->is_named()) Unawait(*record);
  ++record->schedules;
}

void PayloadLedger::ReleaseFromSchedule(std::string_view name) {
  PayloadRecord* record = Mutable(name);
  if (record == nullptr || record->schedules == 0) return;
  --record->schedules;
  LetGo(*record, 0);
}

void PayloadLedger::UndoHoldForSchedule(std::string_view name) {
  PayloadRecord* record = Mutable(name);
  if (record == nullptr || record->schedules == 0) return;
  --record->schedules;
  if (!record->is_named()) Await(*record);
}

void PayloadLedger::EndRecovery(WallMicros now_us) {
  for (auto& [key, record] : records_) {
    if (!record.is_output || record.is_named()) continue;
    Unawait(record);
    record.expire_us = now_us + kOutputGraceUs;
    Await(record);
  }
}

std::vector<TaskId> PayloadLedger::TakeLeaving(
    WallMicros now_us, absl::FunctionRef<bool(uint64_t ticket)> is_on_disk) {
  std::vector<TaskId> leaving;
  for (auto it = unused_.begin(); it != unused_.end() && it->first <= now_us;) {
    const auto found = records_.find(it->second);
    const PayloadRecord& record = found->second;
    if (record.ticket > 0 && !is_on_disk(record.ticket)) {
      ++it;
      continue;
    }
    bytes_ -= record.size_bytes;
    const auto held = held_of_.find(record.tenant);
    held->second.bytes -= record.size_bytes;
    if (--held->second.files == 0) held_of_.erase(held);
    leaving.push_back(record.id);
    records_.erase(found);
    it = unused_.erase(it);
  }
  return leaving;
}

}  // namespace grove::tasks

#include "client/cli/quota_flags.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

// Ranges are the server's to check. The fields are all numbers of one kind.
absl::Status TakeFlags(const Command& command, const std::vector<FlagSpec>& flags,
                       google::protobuf::Message& message, std::vector<std::string>& taken) {
  for (const FlagSpec& flag : flags) {
    if (!command.arguments.Has(flag.name)) continue;
    const auto value = IntegerFlag(command, flag.name, 0, 0, INT64_MAX);
    if (!value.ok()) return value.status();
    message.GetReflection()->SetInt64(&message, message.GetDescriptor()->FindFieldByName(flag.name),
                                      *value);
    taken.push_back(flag.name);
  }
  return absl::OkStatus();
}

std::string Rate(int64_t per_second, int64_t per_minute, int64_t burst) {
  const int64_t times = per_second > 0 ? per_second : per_minute;
  if (times == 0) return "";
  return StrCat(times, per_second > 0 ? "/s" : "/min",
                burst == 0 ? "" : StrCat(", ", burst, " at once"));
}

}  // namespace

std::vector<FlagSpec> LimitFlags() {
  return {
      {"running_max", "N", "Slots that running tasks take: each 1, or its slot cost."},
      {"queued_max", "N", "Tasks that wait, those for later included."},
      {"spawns_per_second", "N", "Spawns; or by minute."},
      {"spawns_per_minute", "N", "Spawns; or by second."},
      {"spawn_burst", "N", "Spawns at once after a pause; those of one second, or minute."},
  };
}

std::vector<FlagSpec> QuotaFlags() {
  std::vector<FlagSpec> flags = LimitFlags();
  flags.push_back({"queued_bytes_max", "BYTES", "Inputs of tasks that wait."});
  flags.push_back({"output_bytes_max", "BYTES", "Output of a task; one with more has failed."});
  flags.push_back({"payload_bytes_max", "BYTES", "Payloads on disk."});
  flags.push_back({"http_requests_max", "N", "HTTP requests at once, over all workers."});
  flags.push_back({"http_requests_per_second", "N", "HTTP requests; or by minute."});
  flags.push_back({"http_requests_per_minute", "N", "HTTP requests; or by second."});
  flags.push_back({"http_burst", "N", "HTTP requests at once after a pause."});
  flags.push_back({"fetches_max", "N", "Outgoing HTTP requests at once; others wait."});
  return flags;
}

absl::Status TakeQuotas(const Command& command, v1::Tenant& tenant,
                        google::protobuf::FieldMask& mask) {
  v1::Quotas quotas;
  std::vector<std::string> taken;
  absl::Status status = TakeFlags(command, QuotaFlags(), quotas, taken);
  if (!status.ok() || taken.empty()) return status;
  *tenant.mutable_quotas() = quotas;
  for (const std::string& field : taken) mask.add_paths(StrCat("quotas.", field));
  return absl::OkStatus();
}

absl::StatusOr<bool> TakeLimit(const Command& command, v1::Limit& limit) {
  std::vector<std::string> taken;
  absl::Status status = TakeFlags(command, LimitFlags(), limit, taken);
  if (!status.ok()) return status;
  return !taken.empty();
}

std::string RateText(const v1::Quotas& quotas) {
  return Rate(quotas.spawns_per_second(), quotas.spawns_per_minute(), quotas.spawn_burst());
}

std::string RateText(const v1::Limit& limit) {
  return Rate(limit.spawns_per_second(), limit.spawns_per_minute(), limit.spawn_burst());
}

std::string HttpRateText(const v1::Quotas& quotas) {
  return Rate(quotas.http_requests_per_second(), quotas.http_requests_per_minute(),
              quotas.http_burst());
}

}  // namespace grove::client::cli

#include "server/tasks/input_payload.h"

#include <string>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {

absl::Status CheckInputPayload(const PayloadLedger* payloads, std::string_view tenant,
                               const v1::TaskSpec& spec, int64_t whole_max) {
  const std::string& name = spec.input_payload();
  if (name.empty()) return absl::OkStatus();
  const auto parsed = tenancy::ParsePayloadName(name);
  if (!parsed.ok()) {
    return BadField("spec.input_payload", "NAME_INVALID", Std(parsed.status().message()));
  }
  if (!spec.input().empty()) {
    return BadField("spec.input_payload", "INPUT_AMBIGUOUS",
                    "and spec.input are both given; an input is one or the other");
  }
  const PayloadRecord* record = payloads == nullptr ? nullptr : payloads->Find(name);
  // Another tenant's is as one that never was.
  if (record == nullptr || record->tenant != tenant) {
    return Refusal(absl::StatusCode::kNotFound, "PAYLOAD_NOT_FOUND", StrCat("there is no ", name),
                   {{"payload", name}});
  }
  if (record->size_bytes <= whole_max) return absl::OkStatus();
  return BadField(
      "spec.input_payload", "INPUT_TOO_LARGE",
      StrCat("has ", record->size_bytes, " bytes, and ", spec.function(),
             " reads its input whole: at most ", whole_max, " (tasks.input_max_bytes) are allowed"),
      {{"size_bytes", StrCat(record->size_bytes)}, {"max_bytes", StrCat(whole_max)}});
}

}  // namespace grove::tasks

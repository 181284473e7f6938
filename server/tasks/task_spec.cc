#include "server/tasks/task_spec.h"

#include <algorithm>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/json_grammar.h"
#include "server/tasks/refusal.h"
#include "server/tasks/webhook_url.h"
#include "server/tenancy/directory.h"
#include "server/tenancy/quotas.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

using proto::SetMicros;
using proto::ToMicros;

constexpr size_t kQuotedMax = 100;
constexpr int64_t kTimeMaxS = 253402300799;

std::string Quoted(std::string_view text) {
  return StrCat("\"", absl::CHexEscape(Abseil(text.substr(0, kQuotedMax))), "\"");
}

// Parameters ("; charset=utf-8") do not change what it is.
bool IsJson(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return content_type.empty() ||
         absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(Abseil(type)), Abseil(kJsonContentType));
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

absl::Status CheckFunction(const v1::TaskSpec& spec,
                           absl::FunctionRef<bool(std::string_view)> is_known) {
  if (spec.function().empty()) {
    return BadField("spec.function", "FUNCTION_REQUIRED",
                    "is empty; name a function that ListFunctions shows");
  }
  if (spec.function().size() > kFunctionNameMax || !is_known(spec.function())) {
    const std::string name = Quoted(spec.function());
    return BadField("spec.function", "UNKNOWN_FUNCTION",
                    StrCat("no worker has a function ", name, "; ListFunctions shows them"),
                    {{"function", name}});
  }
  return absl::OkStatus();
}

absl::Status CheckInput(const v1::TaskSpec& spec, const SpecLimits& limits) {
  const std::string& input = spec.input();
  if (input.size() > limits.input_max_bytes) {
    return BadField(
        "spec.input", "INPUT_TOO_LARGE",
        StrCat("is ", input.size(), " bytes; at most ", limits.input_max_bytes,
               " (tasks.input_max_bytes) are allowed"),
        {{"size_bytes", StrCat(input.size())}, {"max_bytes", StrCat(limits.input_max_bytes)}});
  }
  const std::string& type = spec.content_type();
  if (type.size() > kContentTypeMax || !IsPrintable(type)) {
    return BadField("spec.content_type", "CONTENT_TYPE_INVALID",
                    StrCat("must be at most ", kContentTypeMax, " printable characters"));
  }
  if (input.empty() || !IsJson(type)) return absl::OkStatus();
  const absl::Status json = CheckJson(input);
  if (json.ok()) return absl::OkStatus();
  return BadField("spec.input", "INPUT_NOT_JSON",
                  StrCat("is not JSON (", Std(json.message()), "): ", Quoted(input),
                         "; send JSON or say what it is in content_type"));
}

absl::Status CheckQueue(const v1::TaskSpec& spec, std::string_view tenant) {
  const std::string& queue = spec.queue();
  if (queue.empty() || tenancy::IsShortName(queue)) return absl::OkStatus();
  const auto name = tenancy::ParseQueueName(queue);
  if (!name.ok()) {
    return BadField("spec.queue", "QUEUE_NAME_INVALID",
                    StrCat(Quoted(queue), " is neither a queue's short name nor of the form ",
                           tenancy::FormatQueueName(tenant, "QUEUE")));
  }
  if (name->tenant == tenant) return absl::OkStatus();
  return BadField("spec.queue", "QUEUE_OF_OTHER_TENANT",
                  StrCat(queue, " does not belong to ", tenancy::FormatTenantName(tenant)),
                  {{"queue", queue}});
}

// `kind` is DELAY or TIMEOUT or BACKOFF, and becomes part of the reason.
absl::Status CheckDuration(std::string_view field, std::string_view kind,
                           const google::protobuf::Duration& duration, int64_t max_us) {
  if (duration.seconds() < 0 || duration.nanos() < 0) {
    return BadField(field, StrCat("NEGATIVE_", kind), "must not be negative");
  }
  if (duration.nanos() >= 1000000000) {
    return BadField(field, "DURATION_INVALID", "has a second or more in its nanoseconds");
  }
  const int64_t max_s = max_us / kUsPerSecond;
  if (duration.seconds() > max_s || (duration.seconds() == max_s && duration.nanos() > 0)) {
    return BadField(field, StrCat(kind, "_TOO_LONG"),
                    StrCat("is ", duration.seconds(), " s; at most ", max_s, " s are allowed"));
  }
  return absl::OkStatus();
}

absl::Status CheckRetryRest(const v1::RetryPolicy& policy) {
  // Written so that NaN fails.
  if (!(policy.jitter() >= 0 && policy.jitter() <= 1)) {
    return BadField("spec.retry_policy.jitter", "RETRY_POLICY_INVALID",
                    StrCat("is ", policy.jitter(), "; 0 to 1 are allowed"));
  }
  for (const int32_t code : policy.not_retried_codes()) {
    if (code > 0 && code < kErrorCodesEnd) continue;
    return BadField("spec.retry_policy.not_retried_codes", "RETRY_POLICY_INVALID",
                    StrCat("has ", code, ", which is no google.rpc.Code of an error"));
  }
  return absl::OkStatus();
}

absl::Status CheckRetryPolicy(const v1::RetryPolicy& policy) {
  if (policy.max_attempts() < 0 || policy.max_attempts() > kMaxAttemptsMax) {
    return BadField(
        "spec.retry_policy.max_attempts", "RETRY_POLICY_INVALID",
        StrCat("is ", policy.max_attempts(), "; 0 to ", kMaxAttemptsMax, " are allowed"));
  }
  const double multiplier = policy.backoff_multiplier();
  // Written so that NaN fails.
  if (multiplier != 0 && !(multiplier >= 1 && multiplier <= kBackoffMultiplierMax)) {
    return BadField("spec.retry_policy.backoff_multiplier", "RETRY_POLICY_INVALID",
                    StrCat("is ", multiplier, "; 1 to ", kBackoffMultiplierMax,
                           " are allowed, 0 means ", kBackoffMultiplierDefault));
  }
  absl::Status status = CheckDuration("spec.retry_policy.initial_backoff", "BACKOFF",
                                      policy.initial_backoff(), kBackoffMaxUs);
  if (!status.ok()) return status;
  status = CheckDuration("spec.retry_policy.max_backoff", "BACKOFF", policy.max_backoff(),
                         kBackoffMaxUs);
  if (!status.ok()) return status;
  if (policy.has_initial_backoff() && policy.has_max_backoff() &&
      ToMicros(policy.max_backoff()) < ToMicros(policy.initial_backoff())) {
    return BadField("spec.retry_policy.max_backoff", "RETRY_POLICY_INVALID",
                    "is shorter than initial_backoff");
  }
  return CheckRetryRest(policy);
}

absl::Status CheckUniqueKey(const v1::TaskSpec& spec) {
  if (!spec.has_unique_key()) return absl::OkStatus();
  const v1::UniqueKey& unique = spec.unique_key();
  if (unique.key().empty() || unique.key().size() > kUniqueKeyMax || !IsPrintable(unique.key())) {
    return BadField("spec.unique_key.key", "UNIQUE_KEY_INVALID",
                    StrCat("must be 1 to ", kUniqueKeyMax, " printable ASCII characters"));
  }
  if (v1::UniqueKey::OnConflict_IsValid(unique.on_conflict())) return absl::OkStatus();
  return BadField("spec.unique_key.on_conflict", "UNIQUE_KEY_INVALID",
                  StrCat("is the unknown value ", static_cast<int>(unique.on_conflict())));
}

absl::Status CheckLimitKeys(const v1::TaskSpec& spec) {
  if (spec.limit_keys_size() > kLimitKeysPerTaskMax) {
    return BadField(
        "spec.limit_keys", "TOO_MANY_LIMIT_KEYS",
        StrCat("has ", spec.limit_keys_size(), "; at most ", kLimitKeysPerTaskMax, " are allowed"));
  }
  for (const std::string& key : spec.limit_keys()) {
    if (tenancy::IsLimitKey(key)) continue;
    return BadField("spec.limit_keys", "LIMIT_KEY_INVALID",
                    StrCat("has ", Quoted(key), "; a key is 1 to ", tenancy::kLimitKeyBytesMax,
                           " bytes of printable ASCII but blanks, \"/\" and \"*\""));
  }
  if (spec.slot_cost() >= 0 && spec.slot_cost() <= kSlotCostMax) return absl::OkStatus();
  return BadField("spec.slot_cost", "SLOT_COST_OUT_OF_RANGE",
                  StrCat("is ", spec.slot_cost(), "; 1 to ", kSlotCostMax,
                         " are allowed, 0 means the default"));
}

absl::Status CheckRelations(const v1::TaskSpec& spec) {
  if (spec.after_size() > kAfterMax) {
    return BadField(
        "spec.after", "TOO_MANY_AFTER",
        StrCat("has ", spec.after_size(), " entries; at most ", kAfterMax, " are allowed"));
  }
  for (const std::string& name : spec.after()) {
    const auto parsed = tenancy::ParseTaskName(name);
    if (!parsed.ok()) return BadField("spec.after", "NAME_INVALID", Std(parsed.status().message()));
  }
  if (!v1::AfterCondition_IsValid(spec.after_condition())) {
    return BadField("spec.after_condition", "REQUEST_MALFORMED",
                    StrCat("is the unknown value ", static_cast<int>(spec.after_condition())));
  }
  if (!spec.has_sequence()) return absl::OkStatus();
  const v1::Sequence& sequence = spec.sequence();
  if (sequence.key().empty() || sequence.key().size() > kSequenceKeyMax ||
      !IsPrintable(sequence.key())) {
    return BadField("spec.sequence.key", "SEQUENCE_KEY_INVALID",
                    StrCat("must be 1 to ", kSequenceKeyMax, " printable ASCII characters"));
  }
  if (v1::Sequence::OnFailure_IsValid(sequence.on_failure())) return absl::OkStatus();
  return BadField("spec.sequence.on_failure", "SEQUENCE_KEY_INVALID",
                  StrCat("is the unknown value ", static_cast<int>(sequence.on_failure())));
}

absl::Status CheckTimeouts(const v1::TaskSpec& spec) {
  absl::Status status = CheckDuration("spec.timeout", "TIMEOUT", spec.timeout(), kTimeoutMaxUs);
  if (status.ok()) {
    status = CheckDuration("spec.schedule_to_start_timeout", "TIMEOUT",
                           spec.schedule_to_start_timeout(), kScheduleToStartMaxUs);
  }
  if (status.ok()) {
    status = CheckDuration("spec.heartbeat_timeout", "TIMEOUT", spec.heartbeat_timeout(),
                           kHeartbeatMaxUs);
  }
  return status;
}

absl::Status CheckLabels(const v1::TaskSpec& spec) {
  if (spec.labels().size() > kLabelsMax) {
    return BadField(
        "spec.labels", "TOO_MANY_LABELS",
        StrCat("has ", spec.labels().size(), " entries; at most ", kLabelsMax, " are allowed"));
  }
  for (const auto& [key, value] : spec.labels()) {
    if (key.empty() || key.size() > kLabelKeyMax) {
      return BadField("spec.labels", "LABEL_KEY_INVALID",
                      StrCat("key ", Quoted(key), " must be 1 to ", kLabelKeyMax, " bytes"));
    }
    if (value.size() > kLabelValueMax) {
      return BadField("spec.labels", "LABEL_VALUE_TOO_LONG",
                      StrCat("value of ", Quoted(key), " is ", value.size(), " bytes; at most ",
                             kLabelValueMax, " are allowed"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPriority(const v1::TaskSpec& spec) {
  if (spec.priority() >= 0 && spec.priority() <= kPriorityMax) return absl::OkStatus();
  return BadField("spec.priority", "PRIORITY_OUT_OF_RANGE",
                  StrCat("is ", spec.priority(), "; 0 to ", kPriorityMax, " are allowed"));
}

// What google.protobuf.Timestamp allows, and not both.
absl::Status CheckStart(const v1::TaskSpec& spec) {
  if (!spec.has_start_time()) return absl::OkStatus();
  if (spec.has_delay()) {
    return BadField("spec.start_time", "START_TIME_INVALID", "and spec.delay are both given");
  }
  const google::protobuf::Timestamp& time = spec.start_time();
  if (time.seconds() >= 0 && time.seconds() <= kTimeMaxS && time.nanos() >= 0 &&
      time.nanos() < 1000000000) {
    return absl::OkStatus();
  }
  return BadField("spec.start_time", "START_TIME_INVALID",
                  "is no time between the years 1970 and 9999");
}

absl::Status CheckRest(const v1::TaskSpec& spec) {
  if (spec.request_id().size() > kRequestIdMax || !IsPrintable(spec.request_id())) {
    return BadField("spec.request_id", "REQUEST_ID_INVALID",
                    StrCat("must be at most ", kRequestIdMax, " printable ASCII characters"));
  }
  if (!v1::Durability_IsValid(spec.durability())) {
    return BadField("spec.durability", "DURABILITY_INVALID",
                    StrCat("is the unknown value ", static_cast<int>(spec.durability())));
  }
  return absl::OkStatus();
}

// nullptr: it says nothing of others.
std::unique_ptr<SpecRelations> NormaliseRelations(const v1::TaskSpec& spec) {
  if (spec.after().empty() && !spec.has_sequence() && !spec.has_webhook()) return nullptr;
  auto relations = std::make_unique<SpecRelations>();
  absl::flat_hash_set<std::string_view> known;
  for (const std::string& name : spec.after()) {
    if (known.insert(name).second) relations->after.Add(name);
  }
  relations->needs_success = spec.after_condition() == v1::AFTER_CONDITION_SUCCEEDED;
  relations->webhook_url = spec.webhook().url();
  relations->sequence = spec.sequence().key();
  relations->halts = spec.sequence().on_failure() == v1::Sequence::ON_FAILURE_HALT;
  return relations;
}

void FillRelations(const SpecRelations& relations, v1::TaskSpec& spec) {
  const TaskNames& after = relations.after;
  for (size_t i = 0; i < after.size(); ++i) spec.add_after(after.NameOf(i));
  if (!after.empty()) {
    spec.set_after_condition(relations.needs_success ? v1::AFTER_CONDITION_SUCCEEDED
                                                     : v1::AFTER_CONDITION_ENDED);
  }
  if (!relations.webhook_url.empty()) spec.mutable_webhook()->set_url(relations.webhook_url);
  if (relations.sequence.empty()) return;
  spec.mutable_sequence()->set_key(relations.sequence);
  spec.mutable_sequence()->set_on_failure(relations.halts ? v1::Sequence::ON_FAILURE_HALT
                                                          : v1::Sequence::ON_FAILURE_CONTINUE);
}

// Whether anything is to stand in the extras but the content type.
bool HasExtras(const v1::TaskSpec& spec) {
  return spec.has_delay() || spec.has_start_time() || spec.has_schedule_to_start_timeout() ||
         spec.has_heartbeat_timeout() || !spec.request_id().empty() || spec.has_unique_key() ||
         spec.limit_keys_size() > 0 || !spec.labels().empty() || spec.after_size() > 0 ||
         spec.has_sequence() || spec.has_webhook() || !spec.input_payload().empty() ||
         !spec.traceparent().empty();
}

void FillExtras(v1::TaskSpec& spec, SpecExtras& extras) {
  if (spec.has_delay()) extras.delay_us = ToMicros(spec.delay());
  if (spec.has_start_time()) extras.start_us = ToMicros(spec.start_time());
  if (spec.has_schedule_to_start_timeout()) {
    extras.schedule_to_start_us = ToMicros(spec.schedule_to_start_timeout());
  }
  if (spec.has_heartbeat_timeout()) extras.heartbeat_us = ToMicros(spec.heartbeat_timeout());
  if (spec.has_unique_key()) {
    const bool refuses = spec.unique_key().on_conflict() == v1::UniqueKey::ON_CONFLICT_REFUSE;
    extras.unique = std::make_unique<UniqueKeyRule>(
        UniqueKeyRule{std::move(*spec.mutable_unique_key()->mutable_key()), refuses});
  }
  if (spec.limit_keys_size() > 0) {
    extras.limit_key = std::make_unique<const std::string>(LimitKeyOf(spec));
  }
  extras.relations = NormaliseRelations(spec);
  if (!spec.input_payload().empty()) {
    extras.input_payload =
        std::make_unique<const std::string>(std::move(*spec.mutable_input_payload()));
  }
  extras.trace = NormaliseTrace(spec);
  extras.request_id = std::move(*spec.mutable_request_id());
  extras.labels.assign(spec.labels().begin(), spec.labels().end());
  std::sort(extras.labels.begin(), extras.labels.end());
}

}  // namespace

const RetryRules& AcceptedSpec::retry() const {
  static constexpr RetryRules kDefaults;
  return shared_retry == nullptr ? kDefaults : *shared_retry;
}

const SpecExtras& AcceptedSpec::extras() const {
  static const auto* const kNone = new SpecExtras();
  return rare == nullptr ? *kNone : *rare;
}

SpecExtras& AcceptedSpec::Extras() {
  if (rare == nullptr) rare = std::make_unique<SpecExtras>();
  return *rare;
}

std::string_view AcceptedSpec::content_type() const {
  return extras().content_type.empty() ? kJsonContentType : std::string_view(rare->content_type);
}

std::string ShortQueueName(const v1::TaskSpec& spec) {
  if (spec.queue().empty()) return std::string(tenancy::kDefaultName);
  const auto name = tenancy::ParseQueueName(spec.queue());
  return name.ok() ? std::string(name->queue) : spec.queue();
}

absl::Status CheckSpec(const v1::TaskSpec& spec, std::string_view tenant, const SpecLimits& limits,
                       absl::FunctionRef<bool(std::string_view)> is_known_function) {
  absl::Status status = CheckFunction(spec, is_known_function);
  if (status.ok()) status = CheckQueue(spec, tenant);
  if (status.ok()) status = CheckDuration("spec.delay", "DELAY", spec.delay(), kDelayMaxUs);
  if (status.ok()) status = CheckStart(spec);
  if (status.ok()) status = CheckPriority(spec);
  if (status.ok()) status = CheckTimeouts(spec);
  if (status.ok()) status = CheckUniqueKey(spec);
  if (status.ok()) status = CheckLimitKeys(spec);
  if (status.ok()) status = CheckRelations(spec);
  if (status.ok()) status = CheckWebhook(spec);
  if (status.ok()) status = CheckRetryPolicy(spec.retry_policy());
  if (status.ok()) status = CheckLabels(spec);
  if (status.ok()) status = CheckTrace(spec);
  if (status.ok()) status = CheckRest(spec);
  // Last: the only check whose cost grows with the input.
  if (status.ok()) status = CheckInput(spec, limits);
  return status;
}

absl::Status CheckChanges(const v1::TaskSpec& spec) {
  absl::Status status = CheckDuration("spec.delay", "DELAY", spec.delay(), kDelayMaxUs);
  if (status.ok()) status = CheckStart(spec);
  if (status.ok()) status = CheckPriority(spec);
  if (status.ok()) status = CheckLabels(spec);
  if (status.ok()) status = CheckLimitKeys(spec);
  return status;
}

absl::Status CheckStartTime(WallMicros start_us, WallMicros now_us) {
  if (start_us - now_us <= kDelayMaxUs) return absl::OkStatus();
  return BadField("spec.start_time", "START_TIME_TOO_LATE",
                  StrCat("is more than ", kDelayMaxUs / kUsPerSecond, " s ahead"));
}

std::string LimitKeyOf(const v1::TaskSpec& spec) {
  return absl::StrJoin(spec.limit_keys(), "/");
}

AcceptedSpec NormaliseSpec(v1::TaskSpec&& spec) {
  AcceptedSpec accepted;
  accepted.input = std::move(*spec.mutable_input());
  const bool has_none = accepted.input.empty() && spec.input_payload().empty();
  if (has_none && IsJson(spec.content_type())) accepted.input = "{}";
  if (!spec.content_type().empty() && spec.content_type() != kJsonContentType) {
    accepted.Extras().content_type = std::move(*spec.mutable_content_type());
  }
  accepted.priority = static_cast<int16_t>(std::clamp(spec.priority(), 0, kPriorityMax));
  accepted.timeout_us = spec.has_timeout() ? ToMicros(spec.timeout()) : 0;
  if (spec.has_retry_policy()) {
    const RetryRules rules = NormaliseRetry(spec.retry_policy());
    if (rules != RetryRules()) accepted.shared_retry = std::make_shared<const RetryRules>(rules);
  }
  accepted.slot_cost = static_cast<int16_t>(std::clamp(spec.slot_cost(), 1, kSlotCostMax));
  if (HasExtras(spec)) FillExtras(spec, accepted.Extras());
  accepted.durable = spec.durability() != v1::DURABILITY_VOLATILE;
  return accepted;
}

void FillLimitKeys(const AcceptedSpec& accepted, v1::TaskSpec& spec) {
  const SpecExtras& extras = accepted.extras();
  if (extras.limit_key == nullptr) return;
  for (const std::string_view key : StrSplit(*extras.limit_key, '/')) {
    spec.add_limit_keys(std::string(key));
  }
}

void FillSpec(const AcceptedSpec& accepted, v1::TaskSpec& spec) {
  const SpecExtras& extras = accepted.extras();
  spec.set_content_type(std::string(accepted.content_type()));
  spec.set_priority(accepted.priority);
  if (extras.delay_us > 0) SetMicros(extras.delay_us, spec.mutable_delay());
  if (extras.start_us > 0) SetMicros(extras.start_us, spec.mutable_start_time());
  if (accepted.timeout_us > 0) SetMicros(accepted.timeout_us, spec.mutable_timeout());
  FillRetry(accepted.retry(), *spec.mutable_retry_policy());
  if (extras.schedule_to_start_us > 0) {
    SetMicros(extras.schedule_to_start_us, spec.mutable_schedule_to_start_timeout());
  }
  if (extras.heartbeat_us > 0) SetMicros(extras.heartbeat_us, spec.mutable_heartbeat_timeout());
  if (extras.unique != nullptr) {
    spec.mutable_unique_key()->set_key(extras.unique->key);
    spec.mutable_unique_key()->set_on_conflict(extras.unique->refuses
                                                   ? v1::UniqueKey::ON_CONFLICT_REFUSE
                                                   : v1::UniqueKey::ON_CONFLICT_ATTACH);
  }
  FillLimitKeys(accepted, spec);
  spec.set_slot_cost(accepted.slot_cost);
  if (extras.relations != nullptr) FillRelations(*extras.relations, spec);
  if (extras.input_payload != nullptr) spec.set_input_payload(*extras.input_payload);
  if (extras.trace != nullptr) FillTrace(*extras.trace, spec);
  spec.set_request_id(extras.request_id);
  for (const auto& [key, value] : extras.labels) (*spec.mutable_labels())[key] = value;
  spec.set_durability(accepted.durable ? v1::DURABILITY_DURABLE : v1::DURABILITY_VOLATILE);
}

}  // namespace grove::tasks

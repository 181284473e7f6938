// FieldRule: what the text of a request's field names, and what becomes of one that is another
// tenant's.
//
// The rules that the rows of method_table.h have. Constant.
#ifndef GROVE_SERVER_CONTROL_FIELD_RULES_H_
#define GROVE_SERVER_CONTROL_FIELD_RULES_H_

#include <cstdint>
#include <string_view>

namespace grove::control {

// What the text of a field names.
enum class Names : uint8_t {
  kTenant,         // "tenants/T"
  kTenants,        // that, or "tenants/-": all that the caller sees
  kTenantOrQueue,  // as kTenants, or a queue's name
  kQueue,          // "tenants/T/queues/Q"
  kQueueOrShort,   // that, or "Q": of the request's own tenant
  kQueues,         // a queue's name, or "tenants/T/queues/-", or "tenants/-/queues/-"
  kPool,           // "tenants/T/pools/P"
  kTask,           // "tenants/T/queues/Q/tasks/ID"
  kSchedule,       // "tenants/T/schedules/S"
  kPayload,        // "tenants/T/payloads/ID"
  kToken,          // "tenants/T/tokens/ID", "operators/tokens/ID"
  kTokenParent,    // "tenants/T", "operators"
};

// What an empty field of a tenant's call stands for.
enum class WhenEmpty : uint8_t {
  kSaysMethod,  // nothing of another tenant's, whatever the method makes of it
  kOwnTenant,   // the caller's tenant
};

// What becomes of a name that is not of the caller's tenant.
enum class Answered : uint8_t {
  kForTheCall,   // the call fails, as with a name that never was
  kForEachItem,  // the method answers for each item: it asks ScopeCheck (scope_check.h)
};

struct FieldRule {
  std::string_view path;  // "name", "specs.queue": of each that is repeated
  Names names;
  WhenEmpty when_empty = WhenEmpty::kSaysMethod;
  Answered answered = Answered::kForTheCall;
  // Under which key the details of NOT_FOUND have the name.
  std::string_view detail = "name";
};

namespace method_table {

inline constexpr FieldRule kOwnParent = {.path = "parent",
                                         .names = Names::kTenant,
                                         .when_empty = WhenEmpty::kOwnTenant,
                                         .detail = "tenant"};
inline constexpr FieldRule kSpawn[] = {
    kOwnParent,
    {.path = "spec.queue", .names = Names::kQueueOrShort, .detail = "queue"},
    {.path = "spec.input_payload", .names = Names::kPayload, .detail = "payload"}};
inline constexpr FieldRule kSpawns[] = {kOwnParent,
                                        {.path = "specs.queue",
                                         .names = Names::kQueueOrShort,
                                         .answered = Answered::kForEachItem,
                                         .detail = "queue"},
                                        {.path = "completion.queue",
                                         .names = Names::kQueueOrShort,
                                         .answered = Answered::kForEachItem,
                                         .detail = "queue"},
                                        {.path = "specs.input_payload",
                                         .names = Names::kPayload,
                                         .answered = Answered::kForEachItem,
                                         .detail = "payload"},
                                        {.path = "completion.input_payload",
                                         .names = Names::kPayload,
                                         .answered = Answered::kForEachItem,
                                         .detail = "payload"}};
// Each message of the stream is answered on its own.
inline constexpr FieldRule kStreamedSpawns[] = {{.path = "parent",
                                                 .names = Names::kTenant,
                                                 .when_empty = WhenEmpty::kOwnTenant,
                                                 .answered = Answered::kForEachItem,
                                                 .detail = "tenant"},
                                                kSpawns[1],
                                                kSpawns[3]};
inline constexpr FieldRule kTaskName[] = {{"name", Names::kTask}};
inline constexpr FieldRule kTaskNames[] = {
    {.path = "names", .names = Names::kTask, .answered = Answered::kForEachItem}};
// What a filter names of another tenant's matches nothing: only the parent's tasks are looked at.
inline constexpr FieldRule kTasksParent[] = {
    {"parent", Names::kTenantOrQueue, WhenEmpty::kOwnTenant}};
inline constexpr FieldRule kTaskToUpdate[] = {{"task.name", Names::kTask}};
inline constexpr FieldRule kParent[] = {{"parent", Names::kTenants, WhenEmpty::kOwnTenant}};
inline constexpr FieldRule kQueueName[] = {{"name", Names::kQueue}};
inline constexpr FieldRule kQueuesName[] = {{"name", Names::kQueues}};
inline constexpr FieldRule kPoolName[] = {{"name", Names::kPool}};
inline constexpr FieldRule kPoolToResize[] = {
    {.path = "name", .names = Names::kPool, .detail = "pool"}};
inline constexpr FieldRule kTenantName[] = {
    {.path = "name", .names = Names::kTenant, .detail = "tenant"}};
inline constexpr FieldRule kLimitsParent[] = {kOwnParent};
inline constexpr FieldRule kScheduleToMake[] = {
    kOwnParent,
    {.path = "schedule.spec.queue", .names = Names::kQueueOrShort, .detail = "queue"},
    {.path = "schedule.spec.input_payload", .names = Names::kPayload, .detail = "payload"}};
inline constexpr FieldRule kSchedulesParent[] = {{.path = "parent",
                                                  .names = Names::kTenants,
                                                  .when_empty = WhenEmpty::kOwnTenant,
                                                  .detail = "tenant"}};
inline constexpr FieldRule kScheduleName[] = {{"name", Names::kSchedule}};
inline constexpr FieldRule kScheduleToUpdate[] = {
    {"schedule.name", Names::kSchedule},
    {.path = "schedule.spec.queue", .names = Names::kQueueOrShort, .detail = "queue"},
    {.path = "schedule.spec.input_payload", .names = Names::kPayload, .detail = "payload"}};
// Of the first message of a stream: the method checks it itself.
inline constexpr FieldRule kWorkerParent[] = {{.path = "registration.parent",
                                               .names = Names::kTenant,
                                               .when_empty = WhenEmpty::kOwnTenant,
                                               .detail = "tenant"}};
// As that one.
inline constexpr FieldRule kPayloadParent[] = {kOwnParent};
inline constexpr FieldRule kPayloadsParent[] = {{.path = "parent",
                                                 .names = Names::kTenants,
                                                 .when_empty = WhenEmpty::kOwnTenant,
                                                 .detail = "tenant"}};
inline constexpr FieldRule kPayloadName[] = {{"name", Names::kPayload}};
inline constexpr FieldRule kTokenName[] = {{"name", Names::kToken}};
inline constexpr FieldRule kTokensParent[] = {{.path = "parent",
                                               .names = Names::kTokenParent,
                                               .when_empty = WhenEmpty::kOwnTenant,
                                               .detail = "tenant"}};

}  // namespace method_table
}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_FIELD_RULES_H_

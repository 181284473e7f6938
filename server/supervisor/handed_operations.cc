#include "server/supervisor/handed_operations.h"

#include <string>

#include "server/refusal.h"

namespace grove::supervisor {
namespace {

// The API's numbers begin behind UNSPECIFIED.
static_assert(static_cast<int>(OperationKind::kScale) + 1 == v1::Operation::KIND_SCALE);
static_assert(static_cast<int>(OperationKind::kRecycle) + 1 == v1::Operation::KIND_RECYCLE);
static_assert(static_cast<int>(OperationState::kWaiting) + 1 == v1::Operation::STATE_WAITING);
static_assert(static_cast<int>(OperationState::kSuperseded) + 1 == v1::Operation::STATE_SUPERSEDED);

OperationSpec SpecFrom(const internal::v1::HandedOperation& handed) {
  OperationSpec spec{.kind = static_cast<OperationKind>(handed.kind() - 1),
                     .requested_by = handed.requested_by(),
                     .workers = handed.workers(),
                     .change = handed.change(),
                     .slots = {handed.slots().begin(), handed.slots().end()}};
  spec.control = handed.control();
  spec.old_generation = handed.old_generation();
  spec.program = handed.program();
  spec.level = handed.level();
  spec.reason = handed.reason();
  return spec;
}

}  // namespace

internal::v1::HandedOperation DescribeOperation(const Operation& operation) {
  const OperationSpec& spec = operation.spec;
  internal::v1::HandedOperation handed;
  handed.set_number(operation.number);
  handed.set_kind(static_cast<v1::Operation::Kind>(static_cast<int>(spec.kind) + 1));
  handed.set_state(static_cast<v1::Operation::State>(static_cast<int>(operation.state) + 1));
  handed.set_message(operation.message);
  handed.set_steps_done(operation.steps_done);
  handed.set_steps(operation.steps);
  handed.set_begun_ns(operation.begun);
  handed.set_ended_ns(operation.ended);
  *handed.mutable_error() = DescribeStatus(operation.error);
  handed.set_requested_by(spec.requested_by);
  handed.set_workers(spec.workers);
  handed.set_change(spec.change);
  for (const int slot : spec.slots) handed.add_slots(slot);
  handed.set_control(spec.control);
  handed.set_old_generation(spec.old_generation);
  handed.set_program(spec.program);
  handed.set_level(spec.level);
  handed.set_reason(spec.reason);
  return handed;
}

Operation OperationFrom(const internal::v1::HandedOperation& handed) {
  Operation operation{.number = handed.number(), .spec = SpecFrom(handed)};
  operation.state = static_cast<OperationState>(handed.state() - 1);
  const bool is_known = handed.kind() != v1::Operation::KIND_UNSPECIFIED &&
                        handed.state() != v1::Operation::STATE_UNSPECIFIED &&
                        v1::Operation::Kind_IsValid(handed.kind()) &&
                        v1::Operation::State_IsValid(handed.state());
  if (!is_known) {
    operation.spec.kind = OperationKind::kDrain;
    operation.state = OperationState::kSuperseded;
  }
  operation.message = handed.message();
  operation.steps_done = handed.steps_done();
  operation.steps = handed.steps();
  operation.begun = handed.begun_ns();
  operation.ended = handed.ended_ns();
  operation.error = StatusFrom(handed.error());
  return operation;
}

}  // namespace grove::supervisor

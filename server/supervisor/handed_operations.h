// DescribeOperation, OperationFrom: an operation of the register as the next program reads it.
#ifndef GROVE_SERVER_SUPERVISOR_HANDED_OPERATIONS_H_
#define GROVE_SERVER_SUPERVISOR_HANDED_OPERATIONS_H_

#include "grove/internal/v1/handover.pb.h"
#include "server/supervisor/operations.h"

namespace grove::supervisor {

internal::v1::HandedOperation DescribeOperation(const Operation& operation);
// A kind or a state that is not known here becomes a drain, and a superseded one: it has ended.
Operation OperationFrom(const internal::v1::HandedOperation& handed);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_HANDED_OPERATIONS_H_

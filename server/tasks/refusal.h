// Refusals (server/refusal.h), as who refuses tasks calls them.
#ifndef GROVE_SERVER_TASKS_REFUSAL_H_
#define GROVE_SERVER_TASKS_REFUSAL_H_

#include "server/refusal.h"

namespace grove::tasks {

using grove::BadField;
using grove::Cut;
using grove::CutMiddle;
using grove::kBadRequestType;
using grove::kErrorInfoType;
using grove::kMessageBytesMax;
using grove::kQuotaFailureType;
using grove::kQuotedBytesMax;
using grove::kRefusalDomain;
using grove::kRetryInfoType;
using grove::Refusal;
using grove::RefusalMetadata;
using grove::RefusalReason;
using grove::WithQuotaFailure;
using grove::WithRetryAfter;

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_REFUSAL_H_

// Error replies of Redis as Status: the code by the error's first word, which stays readable.
//
// Pure; any thread.
#ifndef GROVE_DATABASE_REDIS_ERROR_REPLY_H_
#define GROVE_DATABASE_REDIS_ERROR_REPLY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace grove::redis {

// "WRONGTYPE Operation against …": kFailedPrecondition with that text. docs/databases_other.md has
// the table. A word that is not in it, as the common ERR, is kInvalidArgument.
absl::Status ErrorReplyStatus(std::string_view text);

// The first word of the error reply that `status` was made of: "WRONGTYPE"; empty if of none.
std::string ErrorWord(const absl::Status& status);

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_ERROR_REPLY_H_

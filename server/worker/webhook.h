// Webhook: the function that tells somebody over HTTP that a task has ended.
//
// POSTs the attempt's checkpoint, which control has left there, to the URL that is its input, as
// the bounds of its origin let it: put off, the attempt is suspended. Signed as
// standardwebhooks.com says, if there is a secret: its file is read again for each attempt, so that
// another secret holds from then on.
#ifndef GROVE_SERVER_WORKER_WEBHOOK_H_
#define GROVE_SERVER_WORKER_WEBHOOK_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/function.h"
#include "server/functions/fetch.h"

namespace grove::worker {

inline constexpr std::string_view kWebhookFunction = "task.webhook";

// What an answer means: OK; never again for 410 and what is no failure of a moment; later.
absl::Status JudgeWebhookAnswer(const functions::FetchResult& answer);

// `secret_file`: empty, not signed.
Function WebhookFunction(std::string secret_file);
FunctionOptions WebhookOptions();

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_WEBHOOK_H_

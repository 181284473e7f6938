#include "server/worker/webhook.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "runtime/offload/offload.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"
#include "server/functions/gated_fetch.h"
#include "server/functions/retry_after.h"
#include "server/functions/webhook_signature.h"

namespace grove::worker {
namespace {

constexpr int kGone = 410;
constexpr absl::Duration kRetryAfterMax = absl::Hours(24);
// Of an answer nothing is read but its status.
constexpr size_t kAnswerBytesMax = 64 << 10;
constexpr absl::Duration kAnswerTimeout = absl::Seconds(20);

// Empty: there is none.
absl::StatusOr<std::string> ReadKey(const std::string& file, OffloadPool& offload) {
  if (file.empty()) return std::string();
  absl::StatusOr<std::string> secret;
  absl::Status ran = offload.Run([&] { secret = config::ReadSecretFile(file); });
  if (!ran.ok()) return ran;
  if (!secret.ok()) {
    return absl::UnavailableError(
        StrCat("tasks.webhook_secret_file: ", Std(secret.status().message())));
  }
  return functions::WebhookKey(*secret);
}

absl::StatusOr<Output> Send(const std::string& secret_file, TaskContext& context) {
  const std::string body(context.checkpoint());
  if (body.empty()) return NeverAgain("the task that it tells of is gone");
  const absl::StatusOr<std::string> key = ReadKey(secret_file, context.services().offload);
  if (!key.ok()) return key.status();
  functions::FetchRequest request;
  request.url = std::string(context.input());
  request.method = functions::FetchMethod::kPost;
  request.body = body;
  request.limits.timeout = kAnswerTimeout;
  request.limits.redirects_max = 0;
  request.limits.body_max_bytes = kAnswerBytesMax;
  // The same for each attempt: who has seen it has seen it.
  const std::string_view task = context.task();
  const std::string id(task.substr(task.rfind('/') + 1));
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  request.headers = {
      {"Content-Type", "application/json"}, {"webhook-id", id}, {"webhook-timestamp", StrCat(now)}};
  if (!key->empty()) {
    request.headers.emplace_back("webhook-signature",
                                 functions::WebhookSignature(*key, id, now, body));
  }
  const absl::StatusOr<functions::FetchResult> answer =
      functions::FetchAtGate(context, std::move(request)).result;
  if (!answer.ok()) return answer.status();
  if (absl::Status judged = JudgeWebhookAnswer(*answer); !judged.ok()) return judged;
  return Output{StrCat("{\"status\":", answer->status, "}")};
}

}  // namespace

absl::Status JudgeWebhookAnswer(const functions::FetchResult& answer) {
  if (answer.status >= 200 && answer.status < 300) return absl::OkStatus();
  if (answer.status == kGone) return NeverAgain("the receiver wants no more of these: 410 Gone");
  const std::string why = StrCat("the receiver answered ", answer.status);
  const absl::Duration wait =
      std::min(functions::RetryAfterIn(answer, absl::Now()), kRetryAfterMax);
  return wait > absl::ZeroDuration() ? RetryAfter(wait, why) : absl::UnavailableError(why);
}

Function WebhookFunction(std::string secret_file) {
  return [secret_file = std::move(secret_file)](TaskContext& context) {
    return Send(secret_file, context);
  };
}

FunctionOptions WebhookOptions() {
  FunctionOptions options;
  options.description = "Tells over HTTP that a task has ended: see TaskSpec.webhook.";
  options.input_example = "https://example.com/hook";
  return options;
}

}  // namespace grove::worker

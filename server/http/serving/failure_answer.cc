#include "server/http/serving/failure_answer.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/http/handler/retry_delay.h"
#include "server/http/handler/status.h"

namespace grove::http {
namespace {

// Whole seconds, upwards: a client that comes too early is refused again (RFC 9110, 10.2.3).
std::string Seconds(absl::Duration delay) {
  return absl::StrCat(absl::ToInt64Seconds(absl::Ceil(delay, absl::Seconds(1))));
}

}  // namespace

FailureAnswer AnswerOf(const absl::Status& failure, int body_status) {
  FailureAnswer answer;
  answer.status = body_status != 0 ? body_status
                  : failure.ok()   ? 500
                                   : StatusToHttp(failure.code());
  const bool tell = answer.status < 500 && !failure.message().empty();
  answer.text = tell ? std::string(failure.message()) : std::string(ReasonPhrase(answer.status));
  answer.text += "\r\n";
  const std::optional<absl::Duration> delay = RetryDelayOf(failure);
  if (delay.has_value() && (answer.status == 429 || answer.status == 503)) {
    answer.retry_after = Seconds(*delay);
  }
  return answer;
}

}  // namespace grove::http

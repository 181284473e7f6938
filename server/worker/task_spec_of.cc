#include "server/worker/task_spec_of.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "proto/well_known_times.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

// Above what control lets pass, so that it says what is wrong.
constexpr size_t kTextBytesMax = 1024;

std::string Text(std::string_view text) {
  return Utf8Text(text, kTextBytesMax);
}

}  // namespace

void FillTaskSpec(SpawnRequest request, v1::TaskSpec* spec) {
  spec->set_function(Text(request.function));
  spec->set_input(std::move(request.input));
  spec->set_input_payload(Text(request.input_payload));
  spec->set_content_type(Text(request.content_type));
  spec->set_queue(Text(request.queue));
  spec->set_priority(request.priority);
  spec->set_durability(request.durable ? v1::DURABILITY_DURABLE : v1::DURABILITY_VOLATILE);
  if (request.delay != absl::ZeroDuration()) {
    proto::SetMicros(absl::ToInt64Microseconds(request.delay), spec->mutable_delay());
  }
  if (request.timeout != absl::ZeroDuration()) {
    proto::SetMicros(absl::ToInt64Microseconds(request.timeout), spec->mutable_timeout());
  }
  if (request.attempts_max != 1) {
    spec->mutable_retry_policy()->set_max_attempts(request.attempts_max);
  }
  for (const std::string& task : request.after) spec->add_after(Text(task));
  if (request.after_success) spec->set_after_condition(v1::AFTER_CONDITION_SUCCEEDED);
  if (!request.sequence.empty()) {
    spec->mutable_sequence()->set_key(Text(request.sequence));
    if (request.halts_sequence) {
      spec->mutable_sequence()->set_on_failure(v1::Sequence::ON_FAILURE_HALT);
    }
  }
  if (!request.request_id.empty()) spec->set_request_id(Text(request.request_id));
  for (const auto& [key, value] : request.labels) {
    (*spec->mutable_labels())[Text(key)] = Text(value);
  }
}

}  // namespace grove::worker

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

using Answer = v1::InjectHttpRequestResponse;

// As the daemon has it.
constexpr size_t kBodyBytesMax = 1 << 20;
constexpr int64_t kAnswerBytesMax = 1 << 20;
constexpr int64_t kAnswerBytesDefault = 64 << 10;
constexpr absl::Duration kTimeDefault = absl::Seconds(10);

absl::Status AddHeaders(const Command& command, v1::InjectHttpRequestRequest& request) {
  for (const std::string& text : command.arguments.Values("header")) {
    const size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0) {
      return UsageError(absl::StrCat("--header: \"", text, "\" is not NAME:VALUE"));
    }
    v1::HttpField& field = *request.add_headers();
    field.set_name(text.substr(0, colon));
    field.set_value(std::string(absl::StripAsciiWhitespace(text.substr(colon + 1))));
  }
  return absl::OkStatus();
}

absl::Status SetBody(const Command& command, v1::InjectHttpRequestRequest& request) {
  const auto data = command.arguments.Value("data");
  if (!data) return absl::OkStatus();
  absl::StatusOr<std::string> body = *data;
  if (*data == "-") body = ReadAll(command.shell.in_fd, kBodyBytesMax);
  if (data->starts_with('@')) body = ReadWholeFile(data->substr(1), kBodyBytesMax);
  if (!body.ok()) return body.status();
  request.set_body(*std::move(body));
  return absl::OkStatus();
}

void SetTimeout(absl::Duration timeout, v1::InjectHttpRequestRequest& request) {
  if (timeout == absl::InfiniteDuration()) timeout = kTimeDefault;
  absl::Duration rest;
  request.mutable_timeout()->set_seconds(absl::IDivDuration(timeout, absl::Seconds(1), &rest));
  request.mutable_timeout()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

double Millis(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) * 1e3 + duration.nanos() / 1e6;
}

// Texts stand as texts, where they are.
nlohmann::ordered_json AnswerJson(const Answer& answer) {
  nlohmann::ordered_json json = ToJson(answer);
  for (int i = 0; i < answer.headers_size(); ++i) {
    const std::string& value = answer.headers(i).value();
    if (IsUtf8(value)) json["headers"][static_cast<size_t>(i)]["value"] = value;
  }
  if (IsUtf8(answer.body())) json["body_text"] = answer.body();
  return json;
}

std::string HeadText(const Answer& answer) {
  std::string text = absl::StrCat("HTTP/1.1 ", answer.status(), "\n");
  for (const v1::HttpField& field : answer.headers()) {
    absl::StrAppend(&text, Escape(field.name()), ": ", Escape(field.value()), "\n");
  }
  return text + "\n";
}

std::string_view WhyCut(const Answer& answer) {
  switch (answer.body_end()) {
    case Answer::BODY_END_TOO_LONG:
      return "there is more of the body (--body_bytes_max)";
    case Answer::BODY_END_TOO_SLOW:
      return "the body had not ended in time (--timeout)";
    case Answer::BODY_END_BROKEN:
      return "the worker broke the body off";
    default:
      return "";
  }
}

void PrintAnswer(Command& command, const Answer& answer) {
  const bool body_only = command.arguments.Has("body");
  if (!command.ForPeople() && !body_only) {
    Print(command, AnswerJson(answer), [&] { return HeadText(answer) + answer.body(); });
    return;
  }
  command.shell.out << (body_only ? "" : HeadText(answer)) << answer.body();
  // A terminal's next line begins anew.
  if (command.shell.out_is_terminal && !answer.body().empty() && answer.body().back() != '\n') {
    command.shell.out << '\n';
  }
  command.shell.out << std::flush;
  const std::string_view why = WhyCut(answer);
  command.shell.err << absl::StrCat(answer.worker(), ": ", answer.status(), ", head after ",
                                    Millis(answer.head_duration()), " ms, all after ",
                                    Millis(answer.duration()), " ms")
                    << (why.empty() ? "" : "; ") << why << '\n';
}

}  // namespace

absl::Status RunInject(Command& command) {
  v1::InjectHttpRequestRequest request;
  request.set_method(absl::AsciiStrToUpper(command.arguments.positional()[0]));
  request.set_target(command.arguments.positional()[1]);
  if (const auto worker = command.arguments.Value("worker")) {
    auto name = WorkerName(*worker);
    if (!name.ok()) return name.status();
    request.set_name(*name);
  }
  if (absl::Status headers = AddHeaders(command, request); !headers.ok()) return headers;
  if (absl::Status body = SetBody(command, request); !body.ok()) return body;
  auto bytes = IntegerFlag(command, "body_bytes_max", kAnswerBytesDefault, 1, kAnswerBytesMax);
  if (!bytes.ok()) return bytes.status();
  request.set_body_bytes_max(*bytes);
  SetTimeout(command.wait_timeout, request);
  const auto answer = command.client->Inject(request);
  if (!answer.ok()) return answer.status();
  PrintAnswer(command, *answer);
  return absl::OkStatus();
}

}  // namespace grove::client::cli

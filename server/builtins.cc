#include "server/builtins.h"

#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/application.h"
#include "server/functions/feed.h"
#include "server/functions/feed_titles.h"
#include "server/functions/fetch.h"
#include "server/functions/json_input.h"
#include "server/functions/one_line.h"
#include "server/functions/outgoing_request.h"
#include "server/functions/send_request.h"
#include "server/functions/sha256.h"
#include "server/handlers/file.h"
#include "server/handlers/reflect.h"
#include "server/handlers/try_out.h"
#include "server/http/websocket/websocket_handler.h"

namespace grove {
namespace {

using nlohmann::json;

constexpr double kSleepMaxSeconds = 86'400;
constexpr size_t kTitlesBodyMaxBytes = 1 << 20;
// What the usual WebSocket test suites send at most.
constexpr uint64_t kEchoMessageBytesMax = 16 << 20;

absl::StatusOr<functions::FetchMethod> Method(const json& input) {
  const absl::StatusOr<std::string> method = functions::StringField(input, "method", "GET");
  if (!method.ok()) return method.status();
  if (*method == "GET") return functions::FetchMethod::kGet;
  if (*method == "HEAD") return functions::FetchMethod::kHead;
  if (*method == "POST") return functions::FetchMethod::kPost;
  return functions::BadInput("method", StrCat("\"", *method, "\" is not GET, HEAD or POST"));
}

absl::StatusOr<functions::FetchRequest> ParseFetchRequest(std::string_view text) {
  const absl::StatusOr<json> input =
      functions::ParseInput(text, {"url", "method", "headers", "body"});
  if (!input.ok()) return input.status();
  absl::StatusOr<std::string> url = functions::RequiredString(*input, "url");
  if (!url.ok()) return url.status();
  const absl::StatusOr<functions::FetchMethod> method = Method(*input);
  if (!method.ok()) return method.status();
  absl::StatusOr<functions::FetchFields> headers = functions::HeadersField(*input);
  if (!headers.ok()) return headers.status();
  absl::StatusOr<std::string> body = functions::StringField(*input, "body", "");
  if (!body.ok()) return body.status();
  return functions::FetchRequest{.url = *std::move(url),
                                 .method = *method,
                                 .headers = *std::move(headers),
                                 .body = *std::move(body)};
}

absl::StatusOr<std::vector<std::string>> ParseUrls(std::string_view text) {
  const absl::StatusOr<json> input = functions::ParseInput(text, {"urls"});
  if (!input.ok()) return input.status();
  const json* const list = functions::FindField(*input, "urls");
  if (list == nullptr) return functions::BadInput("urls", "missing");
  if (!list->is_array()) return functions::BadInput("urls", "expected a list of strings");
  if (list->size() > functions::kFeedUrlsMax) {
    return functions::BadInput("urls", absl::StrFormat("%d are more than the %d allowed",
                                                       list->size(), functions::kFeedUrlsMax));
  }
  std::vector<std::string> urls;
  for (const json& url : *list) {
    if (!url.is_string()) return functions::BadInput("urls", "expected a list of strings");
    urls.push_back(url.get_ref<const std::string&>());
  }
  return urls;
}

// "INTERNAL" -> kInternal. OK is no failure.
absl::StatusOr<absl::StatusCode> ParseCode(const std::string& name) {
  for (int code = 1; code <= 16; ++code) {
    const auto status_code = static_cast<absl::StatusCode>(code);
    if (absl::StatusCodeToString(status_code) == name) return status_code;
  }
  return functions::BadInput("code", StrCat("\"", name, "\" is no error code such as INTERNAL"));
}

absl::StatusOr<bool> BoolField(const json& input, const char* name) {
  const json* const value = functions::FindField(input, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return functions::BadInput(name, "expected true or false");
  return value->get<bool>();
}

// The lines of `text` without blank ones.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (const auto line : absl::StrSplit(text, '\n')) {
    const auto stripped = absl::StripAsciiWhitespace(line);
    if (!stripped.empty()) lines.emplace_back(stripped);
  }
  return lines;
}

std::string TitleLine(const absl::StatusOr<std::string>& title) {
  if (title.ok()) return StrCat(*title, "\n");
  return StrCat("error: ", functions::OneLine(Std(title.status().message())), "\n");
}

}  // namespace

absl::StatusOr<Output> Echo(TaskContext& context) {
  const absl::StatusOr<std::unique_ptr<InputStream>> input = context.OpenInput();
  if (!input.ok()) return input.status();
  auto output = context.OpenOutput(std::string(context.content_type()));
  if (!output.ok()) return output.status();
  for (;;) {
    const absl::StatusOr<std::string> piece = (*input)->Read();
    if (!piece.ok()) return piece.status();
    if (piece->empty()) return (*output)->Finish();
    if (absl::Status written = (*output)->Write(*piece); !written.ok()) return written;
  }
}

absl::StatusOr<Output> Checksum(TaskContext& context) {
  const absl::StatusOr<std::unique_ptr<InputStream>> input = context.OpenInput();
  if (!input.ok()) return input.status();
  const auto size = static_cast<double>((*input)->size_bytes());
  functions::Sha256 digest;
  int64_t bytes = 0;
  for (;;) {
    const absl::StatusOr<std::string> piece = (*input)->Read();
    if (!piece.ok()) return piece.status();
    if (piece->empty()) break;
    // Beside other fibers: hashing a piece takes a tenth of a millisecond.
    digest.Add(*piece);
    bytes += static_cast<int64_t>(piece->size());
    context.ReportProgress(static_cast<double>(bytes) / size, absl::StrFormat("%d bytes", bytes));
    Yield();
  }
  return Output{functions::JsonText({{"sha256", digest.Hex()}, {"size_bytes", bytes}})};
}

absl::StatusOr<Output> SleepFor(TaskContext& context) {
  const absl::StatusOr<json> input = functions::ParseInput(context.input(), {"seconds"});
  if (!input.ok()) return input.status();
  if (functions::FindField(*input, "seconds") == nullptr)
    return functions::BadInput("seconds", "missing");
  const absl::StatusOr<double> seconds =
      functions::NumberField(*input, "seconds", 0, kSleepMaxSeconds, 0);
  if (!seconds.ok()) return seconds.status();
  if (absl::Status slept = Sleep(absl::Seconds(*seconds)); !slept.ok()) return slept;
  return Output{functions::JsonText({{"slept", *functions::FindField(*input, "seconds")}})};
}

absl::StatusOr<Output> HttpFetch(TaskContext& context) {
  const absl::StatusOr<functions::FetchRequest> request = ParseFetchRequest(context.input());
  if (!request.ok()) return request.status();
  const absl::StatusOr<functions::FetchResult> result = context.services().fetch.Fetch(*request);
  if (!result.ok()) return result.status();
  json output = {{"status", result->status}, {"url", result->effective_url}};
  output["headers"] = json::array();
  for (const auto& [name, value] : result->headers) {
    output["headers"].push_back(json::array({name, value}));
  }
  return Output{functions::JsonTextWithBody(result->body, output)};
}

absl::StatusOr<Output> FeedTitles(TaskContext& context) {
  const absl::StatusOr<std::vector<std::string>> urls = ParseUrls(context.input());
  if (!urls.ok()) return urls.status();
  json titles = json::array();
  const absl::Status done = functions::ForEachFeedTitle(
      context.services().fetch, *urls, [&](size_t index, absl::StatusOr<std::string> title) {
        json entry = {{"url", (*urls)[index]}};
        entry[title.ok() ? "title" : "error"] =
            title.ok() ? *title : std::string(title.status().message());
        titles.push_back(std::move(entry));
        context.ReportProgress(static_cast<double>(index + 1) / urls->size(),
                               absl::StrFormat("%d of %d feeds", index + 1, urls->size()));
        return absl::OkStatus();
      });
  if (!done.ok()) return done;
  return Output{functions::JsonText({{"titles", std::move(titles)}})};
}

absl::StatusOr<Output> Fail(TaskContext& context) {
  const absl::StatusOr<json> input =
      functions::ParseInput(context.input(), {"code", "message", "exception", "after_seconds"});
  if (!input.ok()) return input.status();
  const absl::StatusOr<std::string> name = functions::StringField(*input, "code", "INTERNAL");
  if (!name.ok()) return name.status();
  const absl::StatusOr<absl::StatusCode> code = ParseCode(*name);
  if (!code.ok()) return code.status();
  const absl::StatusOr<std::string> message =
      functions::StringField(*input, "message", "failed as it was told to");
  if (!message.ok()) return message.status();
  const absl::StatusOr<bool> exception = BoolField(*input, "exception");
  if (!exception.ok()) return exception.status();
  const absl::StatusOr<double> after =
      functions::NumberField(*input, "after_seconds", 0, kSleepMaxSeconds, 0);
  if (!after.ok()) return after.status();
  if (absl::Status slept = Sleep(absl::Seconds(*after)); !slept.ok()) return slept;
  if (*exception) throw std::runtime_error(*message);
  return absl::Status(*code, *message);
}

absl::Status Hello(http::Request&, http::Response& response) {
  return response.Send(200, "text/plain", "Hello, World!\n");
}

absl::Status Titles(functions::FetchClient& client, http::Request& request,
                    http::Response& response) {
  const absl::StatusOr<std::string> body = request.ReadWholeBody(kTitlesBodyMaxBytes);
  if (!body.ok() && body.status().code() != absl::StatusCode::kResourceExhausted) {
    return body.status();
  }
  const std::vector<std::string> urls = body.ok() ? Lines(*body) : std::vector<std::string>();
  if (!body.ok() || urls.size() > functions::kFeedUrlsMax) {
    return response.Send(413, "text/plain; charset=utf-8",
                         absl::StrFormat("at most %d feed URLs in %d bytes, one a line\n",
                                         functions::kFeedUrlsMax, kTitlesBodyMaxBytes));
  }
  if (urls.empty()) return response.Send(200, "text/plain; charset=utf-8", "");
  response.Add("Content-Type", "text/plain; charset=utf-8");
  return functions::ForEachFeedTitle(client, urls,
                                     [&](size_t, const absl::StatusOr<std::string>& title) {
                                       return response.Write(TitleLine(title));
                                     });
}

absl::Status EchoMessages(http::WebSocket& socket, const http::Request&) {
  for (;;) {
    absl::StatusOr<std::optional<http::Message>> message = socket.Receive();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    absl::Status sent = socket.Send((*message)->type, (*message)->payload);
    if (!sent.ok()) return sent;
  }
}

http::WebSocketOptions EchoOptions() {
  http::WebSocketOptions options;
  options.limits.message_bytes_max = kEchoMessageBytesMax;
  return options;
}

void RegisterBuiltins(Application& application) {
  application.AddFunction("echo", &Echo,
                          {.description = "Returns its input, of any size.",
                           .input_example = R"({"any":"thing"})",
                           .streams_input = true});
  application.AddFunction("checksum", &Checksum,
                          {.description = "SHA-256 and size of its input, of any size.",
                           .input_example = R"({"any":"thing"})",
                           .streams_input = true});
  application.AddFunction(
      "sleep", &SleepFor,
      {.description = "Sleeps for 0 to 86,400 seconds.", .input_example = R"({"seconds":1.5})"});
  application.AddFunction("http.fetch", &HttpFetch,
                          {.description = "Fetches an http or https URL.",
                           .input_example = R"({"url":"https://example.com/"})"});
  application.AddFunction("http.request", &functions::SendRequest,
                          {.description = "Sends an HTTP request within its origin's bounds.",
                           .input_example = R"({"url":"https://example.com/","json":{"a":1}})"});
  application.AddFunction("feed.titles", &FeedTitles,
                          {.description = "Titles of up to 1,000 RSS and Atom feeds.",
                           .input_example = R"({"urls":["https://example.com/feed.xml"]})"});
  application.AddFunction("fail", &Fail,
                          {.description = "Fails as it is told, to try errors out.",
                           .input_example = R"({"code":"INTERNAL","message":"no luck"})"});
  application.AddHandler("hello", &Hello);
  application.AddWebSocket("websocket.echo", &EchoMessages, EchoOptions());
  application.AddHandler("reflect", &handlers::Reflect);
  application.AddHandler("echo", &handlers::EchoBody);
  application.AddHandler("ignore", &handlers::IgnoreBody);
  application.AddHandler("stream", &handlers::StreamChunks);
  application.AddHandler("status", &handlers::AnswerStatus);
  application.AddHandler("sleep", &handlers::SleepThenAnswer);
  application.AddHandler("fail", &handlers::FailToAnswer);
  application.AddFolderHandlerFactory(
      "file",
      [](WorkerServices& services, const Application::RouteSettings& route) -> http::Handler {
        return [files = handlers::FileHandler(route.path, route.folder, services.offload)](
                   http::Request& request, http::Response& response) {
          return files.Serve(request, response);
        };
      });
  application.AddHandlerFactory("titles", [](WorkerServices& services) -> http::Handler {
    return [&client = services.fetch](http::Request& request, http::Response& response) {
      return Titles(client, request, response);
    };
  });
  application.AddRoute("GET", "/", "hello");
  application.AddRoute("POST", "/titles", "titles");
}

}  // namespace grove

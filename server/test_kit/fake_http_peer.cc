#include "server/test_kit/fake_http_peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "http/client/url.h"
#include "http/message/chunked.h"
#include "http/message/parser.h"
#include "http/message/path.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/errno_status.h"
#include "server/http/handler/route_pattern.h"

namespace grove::test_kit {
namespace {

// A test's own requests: what is larger is a mistake.
constexpr size_t kHeadBytesMax = size_t{256} << 10;
constexpr size_t kBodyBytesMax = size_t{64} << 20;
// Named in Check().
constexpr size_t kNamedMax = 10;

std::string OriginOf(const http::Url& url) {
  return absl::StrCat(url.https ? "https://" : "http://", url.HostField());
}

std::vector<std::string_view> SegmentsOf(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool Matches(const http::RoutePattern& pattern, std::string_view path) {
  const absl::StatusOr<std::string> canonical = http::CanonicalPath(path);
  if (!canonical.ok()) return false;
  const std::vector<std::string_view> segments = SegmentsOf(*canonical);
  for (size_t at = 0; at < pattern.segments.size(); ++at) {
    const http::RoutePattern::Segment& wanted = pattern.segments[at];
    if (at >= segments.size()) return false;
    if (wanted.kind == http::RoutePattern::Kind::kRest) return true;
    if (wanted.kind == http::RoutePattern::Kind::kName ? segments[at].empty()
                                                       : segments[at] != wanted.text) {
      return false;
    }
  }
  return segments.size() == pattern.segments.size();
}

// Path and query of an absolute URL.
std::string_view TargetOf(std::string_view url) {
  const size_t host = url.find("://") + 3;
  const size_t end = url.find('/', host);
  return end == std::string_view::npos ? "/" : url.substr(end);
}

std::string_view PathOf(std::string_view url) {
  const std::string_view target = TargetOf(url);
  return target.substr(0, target.find('?'));
}

absl::StatusOr<std::string> ReadChunked(BufferedReader& reader) {
  std::string body;
  http::ChunkedDecoder decoder;
  for (;;) {
    char piece[4096];
    const absl::StatusOr<size_t> got = reader.Read(piece);
    if (!got.ok()) return got.status();
    if (*got == 0) return absl::UnavailableError("the body has no end");
    std::string_view bytes(piece, *got);
    std::string_view data;
    http::ChunkedDecoder::Event event;
    while ((event = decoder.Next(bytes, SIZE_MAX, data)) == http::ChunkedDecoder::Event::kData) {
      body += data;
    }
    if (event == http::ChunkedDecoder::Event::kDone) return body;
    if (event == http::ChunkedDecoder::Event::kBad || body.size() > kBodyBytesMax) {
      return absl::InvalidArgumentError("not a chunked body, or too long a one");
    }
  }
}

bool HasField(const http::HttpFields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [name](const auto& field) {
    return http::EqualsIgnoreCase(field.first, name);
  });
}

std::string Bytes(const PeerAnswer& answer, std::string_view method) {
  std::string text = absl::StrCat("HTTP/1.1 ", answer.status, " \r\n");
  for (const auto& [name, value] : answer.fields) absl::StrAppend(&text, name, ": ", value, "\r\n");
  const bool bodiless = answer.status < 200 || answer.status == 204 || answer.status == 304;
  if (!bodiless && !HasField(answer.fields, "content-length") &&
      !HasField(answer.fields, "transfer-encoding")) {
    absl::StrAppend(&text, "Content-Length: ", answer.body.size(), "\r\n");
  }
  absl::StrAppend(&text, "Connection: close\r\n\r\n");
  if (!bodiless && method != "HEAD") text += answer.body;
  return text;
}

}  // namespace

std::string_view PeerRequest::Field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (http::EqualsIgnoreCase(key, name)) return value;
  }
  return "";
}

// --- Scripts -------------------------------------------------------------------------------------

FakeHttpPeer::Script& FakeHttpPeer::Script::Add(Step step) {
  steps_.push_back(std::move(step));
  return *this;
}

FakeHttpPeer::Script& FakeHttpPeer::Script::Answer(int status, std::string body,
                                                   http::HttpFields fields) {
  PeerAnswer answer{status, std::move(body), std::move(fields)};
  return Answer([answer = std::move(answer)](const PeerRequest&) { return answer; });
}

FakeHttpPeer::Script& FakeHttpPeer::Script::Answer(
    std::function<PeerAnswer(const PeerRequest&)> make) {
  return Add({.kind = Kind::kAnswer, .make = std::move(make)});
}

FakeHttpPeer::Script& FakeHttpPeer::Script::Reset() {
  return Add({.kind = Kind::kReset});
}

FakeHttpPeer::Script& FakeHttpPeer::Script::Silence() {
  return Add({.kind = Kind::kSilence});
}

FakeHttpPeer::Script& FakeHttpPeer::Script::Delay(absl::Duration delay) {
  GROVE_CHECK(!steps_.empty(), "Delay() stands behind the step that it is of: Answer(…).Delay(…)");
  steps_.back().delay = delay;
  return *this;
}

bool FakeHttpPeer::Script::Takes(const PeerRequest& request) const {
  if (!method_.empty() && method_ != request.method) return false;
  const std::string_view target = TargetOf(request.url);
  const std::string_view path = PathOf(request.url);
  if (!origin_.empty() &&
      std::string_view(request.url).substr(0, request.url.size() - target.size()) != origin_) {
    return false;
  }
  if (!query_.empty() && target.substr(path.size()) != query_) return false;
  return Matches(*http::RoutePattern::Parse(path_), path);
}

std::string FakeHttpPeer::Script::Name() const {
  return absl::StrCat(method_.empty() ? "any method" : method_, " ", origin_, path_, query_);
}

FakeHttpPeer::Script& FakeHttpPeer::On(std::string_view method, std::string_view target) {
  Script script;
  script.method_ = method;
  if (!target.starts_with('/')) {
    const std::string_view path = TargetOf(target);
    const bool whole = target.ends_with(path);
    const absl::StatusOr<http::Url> url =
        http::Url::Parse(target.substr(0, target.size() - (whole ? path.size() : 0)));
    GROVE_CHECK(url.ok(),
                "On() wants a path or a URL: \"/charge\", \"https://pay.example/charge\"");
    script.origin_ = OriginOf(*url);
    target = path;
  }
  const size_t query = std::min(target.find('?'), target.size());
  const absl::StatusOr<http::RoutePattern> path =
      http::RoutePattern::Parse(target.substr(0, query));
  GROVE_CHECK(path.ok(), "On() wants the path of a route: \"/users/{id}\", \"/files/{path...}\"");
  script.path_ = target.substr(0, query);
  script.query_ = target.substr(query);
  for (Script& known : scripts_) {
    if (known.Name() == script.Name()) return known;
  }
  return scripts_.emplace_back(std::move(script));
}

FakeHttpPeer::Script::Step FakeHttpPeer::NextStep(const PeerRequest& request) {
  for (Script& script : scripts_) {
    if (script.steps_.empty() || !script.Takes(request)) continue;
    return script.steps_[std::min(script.asked_++, script.steps_.size() - 1)];
  }
  unscripted_.push_back(absl::StrCat(request.method, " ", request.url));
  Script refusal;
  refusal.Answer(501, Unscripted(request), {{"Content-Type", "text/plain"}});
  return refusal.steps_[0];
}

std::string FakeHttpPeer::Unscripted(const PeerRequest& request) const {
  std::vector<std::string> names;
  for (const Script& script : scripts_) {
    names.push_back(script.Name() + (script.steps_.empty() ? " (without an answer)" : ""));
  }
  return absl::StrCat(
      "FakeHttpPeer: no script answers ", request.method, " ", request.url,
      names.empty() ? "; there is none" : "; there are: ", absl::StrJoin(names, ", "), "\n");
}

// --- Connections ---------------------------------------------------------------------------------

http::HttpConnect FakeHttpPeer::Connect() {
  return [this](const http::Url& url) -> absl::StatusOr<std::unique_ptr<Stream>> {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
      return ErrnoStatus(errno, "socketpair");
    }
    // Closed with the socket, whatever becomes of the other.
    auto client = std::make_unique<Socket>(*Socket::Adopt(fds[0]));
    auto own = std::make_shared<Socket>(*Socket::Adopt(fds[1]));
    if (!group_) group_.emplace(FiberGroup::OnFailure::kLetRestRun, "fake-http-peer");
    const absl::StatusOr<FiberHandle> served =
        group_->Spawn("fake-http-peer", [this, own, origin = OriginOf(url)] {
          Serve(*own, origin).IgnoreError();  // the client is gone, or says what is no request
          own->Close();
        });
    if (!served.ok()) return served.status();
    return client;
  };
}

void FakeHttpPeer::Stop() {
  if (!group_) return;
  if (group_->running() > 0) {
    group_->Cancel();
    group_->Join().IgnoreError();  // that they were cancelled
  }
  group_.reset();
}

absl::Status FakeHttpPeer::Serve(Socket& socket, const std::string& origin) {
  BufferedReader reader(socket);
  const absl::StatusOr<PeerRequest> request = Read(socket, reader, origin);
  if (!request.ok()) return request.status();
  requests_.push_back(*request);
  const Script::Step step = NextStep(*request);
  if (step.delay > absl::ZeroDuration()) {
    if (absl::Status slept = Sleep(step.delay); !slept.ok()) return slept;
  }
  if (step.kind == Script::Kind::kReset) return absl::OkStatus();
  if (step.kind == Script::Kind::kAnswer) {
    return socket.Write(Bytes(step.make(*request), request->method));
  }
  char byte;
  return reader.Read({&byte, 1}).status();  // the client gives up
}

absl::StatusOr<PeerRequest> FakeHttpPeer::Read(Socket& socket, BufferedReader& reader,
                                               const std::string& origin) const {
  const absl::StatusOr<std::string> head = reader.ReadUntil("\r\n\r\n", kHeadBytesMax);
  if (!head.ok()) return head.status();
  http::RequestParser parser;
  if (parser.Parse(*head) != http::RequestParser::Result::kDone) {
    return absl::InvalidArgumentError("this is no request");
  }
  PeerRequest request;
  request.method = parser.head().method;
  request.url = absl::StrCat(origin, std::string(parser.head().target));
  for (const http::Field& field : parser.head().fields) {
    request.fields.emplace_back(field.name, field.value);
  }
  if (parser.framing().expect_continue()) {
    if (absl::Status sent = socket.Write("HTTP/1.1 100 Continue\r\n\r\n"); !sent.ok()) return sent;
  }
  absl::StatusOr<std::string> body = std::string();
  if (parser.framing().body() == http::BodyKind::kChunked) {
    body = ReadChunked(reader);
  } else if (parser.framing().body() == http::BodyKind::kLength) {
    if (parser.framing().content_length() > kBodyBytesMax) {
      return absl::ResourceExhaustedError("too long a body");
    }
    body = reader.ReadExactly(parser.framing().content_length());
  }
  if (!body.ok()) return body.status();
  request.body = *std::move(body);
  return request;
}

// --- What was asked ------------------------------------------------------------------------------

std::vector<PeerRequest> FakeHttpPeer::RequestsTo(std::string_view url) const {
  std::vector<PeerRequest> found;
  for (const PeerRequest& request : requests_) {
    if (request.url == url || PathOf(request.url) == url) found.push_back(request);
  }
  return found;
}

absl::Status FakeHttpPeer::Check() const {
  if (unscripted_.empty()) return absl::OkStatus();
  std::vector<std::string> named = unscripted_;
  if (named.size() > kNamedMax) {
    named.resize(kNamedMax);
    named.push_back("…");
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "asked of FakeHttpPeer, and answered by no script: ", absl::StrJoin(named, ", ")));
}

}  // namespace grove::test_kit

#include "http/client/websocket_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "http/client/url.h"
#include "http/websocket/client_handshake.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

// Of a refusal's body, in an error's text.
constexpr size_t kShownBytesMax = 200;
// Read at once while only the connection's end is waited for.
constexpr size_t kHangupReadBytes = 4096;

absl::StatusCode CodeOf(int status) {
  if (status == 401 || status == 407) return absl::StatusCode::kUnauthenticated;
  if (status == 403) return absl::StatusCode::kPermissionDenied;
  if (status == 404 || status == 410) return absl::StatusCode::kNotFound;
  if (status == 429) return absl::StatusCode::kResourceExhausted;
  if (status >= 500) return absl::StatusCode::kUnavailable;
  return absl::StatusCode::kFailedPrecondition;
}

bool IsWebSocketUrl(std::string_view url) {
  return EqualsIgnoreCase(url.substr(0, 5), "ws://") ||
         EqualsIgnoreCase(url.substr(0, 6), "wss://");
}

bool IsHandshakes(std::string_view name) {
  return EqualsIgnoreCase(name.substr(0, 14), "sec-websocket-") || EqualsIgnoreCase(name, "origin");
}

absl::Status About(const std::string& url, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(url.substr(0, kShownBytesMax), ": ", status.message()));
}

}  // namespace

ClientWebSocket::ClientWebSocket(std::unique_ptr<SwitchedConnection> connection,
                                 const WebSocketSessionOptions& options,
                                 websocket::Agreement agreed, std::string url)
    : connection_(std::move(connection)),
      options_(options),
      agreed_(std::move(agreed)),
      url_(std::move(url)),
      socket_(*connection_, websocket::Role::kClient, options_, agreed_) {}

ClientWebSocket::~ClientWebSocket() {
  connection_->Close();
  if (!reader_) return;
  reader_.Cancel();
  reader_.AwaitEnd();
  // Cancelled before it began: the session still ends as it must.
  if (!ended_.ready()) socket_.Run();
}

void ClientWebSocket::Run() {
  socket_.Run();
  AwaitHangup();
  // Wakes who still sends.
  connection_->Close();
  ended_.Set();
}

// The server closes first (RFC 6455, 7.1.1), so that it is not the client's port that is kept busy.
// One that was failed must not be hung up on with bytes of it unread: the reset that the kernel
// sends for them would overtake our close frame.
void ClientWebSocket::AwaitHangup() {
  Timeout timeout(options_.close_timeout);
  if (peer_close().code == websocket::kCloseAbnormal) connection_->ShutdownWrite();
  absl::StatusOr<size_t> got = size_t{1};
  while (got.ok() && *got > 0) {
    connection_->Consume(connection_->unread().size());
    got = connection_->Fill(kHangupReadBytes);
  }
}

absl::Status ClientWebSocket::Close(uint16_t code, std::string_view reason) {
  {
    Timeout timeout(options_.close_timeout);
    absl::Status sent = socket_.Close(code, reason);
    if (absl::IsInvalidArgument(sent)) return sent;
    if (timeout.Caused(sent)) {
      connection_->Close();
    } else if (absl::IsCancelled(sent) || absl::IsDeadlineExceeded(sent)) {
      return sent;
    }
  }
  if (absl::Status ended = ended_.Wait(); !ended.ok()) return ended;
  if (peer_close().code != websocket::kCloseAbnormal) return absl::OkStatus();
  return absl::UnavailableError("the connection ended without the server's close frame");
}

// The steps of Connect(), and the only one that makes a ClientWebSocket.
class WebSocketConnector {
 public:
  explicit WebSocketConnector(ConnectOptions& options) : options_(options) {
    handshake_.subprotocols = options.subprotocols;
    handshake_.deflate = options.deflate;
    handshake_.key = websocket::ClientHandshake::MakeKey();
  }

  absl::StatusOr<HttpRequest> Request(std::string_view url) const {
    if (!IsWebSocketUrl(url)) return absl::InvalidArgumentError("url: want ws:// or wss://");
    if (absl::Status fine = handshake_.Check(); !fine.ok()) return fine;
    for (const auto& [name, value] : options_.fields) {
      if (!IsHandshakes(name)) continue;
      return absl::InvalidArgumentError(
          StrCat("fields: ", name, " is the handshake's own; leave it out"));
    }
    HttpRequest request;
    request.url = HttpReference(url);
    request.upgrade = "websocket";
    request.fields = options_.fields;
    if (!options_.origin.empty()) request.fields.emplace_back("Origin", options_.origin);
    for (auto& field : handshake_.Fields()) request.fields.push_back(std::move(field));
    request.redirects_max = options_.redirects_max;
    request.unix_socket = options_.unix_socket;
    request.cookies = options_.cookies;
    if (request.url.starts_with("https:")) {
      request.on_redirect = [](const Url& next) {
        return next.https ? absl::OkStatus()
                          : absl::PermissionDeniedError("a redirect from wss to ws");
      };
    }
    return request;
  }

  absl::StatusOr<std::unique_ptr<ClientWebSocket>> Open(HttpExchange& answer) const {
    std::vector<Field> fields;
    for (const auto& [name, value] : answer.fields()) fields.push_back({name, value});
    absl::StatusOr<websocket::Agreement> agreed = handshake_.TakeAnswer(fields);
    if (!agreed.ok()) return agreed.status();
    absl::StatusOr<std::unique_ptr<SwitchedConnection>> connection = answer.TakeConnection();
    if (!connection.ok()) return connection.status();
    std::unique_ptr<ClientWebSocket> socket(new ClientWebSocket(
        *std::move(connection), options_.session, *std::move(agreed), answer.url()));
    absl::StatusOr<FiberHandle> reader =
        Spawn("http.websocket.read", [raw = socket.get()] { raw->Run(); });
    if (!reader.ok()) return reader.status();
    socket->reader_ = *std::move(reader);
    return socket;
  }

  // What the server said instead.
  absl::Status Refused(HttpExchange& answer) const {
    std::string body;
    while (body.size() < options_.refusal_bytes_max) {
      const absl::StatusOr<std::string_view> piece = answer.Next();
      if (!piece.ok()) return piece.status();
      if (piece->empty()) break;
      body.append(piece->substr(0, options_.refusal_bytes_max - body.size()));
    }
    const std::string begin = body.substr(0, std::min(body.find_first_of("\r\n"), kShownBytesMax));
    const std::string shown = absl::Utf8SafeCHexEscape(begin);
    const std::string text = StrCat("the server answers ", answer.status(), " to the handshake",
                                    shown.empty() ? "" : ": ", shown);
    if (options_.refusal != nullptr) {
      *options_.refusal = HttpResponse{.status = answer.status(),
                                       .url = answer.url(),
                                       .fields = answer.fields(),
                                       .body = std::move(body),
                                       .trailers = answer.trailers()};
    }
    return absl::Status(CodeOf(answer.status()), text);
  }

 private:
  ConnectOptions& options_;
  websocket::ClientHandshake handshake_;
};

namespace websocket {

absl::StatusOr<std::unique_ptr<ClientWebSocket>> Connect(HttpClient& client, std::string_view url,
                                                         ConnectOptions options) {
  const WebSocketConnector connector(options);
  absl::StatusOr<HttpRequest> request = connector.Request(url);
  if (!request.ok()) return request.status();
  absl::StatusOr<HttpExchange> answer = client.Open(*std::move(request));
  if (!answer.ok()) return answer.status();
  if (answer->status() != 101) return About(answer->url(), connector.Refused(*answer));
  absl::StatusOr<std::unique_ptr<ClientWebSocket>> socket = connector.Open(*answer);
  if (!socket.ok()) return About(answer->url(), socket.status());
  return socket;
}

}  // namespace websocket
}  // namespace grove::http

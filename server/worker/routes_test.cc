#include "server/worker/routes.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/cleanup/cleanup.h"
#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/load.h"
#include "server/config/resolve.h"
#include "server/http/serving/server_fixture.h"
#include "server/worker/middleware_chain.h"

namespace grove::worker {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What `--check` would say, with functions "who" (who asks), "text" (something long) and "late".
class RoutesTest : public http::ServerFixture {
 protected:
  static std::string WriteSecret(std::string_view secret) {
    std::string path = testing::TempDir() + "/secret." + std::string(secret);
    std::ofstream(path) << secret << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_read);
    return path;
  }
  static http::Handler HandlerOf(const std::string& name,
                                 const Application::RouteSettings& /*route*/ = {}) {
    if (name == "text") {
      return [](http::Request&, http::Response& response) {
        return response.Send(200, "text/plain", std::string(5000, 'x'));
      };
    }
    if (name == "late") {
      return [](http::Request&, http::Response&) { return Sleep(absl::Hours(1)); };
    }
    return [](http::Request& request, http::Response& response) {
      std::string answer =
          StrCat("client=", request.context.client, " tenant=", request.context.tenant,
                 " token=", request.context.token);
      for (const auto& [key, value] : request.context.params) {
        StrAppend(&answer, " ", key, "=", value);
      }
      return response.Send(200, "text/plain", answer);
    };
  }
  static absl::StatusOr<http::Router> Build(const std::string& yaml) {
    absl::StatusOr<config::v1::Config> file = config::ParseConfig(yaml, "c");
    if (!file.ok()) return file.status();
    config::Environment environment;
    environment.home = environment.working_directory = "/tmp";
    absl::StatusOr<config::v1::Config> config = config::Resolve({}, *file, environment);
    if (!config.ok()) return config.status();
    Application application("a");
    application.Handle("GET", "/own", HandlerOf("who"));
    application.AddWebSocket("socket", {}, SocketOptions());
    sockets_.clear();
    const auto keep = [](const std::string&, http::WebSocketOptions options) {
      sockets_.push_back(std::move(options));
      return HandlerOf("who");
    };
    return BuildRouter(*config, application, {.handler = HandlerOf, .websocket = keep});
  }
  // What the code of "socket" says.
  static http::WebSocketOptions SocketOptions() {
    http::WebSocketOptions options;
    options.limits.message_bytes_max = 77;
    options.handshake.origins = {"https://code.org"};
    options.handshake.subprotocols = {"code"};
    return options;
  }
  // Of the router built last, in the order of its routes.
  static inline std::vector<http::WebSocketOptions> sockets_;
  static std::string ErrorOf(const std::string& yaml) {
    return std::string(Build(yaml).status().message());
  }
  void Use(const std::string& yaml) {
    absl::StatusOr<http::Router> router = Build(yaml);
    ASSERT_TRUE(router.ok()) << router.status();
    router_ = *std::move(router);
  }
  std::string Ask(std::string_view method, std::string_view path, std::string_view fields = "") {
    http::Client client = Connect();
    return client.Ask(StrCat(method, " ", path, " HTTP/1.1\r\nHost: h\r\n", fields, "\r\n"));
  }
};

// One route with this middleware.
std::string Route(const std::string& middleware) {
  return StrCat("http: {routes: [{path: /, function: who, middleware: [", middleware, "]}]}");
}

TEST_F(RoutesTest, ServesTheApplicationsRoutesBehindTheDefaultChain) {
  Use("http: {middleware: [{request_id: {}}]}");
  Run([&] {
    EXPECT_THAT(Ask("GET", "/own"), HasSubstr("\r\nX-Request-Id: "));
    EXPECT_THAT(Ask("GET", "/none"), HasSubstr("\r\nX-Request-Id: "));
    EXPECT_THAT(Ask("PUT", "/own"), HasSubstr("\r\nX-Request-Id: "));
  });
}

TEST_F(RoutesTest, PutsARoutesOwnChainBehindTheDefaultOne) {
  Use(R"(
http:
  middleware: [{request_id: {trusted: ["unix:"]}}, {real_client: {trusted: ["unix:", 10.0.0.0/8]}}]
  routes:
  - {path: "/t/{id}", function: who, middleware: [{tenant: {rules: [{path_prefix: /t}]}}]}
  - {path: /bare, function: who, own_middleware_only: true}
tenants: [{name: acme}]
)");
  Run([&] {
    const std::string fields =
        "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.7\r\nX-Request-Id: r1\r\n";
    const std::string answer = Ask("GET", "/t/acme", fields);
    EXPECT_THAT(answer, HasSubstr("\r\nX-Request-Id: r1\r\n"));
    EXPECT_THAT(answer, EndsWith("client=1.2.3.4 tenant=acme token= id=acme"));
    EXPECT_THAT(Ask("GET", "/t/nobody"), StartsWith("HTTP/1.1 403 "));
    const std::string bare = Ask("GET", "/bare", fields);
    EXPECT_THAT(bare, EndsWith("client=unix: tenant= token="));
    EXPECT_THAT(bare, Not(HasSubstr("X-Request-Id")));
  });
}

TEST_F(RoutesTest, AuthenticatesAndLimitsByToken) {
  Use(Route(
      StrCat("{bearer_auth: {tokens: [{name: ci, secret_file: ", WriteSecret("0123456789abcdef"),
             "}]}}, {rate_limit: {requests_per_minute: 1, key: token, fields: true}}")));
  Run([&] {
    const std::string unknown = Ask("GET", "/");
    EXPECT_THAT(unknown, StartsWith("HTTP/1.1 401 "));
    EXPECT_THAT(unknown, HasSubstr("WWW-Authenticate: Bearer realm=\"grove\"\r\n"));
    const std::string token = "Authorization: Bearer 0123456789abcdef\r\n";
    EXPECT_THAT(Ask("GET", "/", token), EndsWith("token=ci"));
    const std::string refused = Ask("GET", "/", token);
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 "));
    EXPECT_THAT(refused, HasSubstr("\r\nRetry-After: 60\r\n"));
    EXPECT_THAT(refused, HasSubstr("\r\nRateLimit-Remaining: 0\r\n"));
  });
}

TEST_F(RoutesTest, AnswersPreflightsOfARouteWithCors) {
  Use(R"(
http:
  routes:
  - {method: PUT, path: /a, function: who, middleware: [{cors: {origins: ["https://b.org"], methods: [PUT]}}]}
  - {method: GET, path: /a, function: who}
)");
  Run([&] {
    const std::string fields = "Origin: https://b.org\r\nAccess-Control-Request-Method: PUT\r\n";
    const std::string answer = Ask("OPTIONS", "/a", fields);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 "));
    EXPECT_THAT(answer, HasSubstr("\r\nAccess-Control-Allow-Origin: https://b.org\r\n"));
    EXPECT_THAT(Ask("OPTIONS", "/a"), HasSubstr("\r\nAllow: GET, HEAD, OPTIONS, PUT\r\n"));
  });
}

TEST_F(RoutesTest, CompressesLimitsBodiesAndTime) {
  Use(R"(
http:
  middleware: [{gzip: {}}, {body_limit: {bytes_max: 3}}, {time_limit: {timeout_ms: 1, status: 503}}]
  routes: [{path: /text, function: text}, {path: /late, function: late}]
)");
  Run([&] {
    const std::string zipped = Ask("GET", "/text", "Accept-Encoding: gzip\r\n");
    EXPECT_THAT(zipped, HasSubstr("\r\nContent-Encoding: gzip\r\n"));
    EXPECT_LT(zipped.size(), 500);
    EXPECT_THAT(Ask("GET", "/text"), EndsWith(std::string(5000, 'x')));
    EXPECT_THAT(Ask("HEAD", "/text", "Accept-Encoding: gzip\r\n"),
                AllOf(HasSubstr("\r\nContent-Encoding: gzip\r\n"), EndsWith("\r\n\r\n")));
    EXPECT_THAT(Ask("HEAD", "/text"), HasSubstr("\r\nContent-Length: 5000\r\n"));
    EXPECT_THAT(Ask("POST", "/text", "Content-Length: 4\r\n"), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(Ask("GET", "/late"), StartsWith("HTTP/1.1 503 "));
  });
}

TEST_F(RoutesTest, SaysWhatIsWrongAndWhere) {
  const std::string here = "http.routes[0].middleware[0]";
  const std::pair<std::string, std::string> table[] = {
      {"{}", here + ": want one of request_id"},
      {"{rate_limit: {}}", here + ".rate_limit.requests_per_second: must be > 0"},
      {"{rate_limit: {requests_per_second: 1, requests_per_minute: 1}}", "excludes"},
      {"{rate_limit: {requests_per_second: 1, key: header}}", here + ".rate_limit.header: want"},
      {"{rate_limit: {requests_per_second: 1, header: X}}", "goes with `key: header`"},
      {"{rate_limit: {requests_per_second: -1}}", "expected an integer from 1"},
      {"{real_client: {}}", here + ".real_client.trusted: want"},
      {"{real_client: {trusted: [10.0.0.1/8]}}", "did you mean 10.0.0.0/8?"},
      {"{request_id: {trusted: [proxy]}}", here + ".request_id.trusted: 'proxy'"},
      {"{cors: {}}", here + ".cors: want origins"},
      {"{cors: {origins: ['*'], credentials: true}}", here + ".cors: credentials and *"},
      {"{gzip: {types: [text]}}", here + ".gzip.types[0]: 'text' is no content type"},
      {"{gzip: {level: 10}}", "expected an integer from 1 to 9"},
      {"{time_limit: {status: 500}}", "expected an integer from 503 to 504"},
      {"{bearer_auth: {}}", here + ".bearer_auth.tokens: want"},
      {"{bearer_auth: {tokens: [{name: a, secret_file: /none}]}}", "tokens[0].secret_file: /none"},
      {"{bearer_auth: {realm: 'a\"', tokens: [{name: a}]}}", here + ".bearer_auth.realm: want"},
      {"{tenant: {}}", here + ".tenant.rules: want"},
      {"{tenant: {rules: [{tenant: default}]}}", "rules[0]: want host, path_prefix"},
      {"{tenant: {rules: [{certificate: acme, tenant: default}]}}",
       "'acme': want a name after CN:"},
      {"{tenant: {rules: [{certificate: \"CN:a\"}]}}", "rules[0]: want the tenant, or a '*'"},
      {"{tenant: {rules: [{token: a, tenant: x}]}}", "rules[0].tenant: 'x' is none of `tenants`"},
      {"{tenant: {rules: [{host: a.org}]}}", "rules[0]: want the tenant"},
      {"{tenant: {rules: [{host: a.org, header: X}]}}", "exclude each other"},
      {"{gzip: {}, cors: {}}", "keys 'gzip' and 'cors' of 'http.routes[0].middleware[0]' exclude"},
  };
  for (const auto& [middleware, error] : table) {
    EXPECT_THAT(ErrorOf(Route(middleware)), HasSubstr(error)) << middleware;
  }
  EXPECT_THAT(ErrorOf("http: {middleware: [{cors: {}}]}"), StartsWith("http.middleware[0].cors: "));
}

TEST_F(RoutesTest, RefusesRoutesThatMatchTheSameRequests) {
  EXPECT_EQ(ErrorOf("http: {routes: [{path: '/a/{x}', function: f, host: a.org}, "
                    "{path: '/a/{y}', function: f, host: A.org}]}"),
            "http.routes[1]: any method of A.org/a/{y} matches the same requests as any method of "
            "a.org/a/{x}");
}

TEST_F(RoutesTest, AWebSocketIsWhatItsCodeTheConfigAndItsRouteComeTo) {
  Use(R"(
http:
  websocket: {message_max_bytes: 100, ping_interval_ms: 5, origins: ["https://a.org"]}
  routes:
  - {path: /a, function: socket}
  - path: /b
    function: socket
    websocket: {message_max_bytes: 7, pong_timeout_ms: 6, close_timeout_ms: 8, compression: none,
                origins: ["https://b.org", "*"], subprotocols: [chat, v2]}
)");
  ASSERT_EQ(sockets_.size(), 2u);
  const http::WebSocketOptions defaults;
  EXPECT_EQ(sockets_[0].limits.message_bytes_max, 100u);
  EXPECT_EQ(sockets_[0].ping_interval, absl::Milliseconds(5));
  EXPECT_EQ(sockets_[0].pong_timeout, defaults.pong_timeout);
  EXPECT_EQ(sockets_[0].close_timeout, defaults.close_timeout);
  EXPECT_TRUE(sockets_[0].handshake.deflate.has_value());
  EXPECT_EQ(sockets_[0].handshake.origins, std::vector<std::string>{"https://a.org"});
  EXPECT_EQ(sockets_[0].handshake.subprotocols, std::vector<std::string>{"code"});
  EXPECT_EQ(sockets_[1].limits.message_bytes_max, 7u);
  EXPECT_EQ(sockets_[1].ping_interval, absl::Milliseconds(5));
  EXPECT_EQ(sockets_[1].pong_timeout, absl::Milliseconds(6));
  EXPECT_EQ(sockets_[1].close_timeout, absl::Milliseconds(8));
  EXPECT_FALSE(sockets_[1].handshake.deflate.has_value());
  EXPECT_TRUE(sockets_[1].handshake.origins.empty()) << "any";
  EXPECT_EQ(sockets_[1].handshake.subprotocols, (std::vector<std::string>{"chat", "v2"}));
}

TEST_F(RoutesTest, AWebSocketOfWhichTheConfigSaysNothingIsAsItsCodeHasIt) {
  Use("http: {routes: [{path: /a, function: socket}]}");
  ASSERT_EQ(sockets_.size(), 1u);
  EXPECT_EQ(sockets_[0].limits.message_bytes_max, 77u);
  EXPECT_EQ(sockets_[0].handshake.origins, std::vector<std::string>{"https://code.org"});
}

TEST_F(RoutesTest, NamesWhatIsWrongWithAWebSocket) {
  for (const auto& [settings, error] : std::vector<std::pair<std::string, std::string>>{
           {"origins: [a.org]", "websocket.origins[0]: 'a.org' is no origin: want one as in"},
           {"origins: ['https://a.org/']", "websocket.origins[0]: 'https://a.org/' is no origin"},
           {"subprotocols: [a, 'b c']",
            "websocket.subprotocols[1]: 'b c' is no subprotocol's name"},
           {"message_max_bytes: -1", "an integer from 1 to 1073741824"},
           {"compression: gzip", "compression"}}) {
    EXPECT_THAT(ErrorOf("http: {websocket: {" + settings + "}}"), HasSubstr(error));
    EXPECT_THAT(
        ErrorOf("http: {routes: [{path: /, function: socket, websocket: {" + settings + "}}]}"),
        HasSubstr(error));
  }
}

std::string SchemeSaid(const config::v1::Http& http, std::string_view client) {
  const http::Field fields[] = {{"X-Forwarded-For", "1.2.3.4"}, {"X-Forwarded-Proto", "https"}};
  http::Request request{.fields = fields};
  request.context.client = client;
  return ForwardedSchemeOf(http)(request);
}

TEST(ForwardedSchemeOf, BelievesTheProxiesThatAnyRealClientTrusts) {
  config::v1::Http http;
  EXPECT_EQ(ForwardedSchemeOf(http), nullptr);
  http.add_middleware()->mutable_gzip();
  EXPECT_EQ(ForwardedSchemeOf(http), nullptr);
  http.add_middleware()->mutable_real_client()->add_trusted("10.0.0.0/8");
  http.add_routes()->add_middleware()->mutable_real_client()->add_trusted("192.168.0.0/16");
  EXPECT_EQ(SchemeSaid(http, "10.0.0.1"), "https");
  EXPECT_EQ(SchemeSaid(http, "192.168.0.1"), "https");
  EXPECT_EQ(SchemeSaid(http, "11.0.0.1"), "");
}

}  // namespace
}  // namespace grove::worker

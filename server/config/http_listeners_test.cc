#include "server/config/http_listeners.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "server/config/load.h"
#include "server/config/resolve.h"

namespace grove::config {
namespace {

std::string File(const std::string& name, mode_t mode) {
  std::string path = ::testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::trunc) << "x";
  EXPECT_EQ(chmod(path.c_str(), mode), 0);
  return path;
}

// The config whose http section has this YAML, as the daemon runs with it.
absl::StatusOr<config::v1::Config> Try(const std::string& http, const DaemonFlags& flags = {}) {
  const auto parsed = ParseConfig("http: " + http + "\n", "c.yaml");
  if (!parsed.ok()) return parsed.status();
  Environment environment;
  environment.home = "/home/u";
  environment.working_directory = "/";
  return Resolve(flags, *parsed, environment);
}

// "NAME ADDRESS" of each listener, with its key.
std::string Listeners(const std::string& http, const DaemonFlags& flags = {}) {
  const auto config = Try(http, flags);
  if (!config.ok()) return std::string(config.status().message());
  std::string all;
  for (int i = 0; i < config->http().listeners_size(); ++i) {
    const config::v1::HttpListener& listener = config->http().listeners(i);
    all += HttpListenerKey(config->http(), i) + " " + listener.name() + " " + listener.address() +
           "\n";
  }
  return all;
}

std::string ErrorOf(const std::string& http) {
  const auto config = Try(http);
  return config.ok() ? "no error" : std::string(config.status().message());
}

// The error of a listener on loopback with these settings, its key left out.
std::string ListenerError(const std::string& settings) {
  const std::string error = ErrorOf("{listeners: [{address: '127.0.0.1:1', " + settings + "}]}");
  const std::string key = "http.listeners[0].";
  return error.rfind(key, 0) == 0 ? error.substr(key.size()) : error;
}

std::string Tls(const std::string& settings) {
  return "tls: {certificates: [{certificate_file: '" + File("cert.pem", 0644) + "', key_file: '" +
         File("key.pem", 0600) + "'}]" + settings + "}";
}

TEST(HttpListeners, TheShortFormIsOnePlainListener) {
  EXPECT_EQ(Listeners("{}"), "http.listen http 127.0.0.1:8090\n");
  EXPECT_EQ(Listeners("{listen: '[::1]:1'}"), "http.listen http [::1]:1\n");
}

TEST(HttpListeners, StandForThemselvesAndBesideTheShortForm) {
  const std::string two = "listeners: [{address: 'unix:/a', name: a}, {address: 'localhost:0'}]}";
  EXPECT_EQ(Listeners("{" + two), "http.listeners[0] a unix:/a\nhttp.listeners[1]  127.0.0.1:0\n");
  const std::string all =
      "http.listen http 127.0.0.1:7\n"
      "http.listeners[0] a unix:/a\nhttp.listeners[1]  127.0.0.1:0\n";
  EXPECT_EQ(Listeners("{listen: '127.0.0.1:7', " + two), all);
  DaemonFlags flags;
  flags.http = "127.0.0.1:7";
  EXPECT_EQ(Listeners("{" + two, flags), all);
}

TEST(HttpListeners, NeedAnAddressThatIsTheirsAlone) {
  EXPECT_NE(ErrorOf("{listeners: [{name: a}]}").find("http.listeners[0].address: "),
            std::string::npos);
  EXPECT_EQ(ErrorOf("{listeners: [{address: 'unix:/a'}, {address: 'unix:/a'}]}"),
            "http.listeners[1].address: unix:/a is taken by http.listeners[0].address");
  EXPECT_EQ(ErrorOf("{listeners: [{address: '127.0.0.1:8091'}]}"),
            "control.listen: 127.0.0.1:8091 is taken by http.listeners[0].address");
  EXPECT_EQ(ErrorOf("{listeners: [{address: '127.0.0.1:0'}, {address: '127.0.0.1:0'}]}"),
            "no error");
}

TEST(HttpListeners, NeedTlsOrConsentBeyondThisMachine) {
  const std::string error = ErrorOf("{listeners: [{address: '0.0.0.0:1'}]}");
  EXPECT_EQ(error.rfind("http.listeners[0].address: 0.0.0.0:1 is reachable beyond this machine", 0),
            0u)
      << error;
  EXPECT_EQ(ErrorOf("{listeners: [{address: '0.0.0.0:1', insecure: true}]}"), "no error");
  EXPECT_EQ(ErrorOf("{insecure: true, listeners: [{address: '0.0.0.0:1'}]}"), "no error");
  EXPECT_EQ(ErrorOf("{listeners: [{address: '0.0.0.0:1', " + Tls("") + "}]}"), "no error");
}

TEST(HttpListeners, CheckNames) {
  EXPECT_EQ(ListenerError("name: http"),
            "name: 'http' is the name of another socket of the daemon's");
  EXPECT_EQ(ListenerError("name: 'a:b'"),
            "name: want up to 255 printable characters without space and colon");
  EXPECT_EQ(ErrorOf("{listeners: [{name: a, address: 'unix:/a'}, {name: a, address: 'unix:/b'}]}"),
            "http.listeners[1].name: 'a' stands twice, first in http.listeners[0].name");
}

TEST(HttpListeners, CheckTlsAndItsFiles) {
  EXPECT_EQ(ListenerError("tls: {}"), "tls.certificates: want at least one");
  EXPECT_EQ(ListenerError("tls: {certificates: [{key_file: /k}]}"),
            "tls.certificates[0]: needs both certificate_file and key_file");
  EXPECT_EQ(ListenerError("tls: {certificates: [{certificate_file: /none, key_file: /k}]}")
                .rfind("tls.certificates[0].certificate_file: ", 0),
            0u);
  EXPECT_EQ(ListenerError("tls: {certificates: [{certificate_file: '" + File("c", 0644) +
                          "', key_file: '" + File("open.pem", 0644) + "'}]}")
                .rfind("tls.certificates[0].key_file: ", 0),
            0u);
  EXPECT_EQ(ListenerError(Tls(", version_min: 1.1")), "tls.version_min: '1.1': want 1.2 or 1.3");
  EXPECT_EQ(ListenerError(Tls(", version_min: 1.3")), "no error");
}

TEST(HttpListeners, ClientCertificatesAndTheirAuthoritiesGoTogether) {
  EXPECT_EQ(ListenerError(Tls(", client_certificate: required")),
            "tls.client_ca_file: want the authorities of clients' certificates");
  const std::string ca = ", client_ca_file: '" + File("ca.pem", 0644) + "'";
  EXPECT_EQ(ListenerError(Tls(ca)),
            "tls.client_certificate: want optional or required, since there is a client_ca_file");
  EXPECT_EQ(ListenerError(Tls(ca + ", client_certificate: optional")), "no error");
  EXPECT_EQ(ListenerError(Tls(", client_ca_file: /none, client_certificate: optional"))
                .rfind("tls.client_ca_file: ", 0),
            0u);
}

TEST(HttpListeners, CheckProxies) {
  EXPECT_EQ(ListenerError("proxy_protocol: {}"),
            "proxy_protocol.trusted: want CIDR ranges, or unix:, of the balancers in front");
  EXPECT_EQ(ListenerError("proxy_protocol: {trusted: [10.0.0.0/8, 'unix:']}"), "no error");
  EXPECT_EQ(ListenerError("proxy_protocol: {trusted: [10.1.0.0/8]}")
                .rfind("proxy_protocol.trusted[0]: ", 0),
            0u);
}

TEST(HttpListeners, ShareAPortOnlyWhereThereIsOne) {
  EXPECT_EQ(ListenerError("reuse_port: true"), "no error");
  EXPECT_EQ(ErrorOf("{listeners: [{address: 'unix:/a', reuse_port: true}]}"),
            "http.listeners[0].reuse_port: is for TCP: a unix: path is one socket's");
  EXPECT_EQ(ErrorOf("{listeners: [{address: 'unix:/a', accept_silent: true}]}"),
            "http.listeners[0].accept_silent: is for TCP: a unix: path always does");
}

TEST(HttpListeners, CheckTheModeOfUnixSockets) {
  EXPECT_EQ(ListenerError("unix_mode: '0660'"), "unix_mode: is for unix: addresses");
  const auto mode = [](const std::string& text) {
    return ErrorOf("{listeners: [{address: 'unix:/a', unix_mode: '" + text + "'}]}");
  };
  EXPECT_EQ(mode("0660"), "no error");
  EXPECT_EQ(mode("1777"),
            "http.listeners[0].unix_mode: '1777': want octal permission bits, as 0660");
  EXPECT_EQ(mode("0668"),
            "http.listeners[0].unix_mode: '0668': want octal permission bits, as 0660");
  EXPECT_EQ(ParseUnixMode("0660"), 0660u);
  EXPECT_EQ(ParseUnixMode("777"), 0777u);
  EXPECT_EQ(ParseUnixMode(""), std::nullopt);
}

TEST(HttpListeners, EachHasAPlaceForAConnection) {
  EXPECT_EQ(ErrorOf("{connections_max: 1, listen: 'unix:/a', listeners: [{address: 'unix:/b'}]}"),
            "http.connections_max: 1 is less than the listeners, which are 2");
}

}  // namespace
}  // namespace grove::config

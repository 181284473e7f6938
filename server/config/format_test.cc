#include "server/config/format.h"

#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "server/config/load.h"
#include "server/config/resolve.h"

namespace grove::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Every kind of value, and what YAML would take for something else.
constexpr char kManyKinds[] = R"(
http:
  listen: "[::1]:1234"
  listeners:
  - {name: front, address: "127.0.0.1:0", proxy_protocol: {trusted: ["unix:", "10.0.0.0/8"]}}
  routes:
  - path: "/a:b/{c}"
    function: "true"
    middleware: [{gzip: {}}, {rate_limit: {requests_per_second: 5}}]
    websocket: {}
  - {method: GET, path: /b, function: "12"}
  middleware:
  - cors: {origins: ["*"]}
workers: 3
state_dir: "a: {b} # c'"
log: {format: json, level: debug}
runtime: {stuck_kill_ms: 0}
tenants:
- name: acme
  queues: [{name: mail, order: lifo, paused: true}]
  pools: [{name: default, size: 7}]
)";

config::v1::Config Resolved(const std::string& text) {
  Environment environment;
  environment.home = "/home/u";
  environment.working_directory = "/";
  environment.memory_bytes = int64_t{1} << 33;
  absl::StatusOr<config::v1::Config> file = ParseConfig(text, "c.yaml");
  EXPECT_TRUE(file.ok()) << file.status() << "\n" << text;
  absl::StatusOr<config::v1::Config> config =
      file.ok() ? Resolve({}, *file, environment) : file.status();
  EXPECT_TRUE(config.ok()) << config.status() << "\n" << text;
  return config.ok() ? *config : config::v1::Config();
}

void ExpectSame(const config::v1::Config& a, const config::v1::Config& b) {
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(a, b)) << difference;
}

TEST(FormatConfig, IsReadBackAsTheSame) {
  for (const char* text : {"", kManyKinds}) {
    const config::v1::Config config = Resolved(text);
    ExpectSame(config, Resolved(FormatConfig(config)));
    ExpectSame(config, Resolved(FormatConfig(config, {.defaults = true})));
  }
}

TEST(FormatConfig, HasListsOfWords) {
  const auto config = ParseConfig("admin: {tokens: [{name: a, roles: [viewer, debug]}]}", "");
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string text = FormatConfig(*config);
  EXPECT_THAT(text, HasSubstr("viewer"));
  const auto again = ParseConfig(text, "");
  ASSERT_TRUE(again.ok()) << again.status() << text;
  EXPECT_EQ(again->admin().tokens(0).SerializeAsString(),
            config->admin().tokens(0).SerializeAsString());
}

TEST(FormatConfig, HasWhatDiffersFromItsDefaultAlone) {
  const std::string text = FormatConfig(Resolved("http: {body_max_bytes: 7}\nworkers: 2\n"));
  EXPECT_THAT(text, HasSubstr("http:\n  body_max_bytes: 7\nworkers: 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("listen")));
  EXPECT_THAT(text, Not(HasSubstr("fetch")));
}

TEST(FormatConfig, HasDefaultsIfAsked) {
  const std::string text = FormatConfig(Resolved(""), {.defaults = true});
  EXPECT_THAT(text, HasSubstr("http:\n  listen: 127.0.0.1:8090\n  insecure: false\n"));
  EXPECT_THAT(text, HasSubstr("fetch:\n  allow: []\n  body_max_bytes: 4194304\n"));
}

TEST(FormatConfig, TellsReferencesNotWhatTheyHold) {
  const config::v1::Config config =
      Resolved("tenants: [{name: a, pools: [{name: p, size: 77}]}]\nworkers: 55\n");
  const References references = {{"workers", "${WORKERS:-2}"},
                                 {"tenants[0].pools[0].size", "${file:/run/size}"}};
  const std::string text = FormatConfig(config, {.references = references});
  EXPECT_THAT(text, HasSubstr("workers: ${WORKERS:-2}\n"));
  EXPECT_THAT(text, HasSubstr("size: ${file:/run/size}\n"));
  EXPECT_THAT(text, Not(HasSubstr("77")));
  EXPECT_THAT(text, Not(HasSubstr("55")));
}

TEST(FormatConfig, IsJsonIfAsked) {
  const std::string json =
      FormatConfig(Resolved("workers: 2\nhttp: {listen: 'unix:/a \"b\"', raw_utf8_targets: true, "
                            "access_log: {format: 'a\\b'}}\n"),
                   {.json = true});
  EXPECT_EQ(json.find('\n'), json.size() - 1);
  EXPECT_THAT(json, HasSubstr(R"("raw_utf8_targets": true)"));
  EXPECT_THAT(json, HasSubstr(R"("workers": 2)"));
  EXPECT_THAT(json, HasSubstr(R"("unix:/a \"b\"")"));
  EXPECT_THAT(json, HasSubstr(R"("a\\b")"));
}

TEST(FormatConfig, EscapesWhatLooksLikeAReference) {
  config::v1::Config config = Resolved("");
  config.mutable_http()->mutable_access_log()->set_format("a ${b} $c");
  EXPECT_THAT(FormatConfig(config), HasSubstr("format: a $${b} $c\n"));
}

TEST(FormatConfig, PrintsWhatCodeDeclaresAndHidesItsSecrets) {
  const std::string yaml =
      "application: {fanout: 8, smtp: {host: mail, key: hidden}, names: [a, b], none: []}\n";
  config::v1::Config config = Resolved(yaml);
  EXPECT_EQ(Resolved(FormatConfig(config)).DebugString(), config.DebugString());
  for (config::v1::Setting& setting : *config.mutable_application()) {
    if (setting.name() == "smtp.key") setting.set_secret(true);
  }
  const std::string text = FormatConfig(config);
  EXPECT_THAT(text, HasSubstr("application:\n  fanout: 8\n  smtp.host: mail\n  smtp.key: \"***\"\n"
                              "  names:\n    - a\n    - b\n  none: []\n"));
  EXPECT_THAT(FormatConfig(config, {.json = true}), Not(HasSubstr("hidden")));
  const References references = {{"application.smtp.key", "${file:/run/key}"}};
  EXPECT_THAT(FormatConfig(config, {.references = references}),
              HasSubstr("smtp.key: ${file:/run/key}\n"));
}

}  // namespace
}  // namespace grove::config

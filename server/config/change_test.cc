#include "server/config/change.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/load.h"
#include "server/config/resolve.h"

namespace grove::config {

// For failures, and for the matchers below.
std::string Line(const Change& change) {
  return StrCat(change.key, ": ", change.old_value, " -> ", change.new_value);
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

config::v1::Config Resolved(const std::string& text) {
  Environment environment;
  environment.home = "/home/u";
  environment.working_directory = "/";
  absl::StatusOr<config::v1::Config> file = ParseConfig(text, "c.yaml");
  EXPECT_TRUE(file.ok()) << file.status();
  absl::StatusOr<config::v1::Config> config = Resolve({}, *file, environment);
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

std::vector<std::string> Lines(const std::string& old, const std::string& now) {
  std::vector<std::string> lines;
  for (const Change& change : Compare(Resolved(old), Resolved(now))) lines.push_back(Line(change));
  return lines;
}

TEST(Compare, FindsNothingInTheSame) {
  EXPECT_THAT(Lines("", ""), IsEmpty());
  EXPECT_THAT(Lines("workers: 1", "drain_timeout_ms: 30000"), IsEmpty());
}

TEST(Compare, TellsKeyOldAndNewInTheOrderOfTheSchema) {
  EXPECT_THAT(
      Lines("", "log: {level: debug}\nworkers: 3\nhttp: {insecure: true}"),
      ElementsAre("http.insecure: false -> true", "workers: 1 -> 3", "log.level: info -> debug"));
  EXPECT_THAT(Lines("log: {format: json}\nfetch: {allow: [10.0.0.0/8]}", ""),
              ElementsAre("log.format: json -> text", "fetch.allow: [10.0.0.0/8] -> "));
}

TEST(Compare, CallsEntriesByTheirNames) {
  EXPECT_THAT(
      Lines("tenants: [{name: acme, pools: [{name: a}, {name: mail}]}]",
            "tenants: [{name: b}, {name: acme, pools: [{name: mail, size: 9}, {name: c}]}]"),
      ElementsAre("tenants[acme].pools[a]: {name: a} -> ",
                  "tenants[acme].pools[mail].size: 1000 -> 9",
                  "tenants[acme].pools[c]:  -> {name: c}",
                  ::testing::StartsWith("tenants[b]:  -> {name: b")));
  EXPECT_THAT(
      Lines("http: {routes: [{path: /a, function: f}, {method: GET, path: /b, function: f}]}",
            "http: {routes: [{method: GET, path: /b, function: g}]}"),
      ElementsAre("http.routes[/a]: {path: /a, function: f} -> ",
                  "http.routes[GET /b].function: f -> g"));
}

TEST(Compare, DoesNotMindTheOrderOfNamedEntries) {
  EXPECT_THAT(Lines("tenants: [{name: a}, {name: b}]", "tenants: [{name: b}, {name: a}]"),
              IsEmpty());
}

TEST(Compare, MindsTheOrderOfMiddleware) {
  EXPECT_THAT(
      Lines("http: {middleware: [{gzip: {}}, {request_id: {}}]}",
            "http: {middleware: [{request_id: {}}, {gzip: {level: 9}}]}"),
      ElementsAre("http.middleware[0].request_id:  -> {}", "http.middleware[0].gzip: {} -> ",
                  "http.middleware[1].request_id: {} -> ",
                  "http.middleware[1].gzip:  -> {level: 9}"));
}

TEST(Compare, FindsTheOneListenerThatIsNew) {
  EXPECT_THAT(Lines("", "http: {listen: '127.0.0.1:8090', listeners: [{address: '127.0.0.1:1'}]}"),
              ElementsAre("http.listeners[127.0.0.1:1]:  -> {address: 127.0.0.1:1}"));
  EXPECT_THAT(Lines("", "http: {listen: '127.0.0.1:1'}"),
              ElementsAre("http.listen: 127.0.0.1:8090 -> 127.0.0.1:1"));
}

TEST(Compare, HidesWhatReferencesHold) {
  const References old = {{"tenants[0].pools[0].size", "${SIZE}"}};
  const References now = {{"tenants[1].pools[0].size", "${SIZE}"}, {"workers", "${N}"}};
  const std::vector<Change> changes =
      Compare(Resolved("workers: 2\ntenants: [{name: a, pools: [{name: p, size: 5}]}]"),
              Resolved("workers: 3\ntenants: [{name: b}, {name: a, pools: [{name: p, size: 6}]}]"),
              old, now);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(Line(changes[0]), "workers: 2 -> ${N}");
  EXPECT_EQ(Line(changes[1]), "tenants[a].pools[p].size: ${SIZE} -> ${SIZE}");
}

TEST(Compare, SaysWhatEachChangeTakes) {
  const std::vector<Change> changes =
      Compare(Resolved(""), Resolved("state_dir: /x\nworkers: 2\nruntime: {fibers_max: 200}"));
  ASSERT_EQ(changes.size(), 4u);  // With run_dir.
  EXPECT_EQ(changes[0].effect, Effect::kInPlace);
  EXPECT_EQ(changes[1].effect, Effect::kNeedsRestart);
  EXPECT_EQ(changes[3].effect, Effect::kReplacesWorkers);
  EXPECT_EQ(SeverestOf(changes), Effect::kNeedsRestart);
  EXPECT_EQ(SeverestOf({}), Effect::kInPlace);
}

TEST(Compare, TellsWhatCodeDeclaresByItsName) {
  EXPECT_THAT(Lines("application: {fanout: 4, smtp: {host: a}}",
                    "application: {fanout: 8, names: [x, y], smtp: {host: a}}"),
              ElementsAre("application.fanout: 4 -> 8", "application.names:  -> [x, y]"));
  EXPECT_THAT(Lines("application: {a: 1, b: 2}", "application: {b: 2, a: 1}"), IsEmpty());
}

TEST(Compare, HidesWhatIsDeclaredAsASecret) {
  config::v1::Config old = Resolved("application: {key: first}"), now = old;
  for (config::v1::Config* config : {&old, &now}) {
    config->mutable_application(0)->set_secret(true);
  }
  EXPECT_THAT(Compare(old, now), IsEmpty());
  now.mutable_application(0)->set_values(0, "second");
  const std::vector<Change> changes = Compare(old, now);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(Line(changes[0]), "application.key: \"***\" -> \"***\"");
  EXPECT_EQ(changes[0].effect, Effect::kInPlace);
}

}  // namespace
}  // namespace grove::config

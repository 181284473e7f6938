#include "server/config/load.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::config {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

config::v1::Config Parsed(const std::string& text) {
  const absl::StatusOr<config::v1::Config> config = ParseConfig(text, "c.yaml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : config::v1::Config();
}

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<config::v1::Config> config = ParseConfig(text, "c.yaml");
  if (config.ok()) return "no error";
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

std::string File(const std::string& name, const std::string& text) {
  std::string path = ::testing::TempDir() + "/" + name;
  std::ofstream(path) << text;
  return path;
}

TEST(ParseConfig, CarriesEveryKindOfValue) {
  const config::v1::Config config = Parsed(R"(
http: {listen: "[::1]:1", insecure: true, connections_max: 7, body_max_bytes: 4294967296}
workers: 3
log: {format: JSON, level: debug}
fetch:
  allow: [127.0.0.0/8, "::1/128"]
tenants:
- name: acme
  queues:
  - {name: mail, order: lifo, depth_max: 5, paused: True}
  - {name: web, order: Priority}
  pools: [{name: default, size: 9}]
)");
  EXPECT_EQ(config.http().listen(), "[::1]:1");
  EXPECT_TRUE(config.http().insecure());
  EXPECT_EQ(config.http().connections_max(), 7);
  EXPECT_EQ(config.http().body_max_bytes(), int64_t{1} << 32);
  EXPECT_EQ(config.workers(), 3);
  EXPECT_EQ(config.log().format(), config::v1::Log::FORMAT_JSON);
  EXPECT_THAT(config.fetch().allow(), ::testing::ElementsAre("127.0.0.0/8", "::1/128"));
  ASSERT_EQ(config.tenants_size(), 1);
  ASSERT_EQ(config.tenants(0).queues_size(), 2);
  EXPECT_EQ(config.tenants(0).queues(0).order(), config::v1::Queue::ORDER_LIFO);
  EXPECT_TRUE(config.tenants(0).queues(0).paused());
  EXPECT_EQ(config.tenants(0).queues(1).order(), config::v1::Queue::ORDER_PRIORITY);
  EXPECT_EQ(config.tenants(0).pools(0).size(), 9);
}

TEST(ParseConfig, TakesListsOfWords) {
  const config::v1::Config config =
      Parsed("admin: {tokens: [{name: a, roles: [viewer, Debug]}, {name: b, roles: []}]}");
  ASSERT_EQ(config.admin().tokens_size(), 2);
  EXPECT_THAT(
      config.admin().tokens(0).roles(),
      ::testing::ElementsAre(config::v1::Token::ROLE_VIEWER, config::v1::Token::ROLE_DEBUG));
  EXPECT_EQ(config.admin().tokens(0).role(), config::v1::Token::ROLE_UNSPECIFIED);
  EXPECT_EQ(config.admin().tokens(1).roles_size(), 0);
  EXPECT_THAT(ErrorOf("admin: {tokens: [{name: a, roles: [viewer, root]}]}"),
              HasSubstr("expected one of viewer"));
}

TEST(ParseConfig, TakesEmptinessForDefaults) {
  for (const char* text : {"", "\n", "# only words\n", "---\n", "---\n...\n", "{}", "~", "http:\n",
                           "workers:\nlog: {level: ~}\ntenants:\n", "workers: 0\n"}) {
    EXPECT_EQ(Parsed(text).workers(), 0) << text;
    EXPECT_EQ(Parsed(text).http().listen(), "") << text;
  }
}

TEST(ParseConfig, SaysWhereAndWhatIsWrong) {
  const struct {
    const char* text;
    const char* error;
  } kCases[] = {
      {"# 1\nworkers: 2\nhttp:\n  listn: x\n",
       "c.yaml:4:3: unknown key 'http.listn'; did you mean 'listen'?"},
      {"wrkers: 2", "c.yaml:1:1: unknown key 'wrkers'; did you mean 'workers'?"},
      {"drainTimeoutMs: 2", "unknown key 'drainTimeoutMs'; did you mean 'drain_timeout_ms'?"},
      {"admin: {zzzz: 1}", "c.yaml:1:9: unknown key 'admin.zzzz'; known here: listen, insecure"},
      {"tenants:\n- name: a\n  queues:\n  - name: q\n    ordr: lifo\n",
       "c.yaml:5:5: unknown key 'tenants[0].queues[0].ordr'; did you mean 'order'?"},
      {"workers: many", "c.yaml:1:10: 'workers': expected an integer from 1 to 256, found 'many'"},
      {"workers: \"4\"", "c.yaml:1:10: 'workers': expected an integer"},
      {"workers: 4.0", "c.yaml:1:10: 'workers': expected an integer"},
      {"workers: +4", "c.yaml:1:10: 'workers': expected an integer"},
      {"workers: [4]", "c.yaml:1:10: 'workers': expected an integer from 1 to 256, found a list"},
      {"workers: -1", "c.yaml:1:10: 'workers': expected an integer from 1 to 256, found '-1'"},
      {"workers: 257", "c.yaml:1:10: 'workers': expected an integer from 1 to 256, found '257'"},
      {"workers: 99999999999999999999", "'workers': expected an integer from 1 to 256"},
      {"http: {insecure: yes}",
       "c.yaml:1:18: 'http.insecure': expected true or false, found 'yes'"},
      {"http: {insecure: 'true'}", "'http.insecure': expected true or false"},
      {"log:\n  format: xml", "c.yaml:2:11: 'log.format': expected one of text, json, found 'xml'"},
      {"log: {format: unspecified}", "expected one of text, json"},
      {"log: {format: FORMAT_JSON}", "expected one of text, json"},
      {"http: 127.0.0.1:1", "c.yaml:1:7: 'http': expected a mapping, found '127.0.0.1:1'"},
      {"http: {listen: [a]}", "'http.listen': expected a text, found a list"},
      {"http: {listen: {a: b}}", "'http.listen': expected a text, found a mapping"},
      {"state_dir: \"a\\0b\"", "'state_dir': expected a text without control characters"},
      {"state_dir: \"a\\nb\"", "found 'a\\nb'"},
      {"fetch: {allow: 10.0.0.0/8}", "c.yaml:1:16: 'fetch.allow': expected a list"},
      {"fetch: {allow: [~]}", "'fetch.allow[0]' is empty"},
      {"tenants:\n- \n", "'tenants[0]' is empty"},
      {"tenants: [a]", "c.yaml:1:11: 'tenants[0]': expected a mapping, found 'a'"},
      {"- a", "c.yaml:1:1: expected a mapping of keys to values, found a list"},
      {"hello", "c.yaml:1:1: expected a mapping of keys to values, found 'hello'"},
      {"? [a]\n: b", "c.yaml:1:3: expected a key, found a list"},
      {"workers: 1\nhttp: {}\nworkers: 2",
       "c.yaml:3:1: key 'workers' stands twice, first in line 1"},
      {"http: {listen: a, listen: b}", "c.yaml:1:19: key 'http.listen' stands twice"},
      {"workers: 1\n---\nworkers: 2\n", "c.yaml:3:1: a second document starts here"},
      {"---\n---\nworkers: 2\n", "c.yaml:3:1: a second document starts here"},
      // What begins no document, without end.
      {",\nworkers: 2", "c.yaml:1:1: a second document starts here"},
      {"workers: 1\n...\n,", "c.yaml:3:1: a second document starts here"},
      {"{workers: 1}, {http: {}}", "c.yaml:1:13: a second document starts here"},
      {"workers: 1\n  http: {}\n", "c.yaml:2:"},
      {"http: {listen: a", "c.yaml:1:"},
      {"a: *b", "c.yaml:1:"},
      {"\tworkers: 1", "c.yaml:1:"},
  };
  for (const auto& c : kCases) EXPECT_THAT(ErrorOf(c.text), HasSubstr(c.error)) << c.text;
}

TEST(ParseConfig, TakesBothEndsOfARange) {
  EXPECT_EQ(Parsed("workers: 1").workers(), 1);
  EXPECT_EQ(Parsed("workers: 256").workers(), 256);
}

TEST(ParseConfig, CutsLongTextsInErrors) {
  EXPECT_LT(ErrorOf("workers: " + std::string(5000, 'x')).size(), 200u);
  EXPECT_LT(ErrorOf(std::string(900, 'x') + ": 1").size(), 400u);
}

TEST(ParseConfig, ExpandsAliases) {
  const config::v1::Config config =
      Parsed("tenants:\n- {name: a, pools: &p [{name: big, size: 5}]}\n- {name: b, pools: *p}\n");
  ASSERT_EQ(config.tenants_size(), 2);
  EXPECT_EQ(config.tenants(1).pools(0).size(), 5);
}

TEST(ParseConfig, StopsAnAliasBomb) {
  const std::string large(100'000, 'x');
  std::string text = "fetch:\n  allow:\n  - &a " + large + "\n";
  for (int i = 0; i < 41; ++i) text += "  - *a\n";
  EXPECT_THAT(ErrorOf(text),
              HasSubstr("c.yaml:3:5: with its aliases expanded the config has more"));
  text = "fetch:\n  allow:\n  - &a " + large + "\n";
  for (int i = 0; i < 40; ++i) text += "  - *a\n";
  EXPECT_EQ(Parsed(text).fetch().allow_size(), 41);
}

// Each was copied and compared with the known ones: a minute for a megabyte of text.
TEST(ParseConfig, StopsABombOfKeys) {
  std::string text = "? &k " + std::string(100'000, 'x') + "\n: 1\n";
  for (int i = 0; i < 41; ++i) text += "? *k\n: 1\n";
  EXPECT_THAT(ErrorOf(text), HasSubstr("with its aliases expanded the config has more"));
}

TEST(ParseConfig, RefusesCyclesAndDepth) {
  EXPECT_NE(ErrorOf("http: &a {listen: *a}"), "no error");
  EXPECT_NE(ErrorOf("tenants: &a [*a]"), "no error");
  EXPECT_NE(ErrorOf("http: " + std::string(100'000, '[')), "no error");
  EXPECT_NE(ErrorOf("http: " + std::string(100'000, '{')), "no error");
  std::string nested;
  for (int i = 0; i < 1000; ++i) nested += std::string(i, ' ') + "http:\n";
  EXPECT_NE(ErrorOf(nested), "no error");
}

TEST(ParseConfig, TakesAFileOfTheLargestSizeAndNoLarger) {
  EXPECT_EQ(Parsed("workers: 2\n#" + std::string(kConfigFileBytesMax - 12, 'x')).workers(), 2);
  EXPECT_THAT(ErrorOf("workers: 2\n#" + std::string(kConfigFileBytesMax - 11, 'x')),
              HasSubstr("c.yaml: a config file has at most 1048576 bytes"));
}

TEST(LoadConfigFile, NamesTheFileInErrors) {
  const std::string path = File("bad.yaml", "\nworkrs: 1\n");
  EXPECT_EQ(LoadConfigFile(path).status().message(),
            path + ":2:1: unknown key 'workrs'; did you mean 'workers'?");
}

TEST(LoadConfigFile, ReadsAFileAndAnEmptyOne) {
  EXPECT_EQ(LoadConfigFile(File("good.yaml", "workers: 5\n"))->workers(), 5);
  EXPECT_TRUE(LoadConfigFile(File("empty.yaml", "")).ok());
}

TEST(LoadConfigFile, RefusesWhatIsNoReadableFile) {
  EXPECT_EQ(LoadConfigFile("/nonexistent.yaml").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadConfigFile("/").status().message(), "config file /: no regular file");
  const std::string fifo = ::testing::TempDir() + "/fifo.yaml";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_FALSE(LoadConfigFile(fifo).ok());
}

TEST(LoadConfigFile, RefusesALargerFile) {
  const std::string path = File("large.yaml", "#" + std::string(2 * kConfigFileBytesMax, 'x'));
  EXPECT_THAT(std::string(LoadConfigFile(path).status().message()), HasSubstr("at most 1048576"));
}

class IncludeTest : public ::testing::Test {
 protected:
  IncludeTest() {
    folder_ = ::testing::TempDir() + "/" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/config.d");
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::trunc) << text;
  }

  config::v1::Config Load() {
    problems_ = Problems();
    return LoadConfigFile(folder_ + "/main.yaml", &problems_);
  }

  // With the folder cut off.
  std::string Error() {
    Load();
    return absl::StrReplaceAll(std::string(problems_.ToStatus().message()), {{folder_ + "/", ""}});
  }

  std::string folder_;
  Problems problems_;
};

TEST_F(IncludeTest, AppendsListsByNameOfTheFileAndMergesSections) {
  Write("main.yaml",
        "http: {connections_max: 7}\ninclude: [config.d/*.yaml, last.yaml]\n"
        "tenants: [{name: main}]\n");
  Write("config.d/b.yaml", "tenants: [{name: b}]\n");
  Write("config.d/a.yaml", "http: {body_max_bytes: 9}\ntenants: [{name: a}]\n");
  Write("config.d/a.yaml.bak", "nonsense");
  Write("last.yaml", "tenants: [{name: last}]\n");
  const config::v1::Config config = Load();
  EXPECT_TRUE(problems_.empty()) << problems_.ToStatus();
  ASSERT_EQ(config.tenants_size(), 4);
  EXPECT_EQ(config.tenants(0).name() + config.tenants(1).name() + config.tenants(2).name() +
                config.tenants(3).name(),
            "mainablast");
  EXPECT_EQ(config.http().connections_max(), 7);
  EXPECT_EQ(config.http().body_max_bytes(), 9);
  EXPECT_EQ(config.include_size(), 0);
  EXPECT_EQ(problems_.sources().files().size(), 4u);
  EXPECT_EQ(problems_.sources().files()[0], folder_ + "/main.yaml");
}

TEST_F(IncludeTest, StartsAtTheFolderOfTheFileThatIncludes) {
  Write("main.yaml", "include: [config.d/a.yaml]\n");
  Write("config.d/a.yaml", "include: [b.yaml]\n");
  Write("config.d/b.yaml", "workers: 3\n");
  EXPECT_EQ(Load().workers(), 3);
}

TEST_F(IncludeTest, OfAPatternMayFindNothingOfANameMayNot) {
  Write("main.yaml", "include: ['config.d/*.yaml', 'none*/x']\n");
  EXPECT_EQ(Error(), "");
  Write("main.yaml", "include:\n- config.d/a.yaml\n");
  EXPECT_THAT(Error(), HasSubstr("main.yaml:2:3: config file config.d/a.yaml: No such file"));
}

TEST_F(IncludeTest, RefusesAValueInTwoFilesAndNamesBoth) {
  Write("main.yaml", "log: {level: info}\ninclude: [config.d/*]\n");
  Write("config.d/a.yaml", "\nlog:\n  level: debug\n");
  EXPECT_EQ(Error(), "config.d/a.yaml:3:3: key 'log.level' stands twice, first in main.yaml:1:7");
}

TEST_F(IncludeTest, SaysWhereInWhichFile) {
  Write("main.yaml", "include: [config.d/*]\ntenants: [{name: a}]\n");
  Write("config.d/a.yaml", "tenants:\n- nam: b\n");
  Write("config.d/b.yaml", "workers: [");
  EXPECT_THAT(Error(), HasSubstr("config.d/a.yaml:2:3: unknown key 'tenants[1].nam'; did you"));
  EXPECT_THAT(Error(), HasSubstr("\nconfig.d/b.yaml:"));
  EXPECT_THAT(Error(), EndsWith("\n2 errors"));
}

TEST_F(IncludeTest, ReadsNoFileTwice) {
  Write("main.yaml", "include: [main.yaml]\n");
  EXPECT_EQ(Error(),
            "main.yaml:1:11: 'main.yaml' is read already, as the config file itself; a file is "
            "read once");
  Write("main.yaml", "include: [config.d/a.yaml]\n");
  Write("config.d/a.yaml", "include: [b.yaml]\n");
  Write("config.d/b.yaml", "include: [../config.d/a.yaml]\n");
  EXPECT_THAT(Error(), HasSubstr("config.d/b.yaml:1:11: 'config.d/../config.d/a.yaml' is read "
                                 "already, from main.yaml:1:11"));
}

TEST_F(IncludeTest, BoundsItsDepth) {
  Write("main.yaml", "include: [2.yaml]\n");
  for (int i = 2; i < kIncludeDepthMax; ++i) {
    Write(std::to_string(i) + ".yaml", "include: [" + std::to_string(i + 1) + ".yaml]\n");
  }
  Write(std::to_string(kIncludeDepthMax) + ".yaml", "workers: 2\n");
  EXPECT_EQ(Load().workers(), 2);
  Write(std::to_string(kIncludeDepthMax) + ".yaml", "include: [more.yaml]\n");
  EXPECT_THAT(Error(), HasSubstr("8.yaml:1:11: files include files 8 deep at most"));
}

TEST_F(IncludeTest, TakesReferencesInValuesOfEveryType) {
  setenv("GROVE_NUMBER", "3", 1);
  setenv("GROVE_YES", "true", 1);
  unsetenv("GROVE_NONE");
  Write("main.yaml",
        "workers: ${GROVE_NUMBER}\nhttp: {insecure: \"${GROVE_YES}\", listen: "
        "'unix:/${GROVE_NONE:-x}'"
        ", body_max_bytes: '${GROVE_NONE:-}'}\nlog: {format: \"${file:config.d/format}\"}\n"
        "fetch:\n  allow: [a, '$${b', '${GROVE_NUMBER}']\n");
  Write("config.d/format", "json\n");
  const config::v1::Config config = Load();
  EXPECT_TRUE(problems_.empty()) << problems_.ToStatus();
  EXPECT_EQ(config.workers(), 3);
  EXPECT_TRUE(config.http().insecure());
  EXPECT_EQ(config.http().listen(), "unix:/x");
  EXPECT_EQ(config.http().body_max_bytes(), 0);
  EXPECT_EQ(config.log().format(), config::v1::Log::FORMAT_JSON);
  EXPECT_THAT(config.fetch().allow(), ::testing::ElementsAre("a", "${b", "3"));
  EXPECT_EQ(problems_.sources().References().at("workers"), "${GROVE_NUMBER}");
  EXPECT_EQ(problems_.sources().References().count("fetch.allow[1]"), 0u);
}

TEST_F(IncludeTest, SaysWhichReferenceIsWrongNotWhatItHolds) {
  setenv("GROVE_SECRET", "geheim", 1);
  unsetenv("GROVE_NONE");
  Write("main.yaml", "workers: ${GROVE_SECRET}\nlog:\n  level: ${GROVE_NONE}\n");
  EXPECT_EQ(Error(),
            "main.yaml:1:10: 'workers': expected an integer from 1 to 256, found something else in "
            "'${GROVE_SECRET}'\nmain.yaml:3:10: 'log.level': '${GROVE_NONE}': the environment has "
            "no variable GROVE_NONE; set it, or write ${GROVE_NONE:-default}\n2 errors");
}

TEST(ParseConfig, SaysEverythingThatIsWrong) {
  EXPECT_EQ(ErrorOf("workers: x\nhttp: {listn: 1, insecure: 2}\nlog: {level: a}\n"),
            "c.yaml:1:10: 'workers': expected an integer from 1 to 256, found 'x'\n"
            "c.yaml:2:8: unknown key 'http.listn'; did you mean 'listen'?\n"
            "c.yaml:2:28: 'http.insecure': expected true or false, found '2'\n3 errors");
}

}  // namespace
}  // namespace grove::config

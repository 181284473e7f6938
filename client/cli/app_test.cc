#include "client/cli/app.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cli/app_fixture.h"
#include "client/cli/verbs.h"

namespace grove::client::cli {
namespace {

class App : public AppTest {
 protected:
  nlohmann::json Json() const { return nlohmann::json::parse(out_, nullptr, false); }
};

TEST_F(App, SpawnPrintsTheTasksName) {
  EXPECT_EQ(Run({"spawn", "echo", "{}"}), 0);
  EXPECT_EQ(out_, "tenants/default/queues/default/tasks/T1\n");
  EXPECT_EQ(err_, "");
}

TEST_F(App, SpawnWithWaitPrintsTheRawOutput) {
  EXPECT_EQ(Run({"spawn", "echo", "abc", "--wait"}), 0);
  EXPECT_EQ(out_, "abc");
  EXPECT_EQ(Run({"spawn", "echo", "-", "--wait"}, "from a pipe\n"), 0);
  EXPECT_EQ(out_, "from a pipe\n");
  out_is_terminal_ = true;
  EXPECT_EQ(Run({"spawn", "echo", "abc", "--wait"}), 0);
  EXPECT_EQ(out_, "abc\n");
}

TEST_F(App, SpawnWithWaitSaysTheTasksNameFirst) {
  EXPECT_EQ(Run({"spawn", "echo", "--wait"}), 0);
  EXPECT_EQ(err_, "tenants/default/queues/default/tasks/T1\n");
}

TEST_F(App, GetAndWaitPrintARawOutputIfAsked) {
  EXPECT_EQ(Run({"spawn", "echo", "a\x01z"}), 0);
  EXPECT_EQ(Run({"get", "T1", "--raw"}), 0);
  EXPECT_EQ(out_, "a\x01z");
  EXPECT_EQ(Run({"wait", "T1", "--raw"}), 0);
  EXPECT_EQ(out_, "a\x01z");
  EXPECT_EQ(Run({"spawn", "stuck"}), 0);
  EXPECT_EQ(Run({"get", "T2", "--raw"}), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run({"wait", "T1", "T2", "--raw"}), 2);
}

TEST_F(App, ListsAskForNoPayloads) {
  EXPECT_EQ(Run({"spawn", "echo", "12"}), 0);
  EXPECT_EQ(Run({"tasks", "-o", "json"}), 0);
  EXPECT_EQ(Json()["tasks"][0]["output"], "");
  EXPECT_EQ(Json()["tasks"][0]["output_size_bytes"], "2");
  EXPECT_EQ(Run({"tasks", "-o", "json", "--view=full"}), 0);
  EXPECT_EQ(Json()["tasks"][0]["spec"]["input_json"], 12);
  EXPECT_EQ(Run({"get", "T1", "--view", "basic"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "(2 B, not shown)")) << out_;
  EXPECT_EQ(Run({"tasks", "--view=all"}), 2);
}

TEST_F(App, OutputFormsForScripts) {
  EXPECT_EQ(Run({"spawn", "echo"}), 0);
  EXPECT_EQ(Run({"spawn", "stuck"}), 0);
  EXPECT_EQ(Run({"tasks", "-o", "name"}), 0);
  EXPECT_EQ(out_,
            "tenants/default/queues/default/tasks/T1\ntenants/default/queues/default/tasks/T2\n");
  EXPECT_EQ(Run({"tasks", "-o", "jsonl"}), 0);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2);
  EXPECT_EQ(nlohmann::json::parse(out_.substr(0, out_.find('\n')))["state"], "SUCCEEDED");
  EXPECT_EQ(Run({"get", "T1", "-o", "name"}), 0);
  EXPECT_EQ(out_, "tenants/default/queues/default/tasks/T1\n");
  for (const char* verb : {"queues", "pools", "workers", "functions"}) {
    EXPECT_EQ(Run({verb, "-o", "jsonl"}), 0);
    EXPECT_TRUE(Json().contains("name")) << out_;
  }
  EXPECT_EQ(Run({"tasks", "-o", "wide"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "PRIORITY")) << out_;
  EXPECT_EQ(Run({"workers"}), 0);
  EXPECT_FALSE(absl::StrContains(out_, "LAST EXIT")) << out_;
  EXPECT_EQ(Run({"workers", "-o", "wide"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "CONFIG")) << out_;
  EXPECT_TRUE(absl::StrContains(out_, "LAST EXIT")) << out_;
  EXPECT_EQ(Run({"pools", "--no-headers"}), 0);
  EXPECT_EQ(out_.substr(0, 15), "default/default");
}

TEST_F(App, ColorsOnTerminalsOnly) {
  EXPECT_EQ(Run({"workers"}), 0);
  EXPECT_FALSE(absl::StrContains(out_, '\033')) << out_;
  EXPECT_EQ(Run({"workers", "--color=always"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "\033[32mREADY\033[0m")) << out_;
  out_is_terminal_ = true;
  EXPECT_EQ(Run({"workers"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "\033[32mREADY\033[0m")) << out_;
  variables_["NO_COLOR"] = "1";
  EXPECT_EQ(Run({"workers"}), 0);
  EXPECT_FALSE(absl::StrContains(out_, '\033')) << out_;
}

TEST_F(App, WaitsOutlastAnOutageAndSaySo) {
  EXPECT_EQ(Run({"spawn", "echo", "1"}), 0);
  EXPECT_EQ(Run({"wait", "T1"}), 0);
  server_.LeaveWaitsUnanswered(1);
  EXPECT_EQ(Run({"spawn", "echo", "2", "--wait"}), 0);
  EXPECT_EQ(out_, "2");
  EXPECT_TRUE(absl::StrContains(err_, "grovectl: " + address_ + " fell silent; the tasks go on"))
      << err_;
  EXPECT_TRUE(absl::StrContains(err_, "grovectl: " + address_ + " is back\n")) << err_;
}

TEST_F(App, SpawnWithWaitFailsWithTheTask) {
  EXPECT_EQ(Run({"-o", "json", "spawn", "fail", "--wait"}), 1);
  EXPECT_EQ(Json()["state"], "FAILED");
  EXPECT_EQ(err_,
            "tenants/default/queues/default/tasks/T1\n"
            "grovectl: spawn: task default/T1 FAILED: it was told\\nto fail (UNKNOWN, "
            "FUNCTION_FAILED)\n");
}

TEST_F(App, SpawnWithWaitGivesUpInTime) {
  EXPECT_EQ(Run({"spawn", "stuck", "--wait", "--timeout=0.02"}), 1);
  EXPECT_EQ(err_,
            "tenants/default/queues/default/tasks/T1\n"
            "grovectl: spawn: task default/T1 RUNNING: it has not ended within 20ms "
            "(DEADLINE_EXCEEDED)\n");
}

TEST_F(App, SpawnCarriesItsFlags) {
  ASSERT_EQ(Run({"spawn", "echo", "--queue=mail", "--tenant", "acme", "--priority=3",
                 "--delay=1.5s", "--task_timeout=2", "--max_attempts=4", "--request_id=r",
                 "--label=a=b=c", "--volatile", "-o", "json"}),
            0);
  const auto spec = Json()["spec"];
  EXPECT_EQ(Json()["name"], "tenants/acme/queues/mail/tasks/T1");
  EXPECT_EQ(spec["priority"], 3);
  EXPECT_EQ(spec["delay"], "1.500s");
  EXPECT_EQ(spec["timeout"], "2s");
  EXPECT_EQ(spec["retry_policy"]["max_attempts"], 4);
  EXPECT_EQ(spec["labels"]["a"], "b=c");
  EXPECT_EQ(spec["durability"], "VOLATILE");
}

TEST_F(App, SpawnSaysHowATaskIsTriedAgainAndWhatItIsUniqueBy) {
  ASSERT_EQ(Run({"spawn", "echo", "--start_timeout=1m", "--heartbeat_timeout=5", "--backoff=0.5",
                 "--max_backoff=1h", "--jitter=0.25", "--not_retried=not_found", "--not_retried=13",
                 "--unique_key=k", "--on_conflict=refuse", "-o", "json"}),
            0);
  const auto spec = Json()["spec"];
  EXPECT_EQ(spec["schedule_to_start_timeout"], "60s");
  EXPECT_EQ(spec["heartbeat_timeout"], "5s");
  EXPECT_EQ(spec["retry_policy"]["initial_backoff"], "0.500s");
  EXPECT_EQ(spec["retry_policy"]["max_backoff"], "3600s");
  EXPECT_EQ(spec["retry_policy"]["jitter"], 0.25);
  EXPECT_EQ(spec["retry_policy"]["not_retried_codes"], nlohmann::json({5, 13}));
  EXPECT_EQ(spec["unique_key"]["key"], "k");
  EXPECT_EQ(spec["unique_key"]["on_conflict"], "REFUSE");
  EXPECT_EQ(Run({"spawn", "echo", "--on_conflict=refuse"}), 2);
  EXPECT_EQ(Run({"spawn", "echo", "--unique_key=k", "--on_conflict=wait"}), 2);
  EXPECT_EQ(Run({"spawn", "echo", "--not_retried=FOUND"}), 2);
  EXPECT_EQ(Run({"spawn", "echo", "--jitter=much"}), 2);
}

TEST_F(App, ServerErrorsComeInOneLine) {
  EXPECT_EQ(Run({"spawn", "foo"}), 1);
  EXPECT_EQ(err_,
            "grovectl: spawn: unknown function \"foo\" (INVALID_ARGUMENT, UNKNOWN_FUNCTION); "
            "FUNCTION: must be one of echo, fail, slow, stuck\n");
}

TEST_F(App, SpawnCountSummarizes) {
  EXPECT_EQ(Run({"spawn", "echo", "--count", "2500", "--wait", "-o", "json"}), 0);
  EXPECT_EQ(Json()["states"]["SUCCEEDED"], 2500);
  EXPECT_EQ(Run({"spawn", "fail", "--count", "2", "--wait"}), 1);
  EXPECT_TRUE(absl::StrContains(out_, "tasks/s): 2 FAILED\n")) << out_;
  EXPECT_TRUE(absl::StrContains(err_, "2 of 2 did not succeed; the first: task default/T")) << err_;
  EXPECT_EQ(Run({"spawn", "foo", "--count", "3"}), 1);
  EXPECT_TRUE(absl::StrContains(err_, "3 of 3 were refused; the first: unknown function")) << err_;
}

TEST_F(App, TasksFilterByState) {
  EXPECT_EQ(Run({"spawn", "echo"}), 0);
  EXPECT_EQ(Run({"spawn", "stuck"}), 0);
  EXPECT_EQ(Run({"tasks", "--state", "queued,RUNNING", "-o", "json"}), 0);
  ASSERT_EQ(Json()["tasks"].size(), 1);
  EXPECT_EQ(Json()["tasks"][0]["state"], "RUNNING");
  EXPECT_EQ(Run({"tasks", "--state=RUNING"}), 2);
  EXPECT_TRUE(absl::StrContains(err_, "did you mean RUNNING?")) << err_;
}

TEST_F(App, WaitSucceedsOnlyIfAllTasksDid) {
  EXPECT_EQ(Run({"spawn", "echo"}), 0);
  EXPECT_EQ(Run({"spawn", "fail"}), 0);
  EXPECT_EQ(Run({"wait", "T1"}), 0);
  EXPECT_EQ(Run({"wait", "T1", "T2", "-o", "json"}), 1);
  EXPECT_EQ(Json()["tasks"].size(), 2);
  EXPECT_TRUE(absl::StrContains(err_, "1 of 2 failed; the first: task default/T2 FAILED")) << err_;
}

TEST_F(App, CancelFailsForATaskThatHadEnded) {
  EXPECT_EQ(Run({"spawn", "echo"}), 0);
  EXPECT_EQ(Run({"spawn", "stuck"}), 0);
  EXPECT_EQ(Run({"cancel", "T2", "--reason", "enough", "-o", "json"}), 0);
  EXPECT_EQ(Json()["error"]["message"], "enough");
  EXPECT_EQ(Run({"cancel", "T1"}), 1);
  EXPECT_TRUE(absl::StrContains(err_, "had already ended: SUCCEEDED")) << err_;
  EXPECT_EQ(Run({"spawn", "stuck"}), 0);
  EXPECT_EQ(Run({"cancel", "T3", "--reason", "enough", "--descendants", "-o", "json"}), 0);
  EXPECT_EQ(Json()["error"]["message"], "enough, with descendants");
}

TEST_F(App, PoolsAreResized) {
  EXPECT_EQ(Run({"pools", "resize", "default", "25", "-o", "json"}), 0);
  EXPECT_EQ(Json()["name"], "tenants/default/pools/default");
  EXPECT_EQ(Json()["size"], "25");
  EXPECT_EQ(Run({"pools", "resize", "default", "-5"}), 2);
}

TEST_F(App, ListsShowTheirTables) {
  for (const auto& [verb, cell] :
       std::vector<std::pair<std::string, std::string>>{{"queues", "PAUSED"},
                                                        {"pools", "default/default"},
                                                        {"workers", "READY"},
                                                        {"functions", "Returns its input."}}) {
    EXPECT_EQ(Run({verb}), 0) << err_;
    EXPECT_TRUE(absl::StrContains(out_, cell)) << out_;
  }
}

TEST_F(App, FairnessShowsWhoHadMost) {
  EXPECT_EQ(Run({"fairness"}), 0) << err_;
  EXPECT_TRUE(absl::StrContains(out_, "0.9975")) << out_;
  EXPECT_TRUE(absl::StrContains(out_, "8 of 20 held")) << out_;
  EXPECT_LT(out_.find("default  200%"), out_.find("acme     100%")) << out_;
  EXPECT_FALSE(absl::StrContains(out_, "AHEAD")) << out_;
  EXPECT_TRUE(absl::StrContains(out_, "HTTP\n")) << out_;
  EXPECT_EQ(Run({"fairness", "-o", "wide"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "-2.00s")) << out_;
  EXPECT_TRUE(absl::StrContains(out_, "HTTP TOTAL")) << out_;
  EXPECT_EQ(Run({"fairness", "--limit", "1", "-o", "json"}), 0);
  EXPECT_EQ(Json()["shares"].size(), 1u);
  EXPECT_EQ(Json()["shares"][0]["tenant"], "tenants/default");
  EXPECT_EQ(Run({"fairness", "--tenant", "acme"}), 0);
  EXPECT_EQ(out_.substr(0, 6), "TENANT") << out_;
  EXPECT_FALSE(absl::StrContains(out_, "default")) << out_;
}

TEST_F(App, FairnessIsWatched) {
  const std::vector<std::string> twice = {"fairness", "--watch", "--count=2", "--interval=0.1"};
  EXPECT_EQ(Run(twice), 0) << err_;
  EXPECT_NE(out_.find("0.9975"), out_.rfind("0.9975")) << out_;
  EXPECT_FALSE(absl::StrContains(out_, '\033')) << out_;
  out_is_terminal_ = true;
  EXPECT_EQ(Run(twice), 0) << err_;
  EXPECT_TRUE(absl::StrContains(out_, "\033[H\033[J")) << out_;
  EXPECT_EQ(Run({"fairness", "--watch", "--count=2", "--interval=0.1", "-o", "jsonl"}), 0) << err_;
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2);
  EXPECT_EQ(Run({"fairness", "--watch", "-o", "json"}), 2);
  EXPECT_EQ(Run(twice), 0);
  const std::string watched = out_;
  EXPECT_EQ(Run({"tenants", "top", "--count=2", "--interval=0.1"}), 0) << err_;
  EXPECT_EQ(out_, watched);
  EXPECT_EQ(Run({"tenants", "top", "-o", "json"}), 2);
  EXPECT_TRUE(absl::StrContains(err_, "-o jsonl")) << err_;
  EXPECT_EQ(Run({"fairness", "--count=2"}), 2);
}

TEST_F(App, FibersNameTheWorkerThatDidNotAnswer) {
  EXPECT_EQ(Run({"fibers"}), 1);
  EXPECT_TRUE(absl::StrContains(out_, "0/17"));
  EXPECT_TRUE(absl::StrContains(err_, "workers/1")) << err_;
  EXPECT_EQ(Run({"fibers", "--worker", "0", "-o", "yaml"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "  state: PARKED\n")) << out_;
}

TEST_F(App, FibersShowTheirStacksIfAsked) {
  EXPECT_EQ(Run({"fibers", "--worker=0"}), 0);
  EXPECT_FALSE(absl::StrContains(out_, "Event::Wait")) << out_;
  EXPECT_EQ(Run({"fibers", "--worker=0", "--stacks"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "\n    grove::Event::Wait()+0x5e\n")) << out_;
  EXPECT_EQ(Run({"fibers", "0/17"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "\n    grove::Event::Wait()+0x5e\n")) << out_;
  EXPECT_EQ(Run({"fibers", "0/18"}), 1);
  EXPECT_TRUE(absl::StrContains(err_, "workers/0/fibers/18")) << err_;
  EXPECT_EQ(Run({"fibers", "17"}), 2);
}

TEST_F(App, BackdoorPrintsResultsAlone) {
  EXPECT_EQ(Run({"backdoor", "--worker=0", "-c", "fibers()"}), 0);
  EXPECT_EQ(out_, "fibers()\n");
  EXPECT_EQ(Run({"backdoor", "--worker=0"}, "hub()\n1 + 1"), 0);
  EXPECT_EQ(out_, "hub()\n1 + 1\n");
  EXPECT_EQ(Run({"backdoor", "--worker=0"}, "a\nquit\nb\n"), 0);
  EXPECT_EQ(out_, "a\n");
}

TEST_F(App, BackdoorFailsWithAnError) {
  EXPECT_EQ(Run({"backdoor", "--worker=0", "-c", "bad()"}), 1);
  EXPECT_EQ(out_, "before\n");
  EXPECT_EQ(err_, "grovectl: backdoor: bad()\n");
  EXPECT_EQ(Run({"backdoor", "--worker=0"}, "bad 1\ngood\n"), 1);
  EXPECT_EQ(out_, "before\ngood\n");
  EXPECT_EQ(err_, "grovectl: backdoor: line 1: bad 1\ngrovectl: backdoor: 1 line failed\n");
  EXPECT_EQ(Run({"backdoor", "--worker=0", "-c", "do"}), 1);
  EXPECT_EQ(err_, "grovectl: backdoor: the last statement is not complete\n");
  EXPECT_EQ(Run({"backdoor", "--worker=7", "-c", "fibers()"}), 1);
  EXPECT_EQ(Run({"backdoor"}), 2);
}

TEST_F(App, SpawnTakesItsInputsFromLines) {
  EXPECT_EQ(Run({"spawn", "echo", "--inputs=-"}, "1\n\n2\n3"), 0);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 3);
  EXPECT_EQ(Run({"get", "T2", "--raw"}), 0);
  EXPECT_EQ(out_, "2");
  EXPECT_EQ(Run({"spawn", "echo", "--inputs=-", "-o", "jsonl"}, "\n\"x\"\n"), 0);
  EXPECT_EQ(Json()["line"], 2);
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/in.ndjson";
  std::ofstream(path) << "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n";
  EXPECT_EQ(Run({"spawn", "echo", "--inputs=@" + path, "--wait", "-o", "jsonl", "--count=2"}), 0);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2) << out_;
  EXPECT_TRUE(absl::StrContains(out_, "\"output_json\":{\"n\":2}")) << out_;
  EXPECT_EQ(Run({"spawn", "echo", "--inputs=@" + path, "--wait"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "): 3 SUCCEEDED\n")) << out_;
}

TEST_F(App, SpawnNamesTheLinesThatAreRefused) {
  EXPECT_EQ(Run({"spawn", "foo", "--inputs=-"}, "1\n\n2\n"), 1);
  EXPECT_TRUE(absl::StrContains(err_, "grovectl: spawn: line 1: unknown function")) << err_;
  EXPECT_TRUE(absl::StrContains(err_, "grovectl: spawn: line 3: unknown function")) << err_;
  EXPECT_TRUE(absl::StrContains(err_, "2 of 2 were refused; the first: line 1: ")) << err_;
  EXPECT_EQ(Run({"spawn", "echo", "1", "--inputs=-"}), 2);
  EXPECT_EQ(Run({"spawn", "echo", "--inputs=/no/such"}), 1);
}

TEST_F(App, ContextsNameDaemons) {
  variables_ = {{"GROVECTL_CONFIG", std::string(std::getenv("TEST_TMPDIR")) + "/c.yaml"}};
  EXPECT_EQ(Run({"context", "show"}), 1);
  EXPECT_EQ(Run({"context", "set", "here", "--address=" + address_}), 0) << err_;
  EXPECT_EQ(Run({"workers"}), 0) << err_;
  EXPECT_EQ(Run({"context", "set", "gone", "--address=127.0.0.1:1"}), 0);
  EXPECT_EQ(Run({"--context=gone", "workers"}), 1);
  EXPECT_EQ(Run({"context", "use", "gone"}), 0);
  EXPECT_EQ(Run({"workers"}), 1);
  EXPECT_TRUE(absl::StrContains(err_, "cannot reach 127.0.0.1:1")) << err_;
  EXPECT_EQ(Run({"workers", "--address", address_}), 0);
  EXPECT_EQ(Run({"workers", "--context=her"}), 2);
  EXPECT_TRUE(absl::StrContains(err_, "did you mean here?")) << err_;
  EXPECT_EQ(Run({"context", "list", "-o", "name"}), 0);
  EXPECT_EQ(out_, "gone\nhere\n");
  EXPECT_EQ(Run({"context", "set", "t", "--address=x:1", "--token=s"}), 2);
  EXPECT_EQ(Run({"context", "set", "t"}), 2);
  EXPECT_EQ(Run({"context", "delete", "gone"}), 0);
  EXPECT_EQ(Run({"context", "show"}), 1);
  EXPECT_EQ(Run({"context"}), 2);
}

TEST_F(App, AContextsTokenGoesToItsOwnDaemonAlone) {
  FakeGrove guarded({.token = "s3cret"});
  const std::string folder = std::getenv("TEST_TMPDIR");
  std::ofstream(folder + "/token") << "s3cret\n";
  variables_ = {{"GROVECTL_CONFIG", folder + "/tokens.yaml"}};
  EXPECT_EQ(Run({"context", "set", "g", "--address=" + guarded.address(),
                 "--token_file=" + folder + "/token"}),
            0);
  EXPECT_EQ(Run({"spawn", "echo"}), 0) << err_;
  EXPECT_EQ(Run({"spawn", "echo", "--address=" + guarded.address()}), 1);
  EXPECT_EQ(Run({"spawn", "echo", "--context=g", "--address=" + guarded.address()}), 0);
}

TEST_F(App, VersionIsAFlagToo) {
  EXPECT_EQ(Run({"--version"}), 0);
  const std::string text = out_;
  EXPECT_EQ(text.rfind("grovectl ", 0), 0u);
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_EQ(out_, text);
  EXPECT_EQ(Run({"spawn", "--version"}), 0);
  EXPECT_EQ(out_, text);
}

TEST_F(App, WrongUsageExitsWith2) {
  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{},
                                             {"spwan"},
                                             {"get"},
                                             {"get", "a", "b"},
                                             {"get", "a", "--wait"},
                                             {"tasks", "-o", "xml"},
                                             {"spawn", "echo", "--count=0"},
                                             {"get", "x", "--timeout=0"},
                                             {"get", "x", "--address=x"}}) {
    EXPECT_EQ(Run(line), 2) << err_;
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
  }
}

TEST_F(App, SaysThatNoDaemonListens) {
  {
    FakeGrove gone;
    address_ = gone.address();
    variables_["GROVE_ADDRESS"] = address_;
  }
  EXPECT_EQ(Run({"workers"}), 1);
  EXPECT_EQ(err_,
            "grovectl: cannot reach " + address_ + ": connection refused; is groved running?\n");
}

TEST_F(App, HelpIsTheSameBothWays) {
  for (const Verb& verb : Verbs()) {
    std::vector<std::string> words = absl::StrSplit(verb.name, ' ');
    std::vector<std::string> asked = {"help"};
    asked.insert(asked.end(), words.begin(), words.end());
    EXPECT_EQ(Run(asked), 0);
    const std::string text = out_;
    words.push_back("--help");
    EXPECT_EQ(Run(words), 0);
    EXPECT_EQ(out_, text);
    // Descriptions are broken to a terminal; tables of flags are not.
    const std::string description = text.substr(0, text.find("\nFlags"));
    for (const auto line : absl::StrSplit(description, '\n')) EXPECT_LE(line.size(), 80) << line;
  }
}

TEST(ManPage, ExplainsEveryVerbAndFlag) {
  std::ifstream file("client/grovectl.1");
  std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  page = absl::StrReplaceAll(page, {{"\\-", "-"}, {"\\(dq", "\""}});
  const auto expect_flags = [&](const std::string& section, const std::vector<FlagSpec>& flags) {
    for (const FlagSpec& flag : flags) {
      const std::string value = flag.value.empty() ? "" : "=" + flag.value;
      EXPECT_TRUE(absl::StrContains(section, "--" + flag.name + value + "\n" + flag.help + "\n"))
          << flag.name;
    }
  };
  expect_flags(page, GlobalFlags());
  for (const Verb& verb : Verbs()) {
    if (verb.hidden) continue;
    const std::string usage = verb.name + (verb.arguments.empty() ? "" : " ") + verb.arguments;
    const size_t start = page.find("\n.SS " + usage + "\n");
    ASSERT_NE(start, std::string::npos) << usage;
    const std::string section = page.substr(start, page.find("\n.S", start + 1) + 1 - start);
    EXPECT_TRUE(absl::StrContains(section, verb.summary)) << usage;
    expect_flags(section, verb.flags);
  }
}

}  // namespace
}  // namespace grove::client::cli

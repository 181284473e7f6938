#include "client/cli/complete.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "client/cli/contexts.h"
#include "client/fake_grove.h"

namespace grove::client::cli {
namespace {

class CompleteTest : public testing::Test {
 protected:
  Completion Of(const std::vector<std::string>& words) {
    return Complete(words, [&](const char* name) -> std::optional<std::string> {
      if (std::string(name) == "GROVE_ADDRESS") return address_;
      if (std::string(name) == "GROVECTL_CONFIG") return config_;
      return std::nullopt;
    });
  }

  std::vector<std::string> Words(const std::vector<std::string>& words) {
    std::vector<std::string> found;
    for (const Candidate& each : Of(words).candidates) found.push_back(each.word);
    return found;
  }

  bool Has(const std::vector<std::string>& words, const std::string& candidate) {
    const std::vector<std::string> found = Words(words);
    return std::find(found.begin(), found.end(), candidate) != found.end();
  }

  std::string Spawn(const std::string& function) {
    v1::SpawnTaskRequest request;
    request.set_parent("tenants/default");
    request.mutable_spec()->set_function(function);
    return (*Client::Create({address_}))->Spawn(request)->name();
  }

  using Strings = std::vector<std::string>;
  FakeGrove server_;
  std::string address_ = server_.address();
  const std::string config_ = std::string(std::getenv("TEST_TMPDIR")) + "/contexts.yaml";
};

TEST_F(CompleteTest, VerbsThatBeginSo) {
  EXPECT_EQ(Words({"sp"}), Strings{"spawn"});
  EXPECT_TRUE(Has({""}, "context"));
  EXPECT_FALSE(Has({"_"}, "__complete"));
  EXPECT_EQ(Words({"context", "s"}), (Strings{"show", "set"}));
  EXPECT_EQ(Words({"help", "back"}), Strings{"backdoor"});
}

TEST_F(CompleteTest, FlagsOfTheVerbAndOfAll) {
  EXPECT_EQ(Words({"spawn", "--co"}), (Strings{"--count", "--completion", "--completion_input",
                                               "--content_type", "--context", "--color"}));
  EXPECT_EQ(Words({"--co"}), (Strings{"--context", "--color"}));
}

TEST_F(CompleteTest, OperationsAndLogLevels) {
  ASSERT_TRUE((*Client::Create({address_}))->Reload().ok());
  EXPECT_EQ(Words({"operation", ""}), Strings{"1"});
  EXPECT_EQ(Words({"loglevel", "w"}), Strings{"warning"});
}

TEST_F(CompleteTest, WhatTheDaemonHas) {
  EXPECT_EQ(Words({"spawn", ""}), Strings{"echo"});
  EXPECT_EQ(Words({"queues", "d"}), Strings{"default"});
  EXPECT_EQ(Words({"tasks", "--queue", ""}), Strings{"default"});
  EXPECT_EQ(Words({"tasks", "--queue=d"}), Strings{"--queue=default"});
  EXPECT_EQ(Words({"pools", ""}), (Strings{"default", "resize"}));
  EXPECT_EQ(Words({"pools", "resize", ""}), Strings{"default"});
  EXPECT_EQ(Words({"pools", "resize", "default", ""}), Strings{});
  EXPECT_EQ(Words({"backdoor", "--worker", ""}), Strings{"0"});
  EXPECT_EQ(Words({"--tenant=acme", "queues", "de"}), Strings{"default/default"});
  EXPECT_EQ(Words({"queues", ""}), (Strings{"default", "pause", "resume", "purge"}));
  EXPECT_EQ(Words({"queues", "pause", ""}), Strings{"default"});
}

TEST_F(CompleteTest, TasksInTheFormThatIsBeingTyped) {
  const std::string done = Spawn("echo"), running = Spawn("stuck");
  EXPECT_EQ(Words({"get", ""}), (Strings{"T1", "T2"}));
  EXPECT_EQ(Words({"wait", "T1", "default/"}), (Strings{"default/T1", "default/T2"}));
  EXPECT_EQ(Words({"get", "tenants/"}), (Strings{done, running}));
  EXPECT_EQ(Words({"cancel", ""}), Strings{"T2"});
  EXPECT_EQ(Words({"tasks", "pause", ""}), Strings{"T2"});
  EXPECT_EQ(Words({"tasks", "delete", ""}), Strings{"T1"});
  EXPECT_EQ(Words({"tasks", "force-"}), Strings{"force-cancel"});
  EXPECT_EQ(Words({"tasks", "--order", "-"}), (Strings{"-created", "-ended"}));
  EXPECT_EQ(Of({"cancel", ""}).candidates[0].description, "stuck RUNNING");
  EXPECT_EQ(Words({"get", "T1", ""}), Strings{});
}

TEST_F(CompleteTest, StatesOneAfterTheOther) {
  EXPECT_EQ(Words({"tasks", "--state", "RU"}), Strings{"RUNNING"});
  EXPECT_TRUE(Has({"tasks", "--state=RUNNING,"}, "--state=RUNNING,QUEUED"));
  EXPECT_FALSE(Has({"tasks", "--state=RUNNING,"}, "--state=RUNNING,RUNNING"));
}

TEST_F(CompleteTest, FilesWhereOneMayStand) {
  EXPECT_TRUE(Of({"spawn", "echo", "@"}).files);
  EXPECT_TRUE(Of({"--token_file", ""}).files);
  EXPECT_FALSE(Of({"get", ""}).files);
}

TEST_F(CompleteTest, ContextsByTheirNames) {
  Contexts contexts;
  contexts.by_name["prod"] = {"x:1"};
  ASSERT_TRUE(WriteContexts(config_, contexts).ok());
  EXPECT_EQ(Words({"--context", ""}), Strings{"prod"});
  EXPECT_EQ(Words({"context", "use", "p"}), Strings{"prod"});
}

TEST_F(CompleteTest, NothingWithoutADaemon) {
  address_ = "127.0.0.1:1";
  EXPECT_EQ(Words({"spawn", ""}), Strings{});
  EXPECT_EQ(Words({"sp"}), Strings{"spawn"});
}

}  // namespace
}  // namespace grove::client::cli

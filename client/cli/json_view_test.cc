#include "client/cli/json_view.h"

#include <gtest/gtest.h>

#include "grove/v1/task_service.pb.h"

namespace grove::client::cli {
namespace {

v1::Task EndedTask(const std::string& output) {
  v1::Task task;
  task.set_name("tenants/default/queues/default/tasks/1");
  task.set_state(v1::TASK_STATE_SUCCEEDED);
  task.set_output(output);
  task.add_attempts()->set_state(v1::Attempt::STATE_TIMED_OUT);
  return task;
}

TEST(ToJson, NamesStatesWithoutPrefixAtEveryDepth) {
  v1::ListTasksResponse list;
  *list.add_tasks() = EndedTask("");
  const auto json = ToJson(list);
  EXPECT_EQ(json["tasks"][0]["state"], "SUCCEEDED");
  EXPECT_EQ(json["tasks"][0]["attempts"][0]["state"], "TIMED_OUT");
  EXPECT_EQ(json["tasks"][0]["progress_message"], "");
}

TEST(ToJson, ShowsJsonOutputBesideItsBytes) {
  const auto json = ToJson(EndedTask("{\"a\":[1,2]}"));
  EXPECT_EQ(json["output"], "eyJhIjpbMSwyXX0=");
  EXPECT_EQ(json["output_json"]["a"][1], 2);
}

TEST(ToJson, ParsesOnlyWhatIsJsonAndNotTooDeep) {
  EXPECT_FALSE(ToJson(EndedTask("plain text")).contains("output_json"));
  EXPECT_FALSE(ToJson(EndedTask("\"\xff\"")).contains("output_json"));
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(ToJson(EndedTask(nested(100))).contains("output_json"));
  EXPECT_FALSE(ToJson(EndedTask(nested(101))).contains("output_json"));
}

TEST(ToJson, SurvivesADetailOfAnUnknownType) {
  v1::Task task = EndedTask("");
  task.mutable_error()->set_message("boom");
  auto& detail = *task.mutable_error()->add_details();
  detail.set_type_url("type.googleapis.com/grove.v9.Later");
  detail.set_value("x");
  const auto json = ToJson(task);
  EXPECT_EQ(json["error"]["message"], "boom");
  EXPECT_TRUE(json["error"]["details"].empty());
}

TEST(RenderYaml, QuotesWhatWouldReadAsSomethingElse) {
  const nlohmann::ordered_json json = {{"plain", "SUCCEEDED"}, {"word", "No"}, {"number", "12"},
                                       {"text", "a: b\n"},     {"n", 3},       {"none", nullptr}};
  EXPECT_EQ(RenderYaml(json),
            "plain: SUCCEEDED\nword: \"No\"\nnumber: \"12\"\ntext: \"a: b\\n\"\n\"n\": 3\n"
            "none: null\n");
}

TEST(RenderYaml, NestsListsAndObjects) {
  const nlohmann::ordered_json json = {
      {"tasks", {{{"a", 1}, {"b", {1, 2}}}, nlohmann::ordered_json::object()}}};
  EXPECT_EQ(RenderYaml(json), "tasks:\n- a: 1\n  b:\n  - 1\n  - 2\n- {}\n");
}

}  // namespace
}  // namespace grove::client::cli

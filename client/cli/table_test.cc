#include "client/cli/table.h"

#include <gtest/gtest.h>

namespace grove::client::cli {
namespace {

TEST(Table, AlignsColumnsUnderTheirHeader) {
  Table table({"TASK", "STATE"});
  table.Add({"a-long-one", "QUEUED"});
  table.Add({"é", ""});
  EXPECT_EQ(table.Render({}), "TASK        STATE\na-long-one  QUEUED\né           -\n");
}

TEST(Table, CutsTheLastColumnsFirstOnATerminalOnly) {
  Table table({"A", "B", "C"});
  table.Add({"some first words", "and some more", "and the last words"});
  EXPECT_EQ(table.Render({.width = 45}),
            "A                 B              C\n"
            "some first words  and some more  and the las…\n");
  EXPECT_EQ(table.Render({.width = 37}),
            "A                 B          C\n"
            "some first words  and some…  and the…\n");
  EXPECT_EQ(table.Render({.width = 51}), table.Render({}));
  EXPECT_EQ(table.Render({.width = 20, .wide = true}), table.Render({}));
}

TEST(Table, NeverCutsWhatNamesSomething) {
  Table table({{"TASK", Column::Kind::kId}, {"STATE", Column::Kind::kState}, "NOTE"});
  table.Add({"default/01JAAAAAAAAAAAAAAAAAAAAAAA", "SUCCEEDED", "a long explanation"});
  const std::string narrow = table.Render({.width = 10});
  EXPECT_NE(narrow.find("default/01JAAAAAAAAAAAAAAAAAAAAAAA  SUCCEEDED  a long …"),
            std::string::npos)
      << narrow;
}

TEST(Table, ShowsWideColumnsAndHeadersIfAsked) {
  Table table({"A", {"B", Column::Kind::kWide}});
  table.Add({"1", "2"});
  EXPECT_EQ(table.Render({}), "A\n1\n");
  EXPECT_EQ(table.Render({.wide = true}), "A  B\n1  2\n");
  EXPECT_EQ(table.Render({.headers = false}), "1\n");
}

TEST(Table, ColorsStatesAlone) {
  Table table({"NAME", {"STATE", Column::Kind::kState}, "NOTE"});
  table.Add({"FAILED", "FAILED", "FAILED"});
  EXPECT_EQ(table.Render({.headers = false, .colors = true}),
            "FAILED  \033[31mFAILED\033[0m  FAILED\n");
}

TEST(Table, EscapesCells) {
  Table table({"A"});
  table.Add({"x\ny"});
  EXPECT_EQ(table.Render({}), "A\nx\\ny\n");
}

TEST(RenderFields, LeavesOutEmptyOnes) {
  EXPECT_EQ(RenderFields({{"name", "a"}, {"very long", ""}, {"state", "B"}}),
            "name:  a\nstate: B\n");
}

}  // namespace
}  // namespace grove::client::cli

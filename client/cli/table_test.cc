#include "client/cli/table.h"

#include <gtest/gtest.h>

namespace grove::client::cli {
namespace {

TEST(Table, AlignsColumnsUnderTheirHeader) {
  Table table({"TASK", "STATE"});
  table.Add({"a-long-one", "QUEUED"});
  table.Add({"é", ""});
  EXPECT_EQ(table.Render(std::nullopt), "TASK        STATE\na-long-one  QUEUED\né           -\n");
}

TEST(Table, CutsTheWidestCellsToATerminalOnly) {
  Table table({"A", "B"});
  table.Add({"short", "a very long cell indeed"});
  EXPECT_EQ(table.Render(20), "A      B\nshort  a very long …\n");
  EXPECT_EQ(table.Render(30), table.Render(std::nullopt));
}

TEST(Table, EscapesCells) {
  Table table({"A"});
  table.Add({"x\ny"});
  EXPECT_EQ(table.Render(std::nullopt), "A\nx\\ny\n");
}

TEST(RenderFields, LeavesOutEmptyOnes) {
  EXPECT_EQ(RenderFields({{"name", "a"}, {"very long", ""}, {"state", "B"}}),
            "name:  a\nstate: B\n");
}

}  // namespace
}  // namespace grove::client::cli

#include <gtest/gtest.h>

#include <string>

#include "server/test_kit/test_daemon.h"

namespace {

using grove::test_kit::TestAnswer;
using grove::test_kit::TestDaemon;

class NotesTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(daemon_.status().ok()) << daemon_.status(); }

  TestDaemon daemon_{"server/examples/notes", {.failed = HasFailure}};
};

TEST_F(NotesTest, ANoteIsKeptAndReplaced) {
  EXPECT_EQ(daemon_.Request("GET", "/notes/letter").status, 404);
  EXPECT_EQ(daemon_.Request("PUT", "/notes/letter", "Dear").status, 201);
  EXPECT_EQ(daemon_.Request("PUT", "/notes/letter", "Dear reader").status, 204);
  const TestAnswer note = daemon_.Request("GET", "/notes/letter");
  EXPECT_EQ(note.body, "Dear reader");
  EXPECT_EQ(note.Field("content-type"), "text/plain; charset=utf-8");
}

TEST_F(NotesTest, ALongNoteIsRefusedAndAnyBodyCounted) {
  const std::string text(64 * 1024 + 1, 'x');
  EXPECT_EQ(daemon_.Request("PUT", "/notes/long", text).status, 413);
  EXPECT_EQ(daemon_.Request("POST", "/count", text).body, "65537\n");
}

TEST_F(NotesTest, TicksComeOneByOne) {
  EXPECT_EQ(daemon_.Request("GET", "/ticks").body, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
}

}  // namespace

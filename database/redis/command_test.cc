#include "database/redis/command.h"

#include <gtest/gtest.h>

#include <vector>

namespace grove::redis {
namespace {

std::string Bytes(const Command& command) {
  std::string bytes;
  command.AppendTo(bytes);
  return bytes;
}

TEST(CommandTest, ArgumentsAreTextsOfAnyBytesOrNumbers) {
  EXPECT_EQ(Bytes(Command({"set", std::string("a\0\r\n", 4), -5, 2.5})),
            std::string("*4\r\n$3\r\nset\r\n$4\r\na\0\r\n\r\n$2\r\n-5\r\n$3\r\n2.5\r\n", 40));
  const std::vector<std::string> keys = {"a", "b"};
  EXPECT_EQ(Bytes(Command({"DEL"}).AddAll(keys)), "*3\r\n$3\r\nDEL\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(Command({"set"}).name(), "SET");
  EXPECT_EQ(Bytes(Command({"ECHO", ""})), "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n");
}

TEST(CommandTest, WhatBlocksOrChangesTheConnectionIsNotShared) {
  EXPECT_TRUE(Command({"GET", "MULTI"}).MayBeShared().ok());
  EXPECT_TRUE(Command({"XREAD", "STREAMS", "s", 0}).MayBeShared().ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Command({"blpop", "l", 0}).MayBeShared()));
  EXPECT_TRUE(Command({"blpop", "l", 0}).MayBeSent().ok());
  EXPECT_TRUE(
      absl::IsInvalidArgument(Command({"xread", "block", 0, "STREAMS", "s", "$"}).MayBeShared()));
  for (const char* name : {"multi", "EXEC", "WATCH", "SELECT", "SUBSCRIBE", "HELLO", "MONITOR"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Command({name}).MayBeShared())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(Command({name}).MayBeSent())) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(Command({"CLIENT", "reply", "off"}).MayBeSent()));
  EXPECT_TRUE(Command({"CLIENT", "ID"}).MayBeShared().ok());
}

}  // namespace
}  // namespace grove::redis

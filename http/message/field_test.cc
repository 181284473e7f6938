#include "http/message/field.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

std::string Text(FieldSpan fields) {
  std::string text;
  for (const Field& field : fields) text.append(field.name).append("=").append(field.value) += ' ';
  return text;
}

TEST(FieldList, HoldsTextsOfItsOwnInOrder) {
  FieldList list;
  {
    const std::string name = "a name that is too long for the string itself";
    list.Add(name, "1");
    list.Add("b", name);
  }
  EXPECT_EQ(Text(list.span()),
            "a name that is too long for the string itself=1 "
            "b=a name that is too long for the string itself ");
}

TEST(FieldList, InsertsBeforeAnother) {
  FieldList list;
  list.Add("a", "1");
  list.Insert(0, "b", "2");
  list.Insert(1, "c", "3");
  EXPECT_EQ(Text(list.span()), "b=2 c=3 a=1 ");
}

TEST(FieldList, ViewsOfItSurviveItsGrowthAndMove) {
  FieldList list;
  list.Add("a", "1");
  const Field first = list.span()[0];
  for (int i = 0; i < 100; ++i) list.Add("x", "y");
  const FieldList moved = std::move(list);
  EXPECT_EQ(first.name, "a");
  EXPECT_EQ(first.value, "1");
  EXPECT_EQ(moved.size(), 101);
}

TEST(EqualsIgnoreCase, ComparesWithoutCase) {
  EXPECT_TRUE(EqualsIgnoreCase("Content-Length", "content-lengtH"));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
  EXPECT_FALSE(EqualsIgnoreCase("a", "b"));
}

}  // namespace
}  // namespace grove::http

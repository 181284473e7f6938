#include "database/postgres/result.h"

#include <cmath>
#include <string>
#include <vector>

#include "database/postgres/server_fixture.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

class ResultTest : public PostgresTest {
 protected:
  // What `param` is as it comes back in both forms.
  template <typename T>
  void Returns(const Param& param, const T& wanted, const std::string& type = "") {
    WithConnection([&](Connection& connection) {
      for (const bool binary : {false, true}) {
        auto back = connection.Query("SELECT $1" + type, {param}, {.binary = binary});
        ASSERT_TRUE(back.ok()) << back.status();
        const absl::StatusOr<T> value = back->Value<T>();
        ASSERT_TRUE(value.ok()) << value.status() << (binary ? " binary" : " text");
        EXPECT_TRUE(*value == wanted) << type << (binary ? " binary" : " text");
      }
    });
  }
  template <typename T>
  absl::Status Refused(const std::string& expression, bool binary = false) {
    absl::Status status;
    WithConnection([&](Connection& connection) {
      auto back = connection.Query("SELECT " + expression + " AS it", {}, {.binary = binary});
      ASSERT_TRUE(back.ok()) << back.status();
      status = back->Value<T>().status();
    });
    return status;
  }
};

TEST_F(ResultTest, NumbersComeBackAsTheyWent) {
  Returns<int16_t>(int16_t{-32768}, -32768);
  Returns<int32_t>(int32_t{-2147483647 - 1}, -2147483647 - 1);
  Returns<int64_t>(int64_t{-9223372036854775807}, -9223372036854775807);
  Returns<int64_t>(int16_t{7}, 7);
  Returns<double>(0.1, 0.1);
  Returns<double>(-HUGE_VAL, -HUGE_VAL);
  Returns<float>(0.1F, 0.1F);
  Returns<double>(7, 7.0);
  Returns<bool>(true, true);
  Returns<bool>(false, false);
}

TEST_F(ResultTest, TextsAndBytesComeBackAsTheyWent) {
  Returns<std::string>("Größe \\ \" '", "Größe \\ \" '", "::text");
  Returns<std::string>("", "", "::text");
  Returns<std::string>(R"({"a": 1})", R"({"a": 1})", "::json");
  const Bytes bytes{std::string("\0\xff\\x41", 6)};
  Returns<Bytes>(bytes, bytes);
  Returns<Bytes>(Bytes{}, Bytes{});
}

TEST_F(ResultTest, TimesComeBackAsTheyWent) {
  const absl::Time time = absl::FromUnixMicros(1'709'208'000'250'001);
  Returns<absl::Time>(time, time);
  Returns<absl::Time>(absl::InfiniteFuture(), absl::InfiniteFuture());
  Returns<absl::Time>(absl::InfinitePast(), absl::InfinitePast());
  Returns<absl::Time>("2024-02-29 12:00:00.250001", time, "::timestamp");
  const absl::Time caesar = absl::FromCivil(absl::CivilDay(-43, 3, 15), absl::UTCTimeZone());
  Returns<absl::Time>(caesar, caesar);
  ConnectionOptions options = server_->Options();
  options.settings = {{"TimeZone", "Asia/Kathmandu"}};
  WithConnection(
      [&](Connection& connection) {
        EXPECT_EQ(*connection.Query("SELECT $1", {time})->Value<absl::Time>(), time);
      },
      options);
}

TEST_F(ResultTest, NullIsReadAsAnOptional) {
  Returns<std::optional<int>>(nullptr, std::nullopt, "::int");
  Returns<std::optional<std::string>>(std::optional<std::string>(), std::nullopt, "::text");
  Returns<std::optional<int>>(std::optional<int>(3), std::optional<int>(3));
  const absl::Status null = Refused<int>("NULL::int");
  EXPECT_TRUE(absl::IsInvalidArgument(null));
  EXPECT_EQ(Std(null.message()), "column \"it\" is NULL: read it as std::optional");
  EXPECT_FALSE(Refused<std::string>("NULL::text").ok());
  EXPECT_FALSE(Refused<std::vector<int>>("NULL::int[]").ok());
}

TEST_F(ResultTest, ArraysComeBackAsTheyWent) {
  Returns<std::vector<int>>(std::vector<int>{1, -2, 3}, {1, -2, 3});
  Returns<std::vector<int64_t>>(std::vector<int64_t>{}, {});
  Returns<std::vector<bool>>(std::vector<bool>{true, false}, {true, false});
  Returns<std::vector<double>>(std::vector<double>{0.5}, {0.5});
  const std::vector<std::string> texts = {"a", "", "NULL", "b,c", "{\"d\" \\ }", "e f"};
  Returns<std::vector<std::string>>(texts, texts);
  const std::vector<std::optional<double>> gaps = {std::nullopt, 1.5};
  Returns<std::vector<std::optional<double>>>(gaps, gaps);
  Returns<std::vector<std::optional<double>>>(std::vector<std::optional<double>>{}, {});
  const std::vector<Bytes> bytes = {{"\x01\x02"}, {""}};
  Returns<std::vector<Bytes>>(bytes, bytes);
  const std::vector<absl::Time> times = {absl::FromUnixSeconds(1), absl::InfiniteFuture()};
  Returns<std::vector<absl::Time>>(times, times);
  Returns<std::vector<int>>(Param::Typed(type_id::kInt4Array, "[5:6]={7,8}"), {7, 8});
  EXPECT_FALSE(Refused<std::vector<int>>("'{{1},{2}}'::int[]").ok());
  EXPECT_FALSE(Refused<std::vector<int>>("'{{1},{2}}'::int[]", true).ok());
  EXPECT_FALSE(Refused<std::vector<int>>("'no array'::text").ok());
}

TEST_F(ResultTest, WhatDoesNotFitIsRefusedWithColumnAndTypeButNotTheValue) {
  const absl::Status wide = Refused<int16_t>("70000");
  EXPECT_TRUE(absl::IsInvalidArgument(wide));
  EXPECT_EQ(Std(wide.message()),
            "column \"it\" (int4, text): not to be read as an integer of 16 bits");
  EXPECT_FALSE(Refused<int16_t>("70000", true).ok());
  EXPECT_FALSE(Refused<int>("1.5").ok());
  EXPECT_FALSE(Refused<int>("'12x'::text").ok());
  EXPECT_FALSE(Refused<bool>("'t'::text").ok());
  EXPECT_FALSE(Refused<absl::Time>("now()::text").ok());
  EXPECT_FALSE(Refused<Bytes>("'a'::text").ok());
  // A number is text in the text form alone.
  EXPECT_TRUE(Refused<std::string>("1.50::numeric").ok());
  EXPECT_FALSE(Refused<std::string>("1.50::numeric", true).ok());
}

TEST_F(ResultTest, ColumnsAreFoundByNumberAndName) {
  WithConnection([](Connection& connection) {
    auto rows = connection.Query("SELECT 1 AS a, 'x' AS \"B\" UNION ALL SELECT 2, 'y'");
    ASSERT_TRUE(rows.ok());
    EXPECT_EQ(rows->rows(), 2);
    EXPECT_EQ(rows->columns(), 2);
    EXPECT_EQ(rows->column_name(1), "B");
    EXPECT_EQ(rows->command(), "SELECT 2");
    std::string all;
    for (const Row row : *rows) {
      int number = 0;
      std::string_view text;
      ASSERT_TRUE(row.Read(number, text).ok());
      all += std::to_string(number) + std::string(text);
      EXPECT_EQ(*row.Get<std::string_view>("B"), text);
    }
    EXPECT_EQ(all, "1x2y");
    const Row row = (*rows)[0];
    int number = 0;
    EXPECT_TRUE(absl::IsInvalidArgument(row.Read(number)));
    EXPECT_TRUE(absl::IsNotFound(row.Get<int>("b").status()));
    EXPECT_TRUE(absl::IsOutOfRange(row.Get<int>(2).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(rows->Value<int>().status()));
  });
}

TEST_F(ResultTest, ATextWithANulIsRefusedBeforeItIsSent) {
  WithConnection([](Connection& connection) {
    const std::string nul("a\0b", 3);
    EXPECT_TRUE(absl::IsInvalidArgument(connection.Query("SELECT $1::text", {nul}).status()));
    EXPECT_TRUE(connection.Ping().ok());
    const std::vector<Param> many(70'000, Param(1));
    EXPECT_TRUE(absl::IsInvalidArgument(connection.Query("SELECT 1", many).status()));
  });
}

}  // namespace
}  // namespace grove::postgres

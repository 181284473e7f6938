#include "server/json_fields.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/json.h"

namespace grove {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Item {
  std::string name;
  double price = 0;
};
void JsonFields(auto& fields, Item& item) {
  fields.Required("name", item.name);
  fields.Required("price", item.price);
  fields.RefuseUnknown();
}

struct Invoice {
  std::vector<Item> items;
  std::map<std::string, int8_t> discounts;
  std::optional<bool> paid;
  uint64_t number = 1;
  nlohmann::json note;
};
void JsonFields(auto& fields, Invoice& invoice) {
  fields.Required("items", invoice.items);
  fields.Optional("discounts", invoice.discounts);
  fields.Optional("paid", invoice.paid);
  fields.Optional("number", invoice.number);
  fields.Optional("note", invoice.note);
}

// Of a type that knows nlohmann's way alone.
struct Place {
  std::string city;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Place, city)

struct Trip {
  std::vector<Place> places;
};
void JsonFields(auto& fields, Trip& trip) {
  fields.Required("places", trip.places);
}

struct Tree {
  std::vector<Tree> branches;
};
void JsonFields(auto& fields, Tree& tree) {
  fields.Optional("branches", tree.branches);
}

template <typename T>
std::string Problem(std::string_view text) {
  const absl::Status status = FromJson<T>(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(JsonFields, AreReadIntoTheStruct) {
  const absl::StatusOr<Invoice> invoice = FromJson<Invoice>(R"({
      "items": [{"name": "pen", "price": 2}, {"price": 0.5, "name": "ink"}],
      "discounts": {"spring": -5}, "paid": false, "number": 18446744073709551615,
      "note": [1, {"any": "thing"}]})");
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  ASSERT_EQ(invoice->items.size(), 2);
  EXPECT_EQ(invoice->items[0].name, "pen");
  EXPECT_EQ(invoice->items[1].price, 0.5);
  EXPECT_EQ(invoice->discounts.at("spring"), -5);
  EXPECT_EQ(invoice->paid, false);
  EXPECT_EQ(invoice->number, UINT64_MAX);
  EXPECT_EQ(invoice->note[1]["any"], "thing");
}

TEST(JsonFields, ThatAreLeftOutKeepWhatTheyHave) {
  const absl::StatusOr<Invoice> invoice = FromJson<Invoice>(R"({"items": [], "paid": null})");
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  EXPECT_EQ(invoice->number, 1);
  EXPECT_EQ(invoice->paid, std::nullopt);
}

TEST(JsonFields, AreWrittenFromTheStruct) {
  Invoice invoice{.items = {{"pen", 2}}, .discounts = {{"a", 1}}, .number = 7};
  EXPECT_EQ(ToJson(invoice),
            R"({"discounts":{"a":1},"items":[{"name":"pen","price":2.0}],"note":null,"number":7})");
  invoice.paid = true;
  EXPECT_THAT(ToJson(std::vector<Invoice>{invoice}), HasSubstr(R"("paid":true)"));
}

TEST(JsonFields, ErrorsNameThePathOfTheField) {
  EXPECT_EQ(Problem<Invoice>(R"({"items": [{"name": "a", "price": 1}, {"name": "b",
                                 "price": "2"}]})"),
            "items[1].price: expected a number, found a string");
  EXPECT_EQ(Problem<Invoice>(R"({"items": [{"name": {}, "price": 1}]})"),
            "items[0].name: expected a string, found an object");
  EXPECT_EQ(Problem<Invoice>(R"({"items": {}})"), "items: expected an array, found an object");
  EXPECT_EQ(Problem<Invoice>(R"({"items": [null]})"), "items[0]: expected an object, found null");
  EXPECT_EQ(Problem<Invoice>(R"({"items": [], "paid": 1})"),
            "paid: expected true or false, found a number");
  EXPECT_EQ(Problem<Invoice>(R"({"items": [], "discounts": {"a.b \u00e9\"": true}})"),
            R"(discounts["a.b \u00e9\""]: expected an integer, found a boolean)");
  EXPECT_EQ(Problem<Invoice>("[]"), "expected an object, found an array");
  EXPECT_EQ(Problem<std::vector<std::vector<int>>>("[[1], [2, []]]"),
            "[1][1]: expected an integer, found an array");
}

TEST(JsonFields, IntegersMustFit) {
  const auto discount = [](std::string_view number) {
    return std::string(R"({"items": [], "discounts": {"a": )") + std::string(number) + "}}";
  };
  EXPECT_EQ(FromJson<Invoice>(discount("127"))->discounts["a"], 127);
  EXPECT_EQ(FromJson<Invoice>(discount("-128"))->discounts["a"], -128);
  for (const std::string_view wrong : {"128", "-129", "1.5", "1e300", "18446744073709551615"}) {
    EXPECT_THAT(Problem<Invoice>(discount(wrong)),
                HasSubstr("discounts.a: expected an integer from -128 to 127, found "));
  }
  EXPECT_EQ(Problem<Invoice>(R"({"items": [], "number": -1})"),
            "number: expected an integer from 0 to 18446744073709551615, found -1");
}

TEST(JsonFields, ThatAreMissingAreAllNamed) {
  EXPECT_EQ(Problem<Invoice>("{}"), "items: required, but missing");
  EXPECT_EQ(Problem<Invoice>(R"({"items": [{"name": "a"}]})"),
            "items[0].price: required, but missing");
  EXPECT_EQ(Problem<Invoice>(R"({"items": [{}]})"), "items[0]: required, but missing: name, price");
}

TEST(JsonFields, ThatNobodyKnowsAreIgnoredOrRefusedAsTheStructSays) {
  EXPECT_TRUE(FromJson<Invoice>(R"({"items": [], "colour": "red"})").ok());
  EXPECT_EQ(Problem<Invoice>(R"({"items": [{"name": "a", "prise": 1}]})"),
            R"(items[0].prise: unknown; did you mean "price"?)");
  EXPECT_EQ(Problem<Item>(R"({"name": "a", "price": 1, "colour": "red"})"),
            "colour: unknown; the fields are name, price");
  EXPECT_TRUE(FromJson<Item>(R"({"name": "a", "price": 1})").ok());
}

TEST(JsonFields, OfTypesThatOnlyNlohmannKnowsAreReadToo) {
  EXPECT_EQ(FromJson<Trip>(R"({"places": [{"city": "Ulm"}]})")->places[0].city, "Ulm");
  EXPECT_EQ(Problem<Trip>(R"({"places": [{"city": "Ulm"}, {}]})"),
            "places[1]: key 'city' not found");
  EXPECT_EQ(ToJson(Trip{{{"Ulm"}}}), R"({"places":[{"city":"Ulm"}]})");
}

TEST(JsonFields, StandWithinEachOtherToADepth) {
  const auto nested = [](int depth) {
    std::string text = "{}";
    for (int i = 1; i < depth; ++i) text = R"({"branches":[)" + text + "]}";
    return text;
  };
  EXPECT_TRUE(FromJson<Tree>(nested(kJsonDepthMax)).ok());
  EXPECT_THAT(Problem<Tree>(nested(kJsonDepthMax + 1)), HasSubstr("more than 64 deep"));
  EXPECT_THAT(Problem<Tree>(nested(50'000)), HasSubstr("more than 64 deep"));
}

TEST(JsonFields, AfterAnErrorNothingIsRead) {
  JsonReader reader;
  std::vector<int> first, second;
  reader.Read(nlohmann::json({1, "x", 2}), first);
  reader.Read(nlohmann::json({3}), second);
  EXPECT_EQ(reader.status(),
            absl::InvalidArgumentError("[1]: expected an integer, found a string"));
  EXPECT_THAT(second, ElementsAre());
}

}  // namespace
}  // namespace grove

#include "server/config/schema.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "grove/config/v1/config.pb.h"
#include "gtest/gtest.h"

namespace grove::config {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::testing::HasSubstr;

struct Leaf {
  std::string key;
  const FieldDescriptor* field;
};

void Collect(const Descriptor& type, const std::string& prefix, std::vector<Leaf>* out) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    const std::string key = prefix + field->name() + (field->is_repeated() ? "[]" : "");
    if (field->message_type() == config::v1::Setting::descriptor()) {
      out->push_back({prefix + field->name() + ".*", field});  // whatever code declares
    } else if (field->message_type() == nullptr) {
      out->push_back({key, field});
    } else if (key != "http.routes[].middleware[]" && key != "http.routes[].websocket") {
      // Those have the rows of http.middleware[] and http.websocket.
      Collect(*field->message_type(), key + ".", out);
    }
  }
}

std::vector<Leaf> Leaves() {
  std::vector<Leaf> leaves;
  Collect(*config::v1::Config::descriptor(), "", &leaves);
  return leaves;
}

std::string ExpectedType(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "boolean";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "integer";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "declared";
    default:
      return "string";
  }
}

// "lifo" of Queue.Order.ORDER_LIFO, joined as the table does.
std::string Choices(const google::protobuf::EnumDescriptor& type) {
  std::string joined;
  for (int i = 1; i < type.value_count(); ++i) {
    std::string name = type.value(i)->name().substr(type.name().size() + 1);
    for (char& c : name) c = static_cast<char>(tolower(c));
    joined += (joined.empty() ? "" : " | ") + name;
  }
  return joined;
}

TEST(Schema, HasARowForEveryFieldAndNoOther) {
  std::set<std::string> fields;
  for (const Leaf& leaf : Leaves()) fields.insert(leaf.key);
  std::set<std::string> rows;
  for (const SchemaRow& row : DescribeSchema()) rows.insert(std::string(row.key));
  EXPECT_EQ(rows, fields);
  EXPECT_EQ(rows.size(), DescribeSchema().size()) << "a key stands twice";
}

TEST(Schema, StatesTheTypeOfEachField) {
  for (const Leaf& leaf : Leaves()) {
    const SchemaRow* row = FindSchemaRow(leaf.key);
    ASSERT_NE(row, nullptr) << leaf.key;
    if (leaf.field->enum_type() != nullptr) {
      EXPECT_EQ(row->type, Choices(*leaf.field->enum_type())) << leaf.key;
    } else if (leaf.key != "log.level") {
      EXPECT_EQ(row->type, ExpectedType(*leaf.field)) << leaf.key;
    }
  }
}

TEST(Schema, GivesEachNumberARangeThatHoldsItsDefaultAndFitsItsField) {
  for (const Leaf& leaf : Leaves()) {
    const SchemaRow& row = *FindSchemaRow(leaf.key);
    if (row.type != "integer") continue;
    // Elsewhere 0 is the default, whatever that is.
    EXPECT_GE(row.min, leaf.field->has_presence() ? 0 : 1) << row.key;
    EXPECT_LT(row.min, row.max) << row.key;
    if (row.default_value == 0) {
      EXPECT_NE(row.default_text, "") << row.key;
    } else {
      EXPECT_GE(row.default_value, row.min) << row.key;
      EXPECT_LE(row.default_value, row.max) << row.key;
    }
    if (leaf.field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      EXPECT_LE(row.max, INT32_MAX) << row.key;
    }
  }
}

TEST(Schema, StatesADefaultAndAMeaningForEveryKey) {
  for (const SchemaRow& row : DescribeSchema()) {
    EXPECT_NE(FormatDefault(row), "") << row.key;
    EXPECT_NE(row.meaning, "") << row.key;
    EXPECT_EQ(row.meaning.find('\n'), std::string_view::npos) << row.key;
  }
}

TEST(Schema, FindsAKeyWithIndices) {
  ASSERT_NE(FindSchemaRow("tenants[3].queues[12].order"), nullptr);
  EXPECT_EQ(FindSchemaRow("tenants[3].queues[12].order")->key, "tenants[].queues[].order");
  EXPECT_EQ(FindSchemaRow("tenants.name"), nullptr);
  EXPECT_EQ(FindSchemaRow("http.routes[3].middleware[1].gzip.level"),
            FindSchemaRow("http.middleware[].gzip.level"));
  EXPECT_NE(FindSchemaRow("http.middleware[0].gzip.level"), nullptr);
  EXPECT_EQ(FindSchemaRow("http.routes[3].websocket.compression"),
            FindSchemaRow("http.websocket.compression"));
  EXPECT_NE(FindSchemaRow("http.websocket.compression"), nullptr);
  EXPECT_EQ(FindSchemaRow(""), nullptr);
}

TEST(Schema, PrintsKeyRangeMeaningAndDefault) {
  EXPECT_THAT(FormatSchema(), HasSubstr("  workers  (integer, 1 to 256)\n"
                                        "      worker processes\n"
                                        "      default: the CPUs allowed\n"));
  EXPECT_THAT(FormatSchema(), HasSubstr("default: 10000\n"));
}

}  // namespace
}  // namespace grove::config

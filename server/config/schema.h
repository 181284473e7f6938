// DescribeSchema: every key of the config file with its default, its range and what it means.
//
// The one place where defaults and ranges of numbers stand: the loader and Resolve() read them
// here, `groved --help_config` prints them, each with what a change of it takes (effect.h). What
// may be used without a config says its defaults again, and server/defaults_test.cc holds them
// equal.

#ifndef GROVE_SERVER_CONFIG_SCHEMA_H_
#define GROVE_SERVER_CONFIG_SCHEMA_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace grove::config {

struct SchemaRow {
  std::string_view key;           // "tenants[].queues[].depth_max"
  std::string_view type;          // "string", "boolean", "integer", "fifo | lifo | priority", …
  std::string_view default_text;  // Where it is not a plain number; else empty.
  std::string_view meaning;       // One line.
  // Integers only. A default of 0 is computed (default_text says how).
  int64_t default_value = 0;
  int64_t min = 0;
  int64_t max = 0;
};

// One row for each leaf of the schema, in its order.
absl::Span<const SchemaRow> DescribeSchema();

// nullptr where there is none. List indices do not matter: "tenants[3].name" finds
// "tenants[].name".
const SchemaRow* FindSchemaRow(std::string_view key);

// "tenants[3].name" as "tenants[].name".
std::string WithoutIndices(std::string_view key);

// The default as a reader should see it: "10000", "the CPUs allowed".
std::string FormatDefault(const SchemaRow& row);

// What --help_config prints.
std::string FormatSchema();

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_SCHEMA_H_

// Field: a header or trailer field as a message carries it, and FieldList, which holds texts of
// some.
//
// A Field is two views into whoever holds the bytes: a connection's buffer, a FieldList, a literal.
// Who takes fields takes a FieldSpan.
#ifndef GROVE_HTTP_MESSAGE_FIELD_H_
#define GROVE_HTTP_MESSAGE_FIELD_H_

#include <cstddef>
#include <forward_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grove::http {

struct Field {
  std::string_view name;
  std::string_view value;
};

using FieldSpan = std::span<const Field>;

// Fields in order, with their texts. Empty it holds no memory; views of it stay valid until it
// dies, also when it moves.
class FieldList {
 public:
  FieldList() = default;
  FieldList(FieldList&&) = default;
  FieldList& operator=(FieldList&&) = default;

  void Add(std::string_view name, std::string_view value) { Insert(size(), name, value); }
  // Before the `at`th.
  void Insert(size_t at, std::string_view name, std::string_view value);

  size_t size() const { return fields_.size(); }
  FieldSpan span() const { return fields_; }

 private:
  std::vector<Field> fields_;
  std::forward_list<std::string> texts_;  // name and value of each
};

// Compared without case, as field names and tokens are.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_FIELD_H_

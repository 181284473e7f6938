#include "server/config/converter.h"

#include <cstdint>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/load.h"
#include "server/config/near_match.h"
#include "server/config/plain_text.h"
#include "server/config/reference.h"
#include "server/config/schema.h"

namespace grove::config {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

// What the file says, cut so that an error stays one line.
std::string Quoted(const std::string& text) {
  constexpr size_t kShown = 60;
  const bool cut = text.size() > kShown;
  return StrCat("'", absl::CHexEscape(text.substr(0, kShown)), cut ? "…'" : "'");
}

std::string KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return Quoted(node.Scalar());
}

// "LIFO" of ORDER_LIFO.
std::string ShortName(const EnumDescriptor& type, int index) {
  const std::string& name = type.value(index)->name();
  return absl::AsciiStrToLower(name.substr(name.find('_') + 1));
}

std::vector<std::string> KeysOf(const Descriptor& type) {
  std::vector<std::string> keys;
  keys.reserve(type.field_count());
  for (int i = 0; i < type.field_count(); ++i) keys.push_back(type.field(i)->name());
  return keys;
}

// The field of a oneof that excludes `field`, if one is set.
const FieldDescriptor* SetOfSameOneof(const FieldDescriptor& field, const Message& message) {
  const google::protobuf::OneofDescriptor* oneof = field.real_containing_oneof();
  if (oneof == nullptr) return nullptr;
  return message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
}

}  // namespace

Place Converter::PlaceOf(const YAML::Mark& mark) const {
  if (mark.is_null()) return {file_};
  return {file_, mark.line + 1, mark.column + 1};
}

Place Converter::PlaceOf(const YAML::Node& node, const Place& otherwise) const {
  return node.Mark().is_null() || node.IsNull() ? otherwise : PlaceOf(node.Mark());
}

bool Converter::Charge(const YAML::Node& node, const Place& place, const std::string& path,
                       int depth) {
  if (depth > kConfigDepthMax) {
    problems_.AddAt(place, path, StrCat("nested deeper than ", kConfigDepthMax, " levels"));
    return false;
  }
  const bool had_room = cost_bytes_ <= kConfigExpandedBytesMax;
  cost_bytes_ += 1 + (node.IsScalar() ? node.Scalar().size() : 0);
  if (cost_bytes_ <= kConfigExpandedBytesMax) return true;
  if (had_room) {
    problems_.AddAt(place, "",
                    StrCat("with its aliases expanded the config has more than ",
                           kConfigExpandedBytesMax, " bytes"));
  }
  return false;
}

void Converter::UnknownKey(const std::string& key, const std::string& path, const Place& place,
                           const Descriptor& type) {
  const std::vector<std::string> keys = KeysOf(type);
  const std::string full = path.empty() ? key : StrCat(path, ".", key);
  const std::string near = NearMatch(key, keys);
  const std::string hint = near.empty() ? StrCat("known here: ", absl::StrJoin(keys, ", "))
                                        : StrCat("did you mean '", near, "'?");
  // What an entry then lacks follows from this.
  problems_.AddAt(place, path.ends_with(']') ? path : full,
                  StrCat("unknown key ", Quoted(full), "; ", hint));
}

void Converter::WrongType(const YAML::Node& node, const std::string& path, const Place& place,
                          std::string_view expected) {
  const std::string where = path.empty() ? "" : StrCat("'", path, "': ");
  problems_.AddAt(place, path, StrCat(where, "expected ", expected, ", found ", KindOf(node)));
}

const FieldDescriptor* Converter::FieldOf(const YAML::Node& key_node, const std::string& path,
                                          const Place& key_place, const Message& out) {
  if (!key_node.IsScalar()) {
    WrongType(key_node, path, key_place, "a key");
    return nullptr;
  }
  const std::string& key = key_node.Scalar();
  const FieldDescriptor* field = out.GetDescriptor()->FindFieldByName(key);
  if (field == nullptr) {
    UnknownKey(key, path, key_place, *out.GetDescriptor());
    return nullptr;
  }
  const std::string full = path.empty() ? key : StrCat(path, ".", key);
  if (const Place* first = sources_.Find(full); first != nullptr) {
    const bool grows = field->is_repeated() || field->message_type() != nullptr;
    if (first->file == file_ || !grows) {
      const std::string where =
          first->file == file_ ? StrCat("line ", first->line) : sources_.Text(*first);
      problems_.AddAt(key_place, full, StrCat("key '", full, "' stands twice, first in ", where));
      return nullptr;
    }
  }
  if (const FieldDescriptor* other = SetOfSameOneof(*field, out); other != nullptr) {
    problems_.AddAt(key_place, path,
                    StrCat("keys '", other->name(), "' and '", key, "' of '", path,
                           "' exclude each other; make them two entries"));
    return nullptr;
  }
  sources_.Put(full, key_place);
  return field;
}

void Converter::Section(const YAML::Node& node, const std::string& path, const Place& otherwise,
                        int depth, Message* out) {
  const Place place = PlaceOf(node, otherwise);
  if (!Charge(node, place, path, depth) || node.IsNull()) return;
  if (!node.IsMap()) {
    return WrongType(node, path, place, path.empty() ? "a mapping of keys to values" : "a mapping");
  }
  for (const auto& entry : node) {
    const Place key_place = PlaceOf(entry.first, place);
    // An alias may stand for a long one.
    if (!Charge(entry.first, key_place, path, depth)) return;
    const FieldDescriptor* field = FieldOf(entry.first, path, key_place, *out);
    if (field == nullptr) continue;
    const std::string full = path.empty() ? field->name() : StrCat(path, ".", field->name());
    if (field->message_type() == config::v1::Setting::descriptor()) {
      Declared(entry.second, *field, full, "", key_place, depth + 1, out);
    } else if (field->is_repeated()) {
      List(entry.second, *field, full, key_place, depth + 1, out);
    } else {
      Value(entry.second, *field, full, key_place, depth + 1, out);
    }
  }
}

void Converter::List(const YAML::Node& node, const FieldDescriptor& field, const std::string& path,
                     const Place& key_place, int depth, Message* out) {
  const Place place = PlaceOf(node, key_place);
  if (!Charge(node, place, path, depth) || node.IsNull()) return;
  if (!node.IsSequence()) return WrongType(node, path, place, "a list");
  for (const YAML::Node& element : node) {
    // Behind those of other files.
    const int index = out->GetReflection()->FieldSize(*out, &field);
    const std::string full = StrCat(path, "[", index, "]");
    const Place element_place = PlaceOf(element, place);
    if (element.IsNull()) {
      problems_.AddAt(element_place, full, StrCat("'", full, "' is empty"));
      continue;
    }
    sources_.Put(full, element_place);
    Value(element, field, full, element_place, depth + 1, out);
  }
}

void Converter::Value(const YAML::Node& node, const FieldDescriptor& field, const std::string& path,
                      const Place& key_place, int depth, Message* out) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    Message* nested = field.is_repeated() ? out->GetReflection()->AddMessage(out, &field)
                                          : out->GetReflection()->MutableMessage(out, &field);
    return Section(node, path, key_place, depth, nested);
  }
  const Place place = PlaceOf(node, key_place);
  if (!Charge(node, place, path, depth)) return;
  // `workers:` with nothing behind it means the default, as leaving the key out does.
  if (!node.IsNull()) SetScalar(node, field, path, place, out);
}

void Converter::Declared(const YAML::Node& node, const FieldDescriptor& field,
                         const std::string& path, const std::string& prefix, const Place& key_place,
                         int depth, Message* out) {
  const Place place = PlaceOf(node, key_place);
  if (!Charge(node, place, path, depth) || node.IsNull()) return;
  if (!node.IsMap()) return WrongType(node, path, place, "a mapping");
  for (const auto& entry : node) {
    const Place place_of_key = PlaceOf(entry.first, place);
    if (!Charge(entry.first, place_of_key, path, depth)) return;
    if (!entry.first.IsScalar() || !IsPlainText(entry.first.Scalar())) {
      WrongType(entry.first, path, place_of_key, "a key");
      continue;
    }
    const std::string& key = entry.first.Scalar();
    const std::string full = StrCat(path, ".", key);
    const std::string name = prefix.empty() ? key : StrCat(prefix, ".", key);
    // A section may go on in another file, as those of the schema may.
    const Place* first = sources_.Find(full);
    if (first != nullptr && (first->file == file_ || !entry.second.IsMap())) {
      const std::string where =
          first->file == file_ ? StrCat("line ", first->line) : sources_.Text(*first);
      problems_.AddAt(place_of_key, full,
                      StrCat("key ", Quoted(full), " stands twice, first in ", where));
      continue;
    }
    sources_.Put(full, place_of_key);
    if (entry.second.IsMap()) {
      Declared(entry.second, field, full, name, place_of_key, depth + 1, out);
    } else if (!entry.second.IsNull()) {
      DeclaredValue(entry.second, field, full, name, place_of_key, depth + 1, out);
    }
  }
}

void Converter::DeclaredValue(const YAML::Node& node, const FieldDescriptor& field,
                              const std::string& path, const std::string& name,
                              const Place& key_place, int depth, Message* out) {
  const Place place = PlaceOf(node, key_place);
  if (!Charge(node, place, path, depth)) return;
  config::v1::Setting setting;
  setting.set_name(name);
  setting.set_is_list(node.IsSequence());
  const auto add = [&](const YAML::Node& value, const std::string& key, const Place& at) {
    Scalar scalar;
    if (!value.IsScalar()) return WrongType(value, key, at, "a value");
    if (!Expand(value, key, at, &scalar)) return;
    if (!IsPlainText(scalar.text)) {
      // It may be a secret's.
      return problems_.AddAt(
          at, key, StrCat("'", key, "': expected a text in UTF-8 without control characters"));
    }
    setting.add_values(scalar.text);
  };
  if (!node.IsSequence()) {
    add(node, path, place);
  } else {
    for (const YAML::Node& element : node) {
      const std::string key = StrCat(path, "[", setting.values_size(), "]");
      const Place at = PlaceOf(element, place);
      if (!Charge(element, at, key, depth + 1)) return;
      sources_.Put(key, at);
      add(element, key, at);
    }
  }
  if (!setting.is_list() && setting.values().empty()) return;
  static_cast<config::v1::Setting*>(out->GetReflection()->AddMessage(out, &field))->Swap(&setting);
}

bool Converter::Expand(const YAML::Node& node, const std::string& path, const Place& place,
                       Scalar* scalar) {
  absl::StatusOr<Expanded> expanded = ExpandReferences(node.Scalar(), folder_);
  if (!expanded.ok()) {
    problems_.AddAt(place, path, StrCat("'", path, "': ", Std(expanded.status().message())));
    return false;
  }
  scalar->text = std::move(expanded->value);
  scalar->is_reference = expanded->has_references;
  // In a flow mapping a reference must be quoted, whatever it holds.
  scalar->is_text = node.Tag() == "!" && !scalar->is_reference;
  if (!scalar->is_reference) return true;
  cost_bytes_ += scalar->text.size();
  sources_.PutReference(path, node.Scalar(), scalar->text);
  return true;
}

void Converter::Unusable(const Scalar& scalar, const YAML::Node& node, const std::string& path,
                         const Place& place, std::string_view expected) {
  if (!scalar.is_reference) return WrongType(node, path, place, expected);
  problems_.AddAt(place, path,
                  StrCat("'", path, "': expected ", expected, ", found something else in ",
                         Quoted(node.Scalar())));
}

void Converter::SetScalar(const YAML::Node& node, const FieldDescriptor& field,
                          const std::string& path, const Place& place, Message* out) {
  Scalar scalar;
  if (node.IsScalar() && !Expand(node, path, place, &scalar)) return;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return SetInteger(scalar, node, field, path, place, out);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(scalar, node, field, path, place, out);
    case FieldDescriptor::CPPTYPE_STRING:
      return SetText(scalar, node, field, path, place, out);
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetBoolean(scalar, node, field, path, place, out);
    default:
      problems_.AddAt(
          place, path,
          StrCat("field ", field.full_name(), " has a type that config files cannot hold"));
  }
}

void Converter::SetBoolean(const Scalar& scalar, const YAML::Node& node,
                           const FieldDescriptor& field, const std::string& path,
                           const Place& place, Message* out) {
  const std::string word = absl::AsciiStrToLower(scalar.text);
  // `${DEBUG:-}`: as a key with nothing behind it.
  if (scalar.is_reference && word.empty()) return;
  if (scalar.is_text || (word != "true" && word != "false")) {
    return Unusable(scalar, node, path, place, "true or false");
  }
  out->GetReflection()->SetBool(out, &field, word == "true");
}

void Converter::SetInteger(const Scalar& scalar, const YAML::Node& node,
                           const FieldDescriptor& field, const std::string& path,
                           const Place& place, Message* out) {
  const SchemaRow* row = FindSchemaRow(path);
  if (row == nullptr) return problems_.AddAt(place, path, StrCat("no schema row for ", path));
  if (scalar.is_reference && scalar.text.empty()) return;
  int64_t number = 0;
  const bool is_plain = !scalar.is_text && !scalar.text.empty() &&
                        scalar.text.find_first_not_of("-0123456789") == std::string::npos;
  // Zero means the default, as proto3 cannot tell it from absence.
  if (!is_plain || !SimpleAtoi(scalar.text, &number) ||
      (number != 0 && (number < row->min || number > row->max))) {
    return Unusable(scalar, node, path, place,
                    StrCat("an integer from ", row->min, " to ", row->max));
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
    // The schema's test holds each range within its field.
    out->GetReflection()->SetInt32(out, &field, static_cast<int32_t>(number));
  } else {
    out->GetReflection()->SetInt64(out, &field, number);
  }
}

void Converter::SetEnum(const Scalar& scalar, const YAML::Node& node, const FieldDescriptor& field,
                        const std::string& path, const Place& place, Message* out) {
  if (scalar.is_reference && scalar.text.empty()) return;
  const EnumDescriptor& type = *field.enum_type();
  const std::string word = absl::AsciiStrToLower(scalar.text);
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() == 0) continue;
    names.push_back(ShortName(type, i));
    if (!node.IsScalar() || names.back() != word) continue;
    if (field.is_repeated()) return out->GetReflection()->AddEnum(out, &field, type.value(i));
    return out->GetReflection()->SetEnum(out, &field, type.value(i));
  }
  Unusable(scalar, node, path, place, StrCat("one of ", absl::StrJoin(names, ", ")));
}

void Converter::SetText(const Scalar& scalar, const YAML::Node& node, const FieldDescriptor& field,
                        const std::string& path, const Place& place, Message* out) {
  if (!node.IsScalar()) return WrongType(node, path, place, "a text");
  for (const char c : scalar.text) {
    if (absl::ascii_iscntrl(c)) {
      return Unusable(scalar, node, path, place, "a text without control characters");
    }
  }
  if (field.is_repeated()) {
    out->GetReflection()->AddString(out, &field, scalar.text);
  } else {
    out->GetReflection()->SetString(out, &field, scalar.text);
  }
}

}  // namespace grove::config

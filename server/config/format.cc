#include "server/config/format.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/http_listeners.h"
#include "server/config/resolve.h"
#include "server/config/schema.h"
#include "yaml-cpp/yaml.h"

namespace grove::config {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

// Stands for a secret that the file itself holds.
constexpr char kMasked[] = "***";

// "lifo" of Queue.Order.ORDER_LIFO.
std::string ShortName(const google::protobuf::EnumValueDescriptor& value) {
  return absl::AsciiStrToLower(value.name().substr(value.type()->name().size() + 1));
}

std::string Joined(const std::string& section, std::string_view name) {
  return section.empty() ? std::string(name) : StrCat(section, ".", name);
}

// Writes messages and fields; knows what to leave out.
class Writer {
 public:
  explicit Writer(const FormatOptions& options) : options_(options) {}

  void InOneLine() {
    yaml_.SetMapFormat(YAML::Flow);
    yaml_.SetSeqFormat(YAML::Flow);
  }
  // Flow style with quoted texts is JSON.
  void AsJson() {
    InOneLine();
    yaml_.SetStringFormat(YAML::DoubleQuoted);
    yaml_.SetOutputCharset(YAML::EscapeAsJson);
  }
  void Section(const Message& message, const std::string& key);
  void Value(const Message& message, const FieldDescriptor& field, const std::string& key);
  void SettingValue(const config::v1::Setting& setting, const std::string& key);
  std::string Text() const { return yaml_.c_str(); }

 private:
  bool IsShown(const Message& message, const FieldDescriptor& field, const std::string& key) const;
  bool IsDefault(const Message& message, const FieldDescriptor& field,
                 const std::string& key) const;
  // A mapping whose keys code has declared.
  void Declared(const Message& message, const FieldDescriptor& field, const std::string& key);
  void SettingText(const config::v1::Setting& setting, int index, const std::string& key);
  // `index` is -1 for a field that is no list.
  void Scalar(const Message& message, const FieldDescriptor& field, int index,
              const std::string& key);

  const FormatOptions& options_;
  YAML::Emitter yaml_;
};

int64_t IntegerOf(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  return field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 ? reflection.GetInt32(message, &field)
                                                            : reflection.GetInt64(message, &field);
}

bool Writer::IsDefault(const Message& message, const FieldDescriptor& field,
                       const std::string& key) const {
  const auto& reflection = *message.GetReflection();
  const SchemaRow* row = FindSchemaRow(key);
  if (row == nullptr) return false;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return !reflection.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return ShortName(*reflection.GetEnum(message, &field)) == row->default_text;
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = reflection.GetString(message, &field);
      return text.empty() || text == row->default_text;
    }
    default:
      return IntegerOf(message, field) == row->default_value;
  }
}

bool Writer::IsShown(const Message& message, const FieldDescriptor& field,
                     const std::string& key) const {
  const auto& reflection = *message.GetReflection();
  if (field.is_repeated()) return options_.defaults || reflection.FieldSize(message, &field) > 0;
  if (field.real_containing_oneof() != nullptr) return reflection.HasField(message, &field);
  if (field.message_type() != nullptr) {
    if (IsSwitch(*field.message_type())) return reflection.HasField(message, &field);
    const Message& section = reflection.GetMessage(message, &field);
    const Descriptor& type = *field.message_type();
    for (int i = 0; i < type.field_count(); ++i) {
      if (IsShown(section, *type.field(i), Joined(key, type.field(i)->name()))) return true;
    }
    return false;
  }
  // There is no way to write one that was not chosen.
  if (field.enum_type() != nullptr && reflection.GetEnumValue(message, &field) == 0) return false;
  return options_.defaults || !IsDefault(message, field, key);
}

void Writer::Scalar(const Message& message, const FieldDescriptor& field, int index,
                    const std::string& key) {
  const auto& reflection = *message.GetReflection();
  if (const auto known = options_.references.find(key); known != options_.references.end()) {
    yaml_ << known->second;
    return;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      yaml_ << reflection.GetBool(message, &field);
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      yaml_ << ShortName(*(index < 0 ? reflection.GetEnum(message, &field)
                                     : reflection.GetRepeatedEnum(message, &field, index)));
      return;
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = index < 0 ? reflection.GetString(message, &field)
                                         : reflection.GetRepeatedString(message, &field, index);
      // Else it would be a reference.
      yaml_ << absl::StrReplaceAll(text, {{"${", "$${"}});
      return;
    }
    default:
      yaml_ << IntegerOf(message, field);
  }
}

void Writer::SettingText(const config::v1::Setting& setting, int index, const std::string& key) {
  if (const auto known = options_.references.find(key); known != options_.references.end()) {
    yaml_ << known->second;
  } else if (setting.secret()) {
    yaml_ << kMasked;
  } else {
    yaml_ << absl::StrReplaceAll(setting.values(index), {{"${", "$${"}});
  }
}

void Writer::SettingValue(const config::v1::Setting& setting, const std::string& key) {
  if (!setting.is_list()) return SettingText(setting, 0, key);
  if (setting.values().empty()) yaml_ << YAML::Flow;
  yaml_ << YAML::BeginSeq;
  for (int i = 0; i < setting.values_size(); ++i) {
    SettingText(setting, i, StrCat(key, "[", i, "]"));
  }
  yaml_ << YAML::EndSeq;
}

void Writer::Declared(const Message& message, const FieldDescriptor& field,
                      const std::string& key) {
  const auto& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (size == 0) yaml_ << YAML::Flow;
  yaml_ << YAML::BeginMap;
  for (int i = 0; i < size; ++i) {
    const auto& setting =
        static_cast<const config::v1::Setting&>(reflection.GetRepeatedMessage(message, &field, i));
    yaml_ << YAML::Key << setting.name() << YAML::Value;
    SettingValue(setting, Joined(key, setting.name()));
  }
  yaml_ << YAML::EndMap;
}

void Writer::Value(const Message& message, const FieldDescriptor& field, const std::string& key) {
  const auto& reflection = *message.GetReflection();
  const bool is_section = field.message_type() != nullptr;
  if (field.message_type() == config::v1::Setting::descriptor()) {
    return Declared(message, field, key);
  }
  if (!field.is_repeated()) {
    if (is_section) {
      Section(reflection.GetMessage(message, &field), key);
    } else {
      Scalar(message, field, -1, key);
    }
    return;
  }
  // Else an empty one would stand in a line of its own.
  if (reflection.FieldSize(message, &field) == 0) yaml_ << YAML::Flow;
  yaml_ << YAML::BeginSeq;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const std::string indexed = StrCat(key, "[", i, "]");
    if (is_section) {
      Section(reflection.GetRepeatedMessage(message, &field, i), indexed);
    } else {
      Scalar(message, field, i, indexed);
    }
  }
  yaml_ << YAML::EndSeq;
}

void Writer::Section(const Message& message, const std::string& key) {
  yaml_ << YAML::BeginMap;
  for (const FieldDescriptor* field : FieldsInOrder(*message.GetDescriptor(), key)) {
    const std::string full = Joined(key, field->name());
    if (!IsShown(message, *field, full)) continue;
    yaml_ << YAML::Key << field->name() << YAML::Value;
    Value(message, *field, full);
  }
  yaml_ << YAML::EndMap;
}

// Where the schema first speaks of a field; at the end where it has no rows of its own, as
// http.routes[].middleware.
size_t RankOf(const std::string& key) {
  const auto rows = DescribeSchema();
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string_view rest = rows[i].key;
    if (ConsumePrefix(&rest, key) && (rest.empty() || rest[0] == '.' || rest[0] == '[')) return i;
  }
  return rows.size();
}

}  // namespace

std::vector<const FieldDescriptor*> FieldsInOrder(const Descriptor& type, const std::string& key) {
  const std::string section = WithoutIndices(key);
  std::vector<std::pair<size_t, const FieldDescriptor*>> ranked;
  ranked.reserve(type.field_count());
  for (int i = 0; i < type.field_count(); ++i) {
    ranked.emplace_back(RankOf(Joined(section, type.field(i)->name())), type.field(i));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const FieldDescriptor*> fields;
  fields.reserve(ranked.size());
  for (const auto& [rank, field] : ranked) fields.push_back(field);
  return fields;
}

std::string FormatConfig(const config::v1::Config& config, const FormatOptions& options) {
  config::v1::Config as_written = config;
  UngatherHttpListeners(as_written.mutable_http());
  Writer writer(options);
  if (options.json) writer.AsJson();
  writer.Section(as_written, "");
  return writer.Text() + "\n";
}

std::string FormatValue(const Message& message, const FieldDescriptor& field,
                        const std::string& key, const References& references) {
  const FormatOptions options = {.references = references};
  Writer writer(options);
  writer.InOneLine();
  writer.Value(message, field, key);
  return writer.Text();
}

std::string FormatSetting(const config::v1::Setting& setting, const std::string& key,
                          const References& references) {
  const FormatOptions options = {.references = references};
  Writer writer(options);
  writer.InOneLine();
  writer.SettingValue(setting, key);
  return writer.Text();
}

std::string FormatEntry(const Message& entry, const std::string& key,
                        const References& references) {
  const FormatOptions options = {.references = references};
  Writer writer(options);
  writer.InOneLine();
  writer.Section(entry, key);
  return writer.Text();
}

}  // namespace grove::config

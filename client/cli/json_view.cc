#include "client/cli/json_view.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "client/cli/text.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grove/v1/task_service.pb.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Deeper documents stay base64: printing them would recurse that deep.
constexpr int kParsedDepthMax = 100;

bool IsTooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kParsedDepthMax) return true;
  }
  return false;
}

void AddParsed(const std::string& bytes, const char* key, Json& object) {
  if (bytes.empty() || !IsUtf8(bytes) || IsTooDeep(bytes)) return;
  Json parsed = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_discarded()) object[key] = std::move(parsed);
}

// Protobuf refuses to print an Any whose type is not linked in; one of a newer server must not hide
// the task.
void DropUnknownDetails(google::rpc::Status& status) {
  auto& details = *status.mutable_details();
  const auto unknown = [](const google::protobuf::Any& detail) {
    std::string type;
    if (!google::protobuf::Any::ParseAnyTypeUrl(detail.type_url(), &type)) return true;
    const Descriptor* known =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
    if (known == nullptr) return true;
    const std::unique_ptr<Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(known)->New());
    return !message->ParseFromString(detail.value());
  };
  details.erase(std::remove_if(details.begin(), details.end(), unknown), details.end());
}

void Tidy(const Message& message, Json& json);

void TidyField(const Message& message, const FieldDescriptor& field, Json& json) {
  const auto& reflection = *message.GetReflection();
  if (field.is_map()) return;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const auto& type = *field.enum_type();
    if (!field.is_repeated()) {
      json = ShortEnumName(type, reflection.GetEnumValue(message, &field));
      return;
    }
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      json[i] = ShortEnumName(type, reflection.GetRepeatedEnumValue(message, &field, i));
    }
    return;
  }
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return;
  if (!field.is_repeated()) {
    Tidy(reflection.GetMessage(message, &field), json);
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    Tidy(reflection.GetRepeatedMessage(message, &field, i), json[i]);
  }
}

// Walks the message and its JSON side by side.
void Tidy(const Message& message, Json& json) {
  if (!json.is_object()) return;
  const Descriptor& type = *message.GetDescriptor();
  if (!type.full_name().starts_with("grove.")) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const auto found = json.find(field.name());
    if (found != json.end()) TidyField(message, field, *found);
  }
  if (&type == v1::Task::descriptor()) {
    AddParsed(static_cast<const v1::Task&>(message).output(), "output_json", json);
  }
  if (&type == v1::TaskSpec::descriptor()) {
    AddParsed(static_cast<const v1::TaskSpec&>(message).input(), "input_json", json);
  }
}

void DropUnknownDetailsIn(Message& message) {
  if (message.GetDescriptor() == google::rpc::Status::descriptor()) {
    DropUnknownDetails(static_cast<google::rpc::Status&>(message));
    return;
  }
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated()) {
      DropUnknownDetailsIn(*reflection.MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      DropUnknownDetailsIn(*reflection.MutableRepeatedMessage(&message, field, i));
    }
  }
}

// Plain where no reader of YAML can take it for anything but this string; otherwise JSON's form,
// which YAML shares.
std::string YamlString(const std::string& text) {
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no",
                                                "on",   "off",   "y",    "n"};
  bool plain = !text.empty() && absl::ascii_isalpha(static_cast<unsigned char>(text[0]));
  for (const char c : text) {
    plain = plain && (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' ||
                      c == '/' || c == '.');
  }
  for (const std::string_view word : kWords)
    plain = plain && !absl::EqualsIgnoreCase(text, Abseil(word));
  return plain ? text : Json(text).dump(-1, ' ', /*ensure_ascii=*/true);
}

void AppendYaml(const Json& json, size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items()) {
      const bool nested = value.is_structured() && !value.empty();
      StrAppend(&out, margin, YamlString(key), nested ? ":\n" : ": ");
      // A list may stand as deep as its key.
      AppendYaml(value, nested && value.is_array() ? indent : indent + 2, out);
    }
  } else if (json.is_array() && !json.empty()) {
    for (const Json& value : json) {
      std::string item;
      AppendYaml(value, indent + 2, item);
      const bool nested = value.is_structured() && !value.empty();
      // The first line of a nested item moves up behind its dash.
      StrAppend(&out, margin, "- ", nested ? item.substr(indent + 2) : item);
    }
  } else if (json.is_string()) {
    StrAppend(&out, YamlString(json.get_ref<const std::string&>()), "\n");
  } else {
    StrAppend(&out, json.dump(), "\n");
  }
}

}  // namespace

nlohmann::ordered_json ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  DropUnknownDetailsIn(*copy);
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(*copy, &text, options);
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!status.ok() || json.is_discarded()) {
    return Json{{"unprintable", std::string(status.message())}};
  }
  Tidy(*copy, json);
  return json;
}

std::string RenderJson(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

std::string RenderJsonLine(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

std::string RenderYaml(const nlohmann::ordered_json& json) {
  std::string out;
  AppendYaml(json, 0, out);
  return out;
}

}  // namespace grove::client::cli
